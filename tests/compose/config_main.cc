// `config` without the command line program: prints what the loader makes of files, to compare it
// with other implementations and to measure it.
//   compose_config [-f FILE]... [--profile P]... [--yaml|--hash|--time N]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "compose/config_hash.h"
#include "compose/loader.h"
#include "compose/render.h"

using namespace stack::compose;

int main(int argc, char** argv) {
  LoadOptions options = default_load_options();
  std::string mode = "--json";
  int rounds = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const bool more = i + 1 < argc;
    if (arg == "-f" && more) {
      options.files.emplace_back(argv[++i]);
    } else if (arg == "--profile" && more) {
      options.profiles.emplace_back(argv[++i]);
    } else if (arg == "--time" && more) {
      rounds = std::atoi(argv[++i]);
    } else {
      mode = arg;
    }
  }
  auto outcome = load(options);
  if (rounds > 0) {
    const auto begin = std::chrono::steady_clock::now();
    std::size_t size = 0;
    for (int i = 0; i < rounds; ++i) {
      outcome = load(options);
      if (const auto* r = std::get_if<LoadResult>(&outcome)) size += to_yaml(r->project).size();
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("load and print: %.2f ms (%zu bytes)\n", took.count() / rounds,
                size / static_cast<std::size_t>(rounds));
    if (const auto* r = std::get_if<LoadResult>(&outcome)) {
      const std::string json = to_json(r->project);
      const auto start = std::chrono::steady_clock::now();
      bool same = true;
      for (int i = 0; i < rounds; ++i) {
        const auto back = load_canonical(json);
        same = same && back.ok() && *back == r->project;
      }
      const std::chrono::duration<double, std::milli> canonical =
          std::chrono::steady_clock::now() - start;
      std::printf("load_canonical: %.2f ms, same: %d\n", canonical.count() / rounds, same ? 1 : 0);
    }
    return 0;
  }
  if (const auto* errors = std::get_if<LoadErrors>(&outcome)) {
    std::fputs(render(*errors, Diagnostic::Severity::kWarning).c_str(), stderr);
    return 1;
  }
  const auto& result = std::get<LoadResult>(outcome);
  std::fputs(render(result.warnings, Diagnostic::Severity::kWarning).c_str(), stderr);
  if (mode == "--hash") {
    for (const auto& [name, service] : result.project.services) {
      std::printf("%s %s\n", name.c_str(), config_hash(service).c_str());
    }
  } else {
    std::fputs((mode == "--yaml" ? to_yaml(result.project) : to_json(result.project)).c_str(),
               stdout);
  }
  return 0;
}
