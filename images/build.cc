#include "images/build.h"

#include <fcntl.h>

#include <algorithm>

#include "base/files.h"
#include "images/build_stage.h"
#include "images/copy.h"
#include "images/dockerfile_syntax.h"
#include "images/platform.h"

namespace stack::images {
namespace {

std::string now_text() { return rfc3339_nano(std::chrono::system_clock::now()); }

constexpr const char* kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool makes_layer(const std::string& name) {
  return name == "RUN" || name == "COPY" || name == "ADD" || name == "WORKDIR";
}

}  // namespace

Error Builder::fail(const Instruction& instruction, Error error) const {
  const SourceLoc where = error.where.value_or(instruction.where);
  if (where.file != file_.file) return error;  // an ONBUILD trigger of the base
  if (error.message.find("\n") != std::string::npos) {
    error.where = where;
    return error;
  }
  return located(std::move(error), where, file_.source);
}

void Builder::add_history(BuildStage& stage, const std::string& created_by, bool empty_layer) {
  stage.scope.config.history.push_back({.created = now_text(),
                                        .created_by = created_by,
                                        .author = "",
                                        .comment = "buildkit.dockerfile.v0",
                                        .empty_layer = empty_layer});
}

void Builder::tell(BuildEvent event) const {
  if (progress_) progress_(event);
}

int Builder::begin(const std::string& text) {
  const int id = next_id_++;
  tell({.kind = BuildEvent::Kind::kStep, .id = id, .text = text});
  return id;
}

void Builder::count_instructions(std::size_t stage) {
  instructions_ += 1 + static_cast<int>(file_.stages[stage].instructions.size());
}

void Builder::announce(const Instruction& instruction) {
  tell({.kind = BuildEvent::Kind::kInstruction,
        .text = std::to_string(++announced_) + "/" + std::to_string(instructions_) + " : " +
                instruction.original});
}

void Builder::end(int id, bool cached, std::chrono::steady_clock::time_point since) {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  tell({.kind = cached ? BuildEvent::Kind::kCached : BuildEvent::Kind::kDone,
        .id = id,
        .seconds = seconds});
}

Status Builder::load_context() {
  if (request_.context.empty()) return ok_status();
  auto opened = open_fd(request_.context, O_RDONLY | O_DIRECTORY);
  if (!opened.ok()) {
    return Error::invalid("unable to prepare context: path \"" + request_.context.string() +
                          "\" not found")
        .fix("The build context must be a directory.");
  }
  context_ = std::move(*opened);
  return ok_status();
}

Status Builder::load_dockerfile() {
  std::string text;
  std::string name = request_.dockerfile.empty() ? "Dockerfile" : request_.dockerfile;
  if (request_.dockerfile_inline) {
    text = *request_.dockerfile_inline;
    name = "dockerfile_inline";
  } else if (name.starts_with('/')) {
    auto read = read_file(name, 4U << 20U);
    if (!read.ok())
      return Error::invalid("failed to read dockerfile: open " + name +
                            ": no such file or directory");
    text = std::move(*read);
  } else {
    // "../other/Dockerfile" may lie outside the context: the caller's file, not the context's.
    auto read = read_file(request_.context / name, 4U << 20U);
    if (!read.ok())
      return Error::invalid("failed to read dockerfile: open " + name +
                            ": no such file or directory")
          .fix("Looked in " + request_.context.string() + ".");
    text = std::move(*read);
  }
  file_ = TRY(parse_dockerfile(text, name));
  for (const std::string& warning : file_.warnings)
    tell({.kind = BuildEvent::Kind::kWarning, .text = warning});
  for (const std::string& candidate : {name + ".dockerignore", std::string(".dockerignore")}) {
    if (!context_ || candidate.starts_with('/')) continue;
    auto fd = open_in_root(context_.get(), candidate, O_RDONLY | O_NONBLOCK);
    if (!fd.ok()) continue;
    ignore_ = DockerIgnore(TRY(read_all(fd->get(), 4U << 20U)));
    break;
  }
  return ok_status();
}

Result<std::vector<std::string>> Builder::expand_bases() {
  values_.given = request_.args;
  for (const auto& [prefix, value] : {std::pair<std::string, Platform>("BUILD", parse_platform("")),
                                      {"TARGET", parse_platform(request_.platform)}}) {
    values_.platform[prefix + "PLATFORM"] = value.text();
    values_.platform[prefix + "OS"] = value.os;
    values_.platform[prefix + "ARCH"] = value.architecture;
    values_.platform[prefix + "VARIANT"] = value.variant;
  }
  values_.platform["TARGETSTAGE"] = request_.target.empty() ? "default" : request_.target;
  BuildScope global;
  const auto directive = file_.directives.find("escape");
  global.escape = directive == file_.directives.end() ? '\\' : directive->second[0];
  for (const auto& [key, value] : values_.platform) global.args.emplace_back(key, value);
  for (const Instruction& arg : file_.global_args) {
    auto applied = apply_metadata(global, arg, values_);
    if (!applied.ok()) return fail(arg, std::move(applied).error());
  }
  for (const auto& [key, value] : global.args) {
    if (value) values_.global[key] = *value;
  }
  std::vector<std::string> out;
  for (const Stage& stage : file_.stages) {
    auto base = expand_word(stage.base, global.lookup(), global.escape);
    if (!base.ok()) return fail(stage.from, std::move(base).error());
    if (base->empty())
      return fail(stage.from, Error::invalid("base name (" + stage.base + ") should not be blank"));
    out.push_back(std::move(*base));
  }
  return out;
}

Result<Image> Builder::find_image(const std::string& name, const std::string& platform) {
  const Platform wanted = parse_platform(platform);
  const std::string key = name + " " + wanted.text();
  if (const auto it = images_.find(key); it != images_.end()) return it->second;
  const Reference reference = TRY(Reference::parse(name));
  auto local = store_.find(name);
  // One for another platform is as good as none.
  if (local.ok()) {
    Status fits = check_platform(wanted, local->config, reference.familiar());
    if (!fits.ok()) local = std::move(fits).error();
  }
  const bool ask = resolve_base_ != nullptr && (request_.pull || !local.ok());
  if (!ask && !local.ok()) return std::move(local).error();
  Image image =
      ask ? TRY_WHILE(resolve_base_(reference, platform), "resolving " + reference.familiar())
          : *local;
  pin_.add(image.config.diff_ids);
  images_[key] = image;
  return image;
}

Status Builder::start_stage(std::size_t index, const std::string& base, BuildStage& stage) {
  const auto directive = file_.directives.find("escape");
  const char escape = directive == file_.directives.end() ? '\\' : directive->second[0];
  std::string platform = request_.platform;
  if (!file_.stages[index].platform.empty()) {
    const VariableLookup lookup = [this](std::string_view name) -> std::optional<std::string> {
      const auto it = values_.global.find(std::string(name));
      if (it != values_.global.end()) return it->second;
      return std::nullopt;
    };
    platform = TRY(expand_word(file_.stages[index].platform, lookup, escape));
  }
  if (base == "scratch") {
    const Platform wanted = parse_platform(platform);
    stage.scope.config.os = wanted.os;
    stage.scope.config.architecture = wanted.architecture;
    stage.scope.config.variant = wanted.variant;
    stage.scope.config.env = {kDefaultPath};
    stage.scope.config.working_dir = "/";
    stage.key = "scratch";
  } else if (const int earlier = base.find_first_not_of("0123456789") == std::string::npos
                                     ? -1
                                     : find_stage(file_, base, index);
             earlier >= 0) {
    stage = *TRY(earlier_stage(static_cast<std::size_t>(earlier)));
    stage.scope.cmd_set = false;
  } else {
    std::string name = base;
    if (const auto context = request_.additional_contexts.find(base);
        context != request_.additional_contexts.end()) {
      name = context->second;
      if (name.starts_with("docker-image://")) name = name.substr(15);
    }
    const Image image = TRY(find_image(name, platform));
    stage.scope.config = image.config;
    // BuildKit gives every build a PATH, so that `ENV PATH=/opt/bin:$PATH` works on a base that
    // says none.
    auto& env = stage.scope.config.env;
    if (std::none_of(env.begin(), env.end(),
                     [](const std::string& e) { return e.starts_with("PATH="); })) {
      env.insert(env.begin(), kDefaultPath);
    }
    stage.state = image.id;
    stage.layers = TRY(store_.layers(image.id));
    stage.key = "layers " + chain_id(image.config.diff_ids, image.config.diff_ids.size());
  }
  stage.scope.escape = escape;
  return ok_status();
}

Status Builder::run_instruction(std::size_t index, const Instruction& instruction,
                                BuildStage& stage) {
  if (stop_.stop_requested()) return Error::make(ErrorKind::kCancelled, "the build was cancelled");
  reused_.reset();
  int id = 0;
  if (makes_layer(instruction.name)) {
    const Stage& here = file_.stages[index];
    int total = 1;
    int number = 1;
    for (const Instruction& other : here.instructions) {
      if (makes_layer(other.name)) ++total;
      if (makes_layer(other.name) && &other <= &instruction) ++number;
    }
    std::string label =
        here.name.empty() ? (file_.stages.size() > 1 ? "stage-" + std::to_string(index) + " " : "")
                          : here.name + " ";
    id = begin("[" + label + std::to_string(number) + "/" + std::to_string(total) + "] " +
               instruction.original);
  }
  if (instruction.name == "RUN") return run_step(index, instruction, stage, id);
  if (instruction.name == "COPY" || instruction.name == "ADD")
    return copy_step(index, instruction, stage, id);
  const std::string shown = TRY(apply_metadata(stage.scope, instruction, values_));
  if (instruction.name == "WORKDIR" && stage.scope.config.working_dir != "/")
    return workdir_step(stage, shown, id);
  add_history(stage, shown, true);
  return ok_status();
}

// What a trigger of a base needs is known only when the base is: such a stage is built then.
Result<const BuildStage*> Builder::earlier_stage(std::size_t index) {
  if (!stages_.contains(index)) {
    count_instructions(index);
    TRY(run_stage(index));
  }
  return &stages_.at(index);
}

Status Builder::run_stage(std::size_t index) {
  const std::string& base = bases_[index];
  const Stage& source = file_.stages[index];
  BuildStage stage;
  const auto since = std::chrono::steady_clock::now();
  announce(source.from);
  const int id = begin(
      "[" + (source.name.empty() ? "" : source.name + " ") + "1/" +
      std::to_string(1 + std::count_if(source.instructions.begin(), source.instructions.end(),
                                       [](const Instruction& i) { return makes_layer(i.name); })) +
      "] FROM " + base);
  Status started = start_stage(index, base, stage);
  if (!started.ok()) return fail(source.from, std::move(started).error());
  end(id, false, since);
  stage.known = false;
  tell_state(stage);
  const std::vector<std::string> triggers = std::exchange(stage.scope.config.on_build, {});
  if (!triggers.empty()) {
    const std::string many = triggers.size() == 1 ? "" : "s";
    tell({.kind = BuildEvent::Kind::kTriggers,
          .text = std::to_string(triggers.size()) + " build trigger" + many});
  }
  for (const std::string& trigger : triggers) {
    const Instruction instruction = TRY(parse_instruction(trigger, "ONBUILD of " + base));
    TRY(check_sources(instruction));
    TRY(run_instruction(index, instruction, stage));
    TRY(note_state(stage));
    tell_state(stage);
  }
  for (const Instruction& instruction : source.instructions) {
    announce(instruction);
    Status done = run_instruction(index, instruction, stage);
    if (!done.ok()) return fail(instruction, std::move(done).error());
    TRY(note_state(stage));
    if (&instruction != &source.instructions.back()) tell_state(stage);
  }
  stages_[index] = std::move(stage);
  return ok_status();
}

// Times, which no two builds share, are no part of the state. That an earlier build came to it is
// known by its layer, else by a record.
Status Builder::note_state(BuildStage& stage) const {
  ImageConfig config = stage.scope.config;
  config.created.clear();
  for (History& entry : config.history) entry.created.clear();
  config.diff_ids.clear();
  for (const LayerRecord& layer : stage.layers) config.diff_ids.push_back(layer.diff_id);
  stage.state = "sha256:" + sha256_hex(config.serialize());
  stage.known = reused_.value_or(false);
  if (reused_) return ok_status();
  const std::string key = sha256_hex("state " + stage.state);
  stage.known = !request_.no_cache && store_.build_cache().find(key).has_value();
  return stage.known ? ok_status() : store_.build_cache().put(key, stage.state);
}

void Builder::tell_state(const BuildStage& stage) const {
  tell({.kind = BuildEvent::Kind::kState, .text = stage.state, .known = stage.known});
}

Result<Image> Builder::finish(BuildStage& stage) {
  ImageConfig& config = stage.scope.config;
  for (const auto& [key, value] : request_.labels) config.labels[key] = value;
  config.diff_ids.clear();
  for (const LayerRecord& layer : stage.layers) config.diff_ids.push_back(layer.diff_id);
  // A build that found everything in the cache gives the image that is there already, with its id
  // and time.
  if (config.history.empty()) config.created = now_text();
  const std::string key = "image " + sha256_hex([&] {
                            ImageConfig plain = config;
                            plain.created.clear();
                            for (History& entry : plain.history) entry.created.clear();
                            return plain.serialize();
                          }());
  const std::string name = sha256_hex(key);
  if (!request_.no_cache) {
    if (const auto id = store_.build_cache().find(name)) {
      if (auto image = store_.find(*id); image.ok()) {
        for (const Reference& tag : request_.tags) TRY(store_.tag(*id, tag));
        return store_.find(*id);
      }
    }
  }
  config.created = now_text();
  const std::optional<Reference> first =
      request_.tags.empty() ? std::nullopt : std::optional(request_.tags[0]);
  const Image image = TRY(store_.add_image(config.serialize(), stage.layers, first));
  for (const Reference& tag : request_.tags) TRY(store_.tag(image.id, tag));
  TRY(store_.build_cache().put(name, image.id));
  return store_.find(image.id);
}

// An argument that no ARG declares is most likely misspelt.
void Builder::warn_of_unused_args() const {
  std::string unused;
  for (const auto& [name, value] : request_.args) {
    const auto declares = [&name = name](const Instruction& in) {
      return in.name == "ARG" && std::any_of(in.args.begin(), in.args.end(), [&](const auto& arg) {
               return arg.substr(0, arg.find('=')) == name;
             });
    };
    const auto has = [&](const std::vector<Instruction>& list) {
      return std::any_of(list.begin(), list.end(), declares);
    };
    const bool known = is_proxy_arg(name) || values_.platform.contains(name) ||
                       name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" ||
                       has(file_.global_args) ||
                       std::any_of(file_.stages.begin(), file_.stages.end(),
                                   [&](const Stage& stage) { return has(stage.instructions); });
    if (!known) unused += (unused.empty() ? "" : " ") + name;
  }
  if (unused.empty()) return;
  tell({.kind = BuildEvent::Kind::kWarning,
        .text = "One or more build-args [" + unused + "] were not consumed"});
}

Result<Image> Builder::run() {
  TRY(load_context());
  TRY(load_dockerfile());
  bases_ = TRY(expand_bases());
  const StageGraph graph = TRY(select_stages(file_, bases_, request_.target));
  for (std::size_t i = 0; i <= graph.target; ++i) {
    if (graph.needed[i]) count_instructions(i);
  }
  warn_of_unused_args();
  empty_ = store_.root() / "empty";
  TRY(make_directories(empty_));
  for (std::size_t i = 0; i <= graph.target; ++i) {
    if (!graph.needed[i] || stages_.contains(i)) continue;
    TRY(run_stage(i));
    BuildStage& stage = stages_.at(i);
    const bool result = i == graph.target;
    if (result) stage.state = TRY(finish(stage)).id;
    if (!file_.stages[i].instructions.empty()) tell_state(stage);
  }
  return store_.find(stages_.at(graph.target).state);
}

Result<Image> build(Store& store, const BuildRequest& request, StepRunner& runner,
                    const BuildProgress& progress, const BaseResolver& resolve_base,
                    std::stop_token stop) {
  return Builder(store, request, runner, progress, resolve_base, std::move(stop)).run();
}

}  // namespace stack::images
