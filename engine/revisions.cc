#include "engine/revisions.h"

#include <fmt/core.h>

#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "compose/config_hash.h"
#include "engine/project_record.h"
#include "engine/state_store.h"

namespace stack::engine {

namespace {

using nlohmann::json;

constexpr const char* kKind = "revision";
constexpr std::size_t kKept = 10;

std::string key_of(const std::string& project, int number) {
  return fmt::format("{}/{:08}", project, number);
}

// Number -> document, of one project.
Result<std::map<int, json>> documents(const StateStore& state, const std::string& project) {
  std::map<int, json> out;
  const std::string prefix = project + "/";
  for (const auto& [key, text] : TRY(state.all(kKind))) {
    if (!key.starts_with(prefix)) continue;
    json document = json::parse(text, nullptr, false);
    if (document.is_object())
      out.emplace(std::atoi(key.c_str() + prefix.size()), std::move(document));
  }
  return out;
}

RevisionSummary summary_of(int number, const json& document) {
  RevisionSummary summary;
  summary.number = number;
  summary.time = WallTime(std::chrono::nanoseconds(document.value("time", std::int64_t{0})));
  summary.who = document.value("who", "");
  summary.why = document.value("why", "");
  for (const auto& service : document.value("changed", json::array())) {
    if (service.is_string()) summary.services.push_back(service.get<std::string>());
  }
  return summary;
}

}  // namespace

Status Revisions::add(const compose::Project& project,
                      const std::map<std::string, std::string>& images, const std::string& who,
                      const std::string& why, WallTime now) {
  auto kept = TRY(documents(state_, project.name));
  json document = project_record(project);
  std::map<std::string, std::string> hashes;
  for (const auto& [name, service] : project.services) hashes[name] = compose::config_hash(service);
  document["images"] = images;
  document["hashes"] = hashes;

  const json first = json::object();
  const json& before = kept.empty() ? first : kept.rbegin()->second;
  const int number = kept.empty() ? 1 : kept.rbegin()->first + 1;
  const auto old_hashes = before.value("hashes", std::map<std::string, std::string>{});
  const auto old_images = before.value("images", std::map<std::string, std::string>{});
  if (before.value("project", "") == document["project"].get<std::string>() && old_images == images)
    return ok_status();
  std::vector<std::string> changed;
  const auto differs = [](const auto& was, const auto& is, const std::string& name) {
    const auto old_one = was.find(name);
    const auto new_one = is.find(name);
    return new_one != is.end() && (old_one == was.end() || old_one->second != new_one->second);
  };
  for (const auto& [name, service] : project.services) {
    if (differs(old_hashes, hashes, name) || differs(old_images, images, name))
      changed.push_back(name);
  }
  document["changed"] = changed;
  document["who"] = who;
  document["why"] = why;
  document["time"] =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  TRY(state_.put(kKind, key_of(project.name, number),
                 document.dump(-1, ' ', false, json::error_handler_t::replace)));
  while (kept.size() >= kKept) {
    TRY(state_.erase(kKind, key_of(project.name, kept.begin()->first)));
    kept.erase(kept.begin());
  }
  return ok_status();
}

Result<std::vector<RevisionSummary>> Revisions::list(const std::string& project) const {
  std::vector<RevisionSummary> out;
  for (const auto& [number, document] : TRY(documents(state_, project)))
    out.push_back(summary_of(number, document));
  return out;
}

Result<Revision> Revisions::load(const std::string& project, int number) const {
  const auto all = TRY(documents(state_, project));
  auto found = all.find(number);
  if (number <= 0 && static_cast<std::size_t>(-number) < all.size())
    found = std::prev(all.end(), 1 - number);
  if (found == all.end()) {
    std::string there;
    for (const auto& [known, document] : all)
      there += (there.empty() ? "" : ", ") + std::to_string(known);
    return Error::not_found(number > 0
                                ? fmt::format("project \"{}\" has no revision {}", project, number)
                                : fmt::format("project \"{}\" has no earlier revision", project))
        .fix(there.empty() ? "A revision is made by each `stack up` that changes something."
                           : "There are: " + there + ".");
  }
  Revision revision;
  static_cast<RevisionSummary&>(revision) = summary_of(found->first, found->second);
  revision.project =
      std::make_shared<const compose::Project>(TRY(parse_project_record(found->second)));
  const json images = found->second.value("images", json::object());
  for (const auto& [service, id] : images.items()) {
    if (id.is_string()) revision.images[service] = id.get<std::string>();
  }
  return revision;
}

std::function<std::shared_ptr<const compose::Service>(const std::string&, const std::string&)>
Revisions::lookup(const std::string& project) const {
  struct Loaded {
    bool done = false;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<const compose::Service>> services;
  };
  // Read only when something changed, and once for all that did.
  return [state = &state_, project, loaded = std::make_shared<Loaded>()](
             const std::string& service,
             const std::string& hash) -> std::shared_ptr<const compose::Service> {
    if (!std::exchange(loaded->done, true)) {
      const auto all = documents(*state, project);
      if (!all.ok()) return nullptr;
      for (const auto& [number, document] : *all) {
        const auto declared = parse_project_record(document);
        if (!declared.ok()) continue;
        const auto hashes = document.value("hashes", std::map<std::string, std::string>{});
        for (const auto& [name, definition] : declared->services) {
          if (const auto known = hashes.find(name); known != hashes.end())
            loaded->services[{name, known->second}] =
                std::make_shared<const compose::Service>(definition);
        }
      }
    }
    const auto found = loaded->services.find({service, hash});
    return found == loaded->services.end() ? nullptr : found->second;
  };
}

}  // namespace stack::engine
