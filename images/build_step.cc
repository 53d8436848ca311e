// COPY, ADD and WORKDIR: steps that need no process.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "images/build_stage.h"
#include "images/copy.h"
#include "images/download.h"
#include "images/overlay.h"
#include "images/paths.h"
#include "images/users.h"

namespace stack::images {
namespace {

bool is_url(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

// What BuildKit would clone.
bool is_git(const std::string& text) {
  if (text.starts_with("git@") || text.starts_with("git://") || text.starts_with("ssh://"))
    return true;
  return is_url(text) && text.substr(0, text.find_first_of("#?")).ends_with(".git");
}

// $NAME in the text of a here-document; quotes and other backslashes are content.
Result<std::string> expand_heredoc(const std::string& content, const VariableLookup& lookup) {
  std::string escaped;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    const bool keeps = c == '\\' && i + 1 < content.size() && content[i + 1] == '$';
    if (keeps) {
      escaped += "\\$";
      ++i;
      continue;
    }
    if (c == '\\' || c == '"' || c == '\'') escaped += '\\';
    escaped += c;
  }
  return expand_word(escaped, lookup);
}

Result<unsigned> parse_mode(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("01234567") != std::string::npos) {
    return Error::invalid("invalid chmod parameter: '" + text +
                          "'. it should be octal string and between 0 and 07777");
  }
  return static_cast<unsigned>(std::stoul(text, nullptr, 8));
}

}  // namespace

std::vector<std::filesystem::path> Builder::lowers(const BuildStage& stage) const {
  std::vector<std::filesystem::path> out;
  for (auto it = stage.layers.rbegin(); it != stage.layers.rend(); ++it) {
    const std::filesystem::path directory = store_.layer_store().layer_directory(it->diff_id);
    if (std::find(out.begin(), out.end(), directory) == out.end()) out.push_back(directory);
  }
  if (out.empty()) out.push_back(empty_);
  return out;
}

Status Builder::cached_step(BuildStage& stage, const std::string& key_text,
                            const std::string& shown, int id, const Make& make) {
  const auto since = std::chrono::steady_clock::now();
  const std::string key = sha256_hex(stage.key + "\n" + key_text);
  const LayerStore& layers = store_.layer_store();
  std::optional<LayerRecord> layer;
  if (!request_.no_cache) {
    if (const auto diff_id = store_.build_cache().find(key)) {
      pin_.add({*diff_id});
      layer = layers.find_layer(*diff_id);
    }
  }
  const bool cached = layer.has_value();
  reused_ = cached;
  if (!cached) {
    TemporaryDirectory directory = TRY(layers.temporary());
    const std::filesystem::path upper = directory.path() / "fs";
    const std::filesystem::path work = directory.path() / "work";
    TRY(make_directories(upper));
    TRY(make_directories(work));
    // The top of an overlay has the mode and times of its upper directory: take them from the layer
    // below.
    struct stat st {};
    if (::stat(lowers(stage).front().c_str(), &st) == 0 &&
        ::chmod(upper.c_str(), st.st_mode & 07777U) != 0)
      return Error::os(errno, upper);
    TRY(make(upper, work));
    layer = TRY(layers.adopt_upper(std::move(directory)));
    pin_.add({layer->diff_id});
    TRY(store_.build_cache().put(key, layer->diff_id));
  }
  stage.layers.push_back(std::move(*layer));
  stage.key = key;
  add_history(stage, shown, false);
  end(id, cached, since);
  return ok_status();
}

Status Builder::workdir_step(BuildStage& stage, const std::string& shown, int id) {
  const std::string path = stage.scope.config.working_dir;
  const std::string user = stage.scope.config.user;
  return cached_step(
      stage, "WORKDIR " + path + "\n" + user, shown, id,
      [&](const std::filesystem::path& upper, const std::filesystem::path& work) -> Status {
        Fd root = TRY(mount_overlay(lowers(stage), upper, work));
        const auto [uid, gid] = TRY(resolve_owner_in(root.get(), user.empty() ? "0:0" : user));
        TRY(make_directories_in_root(root.get(), path, 0755, uid, gid));
        return ok_status();
      });
}

Result<OpenedSource> Builder::open_source(std::size_t index, const std::string& from) {
  OpenedSource out;
  if (from.empty()) {
    if (!context_) return Error::invalid("there is no build context to copy from");
    out.root = TRY(duplicate(context_.get()));
    out.source = {.root = out.root.get(), .ignore = &ignore_, .reset_owner = true};
    out.directories = {request_.context};
    return out;
  }
  if (const auto context = request_.additional_contexts.find(from);
      context != request_.additional_contexts.end() &&
      !context->second.starts_with("docker-image://")) {
    out.root = TRY(open_fd(context->second, O_RDONLY | O_DIRECTORY));
    out.source = {.root = out.root.get(), .ignore = nullptr, .reset_owner = true};
    out.directories = {context->second};
    return out;
  }
  if (const int earlier = find_stage(file_, from, index); earlier >= 0) {
    const BuildStage* stage = TRY(earlier_stage(static_cast<std::size_t>(earlier)));
    out.directories = lowers(*stage);
    out.key = "stage " + stage->key;
  } else {
    const auto context = request_.additional_contexts.find(from);
    const Image image = TRY(find_image(
        context == request_.additional_contexts.end() ? from : context->second.substr(15),
        request_.platform));
    out.directories = TRY(store_.layer_directories(image.id));
    out.key = "image " + image.id;
    if (out.directories.empty()) out.directories.push_back(empty_);
  }
  out.root = TRY(mount_overlay(out.directories));
  out.source = {.root = out.root.get(), .ignore = nullptr, .reset_owner = false};
  return out;
}

Status Builder::copy_step(std::size_t index, const Instruction& in, BuildStage& stage, int id) {
  const BuildScope& scope = stage.scope;
  std::vector<std::string> words;
  for (const std::string& arg : in.args)
    words.push_back(TRY(expand_word(arg, scope.lookup(), scope.escape)));
  std::string destination = words.back();
  words.pop_back();
  std::string shown = in.name;
  std::string key = in.name;
  CopyOrder order;
  std::optional<bool> unpack;
  std::string from;
  std::string owner;
  std::string checksum;
  for (const Flag& flag : in.flags) {
    const std::string value = TRY(expand_word(flag.value, scope.lookup(), scope.escape));
    if (flag.name == "from") from = flag.value;
    if (flag.name == "chown") owner = value;
    if (flag.name == "checksum") checksum = value;
    if (flag.name == "chmod") order.chmod = TRY(parse_mode(value));
    if (flag.name == "exclude") order.excludes.push_back(value);
    if (flag.name == "unpack") unpack = value != "false";
    if (flag.name == "parents")
      return Error::at(flag.where, in.name + " --parents is not supported yet");
    if (flag.name == "chown" || flag.name == "chmod") shown += " --" + flag.name + "=" + value;
    if (flag.name != "link" && flag.name != "from") key += " --" + flag.name + "=" + value;
  }
  for (const std::string& word : words) shown += " " + word;
  shown += " " + destination + " # buildkit";
  if (!destination.starts_with('/')) {
    const bool directory =
        destination.ends_with('/') || destination == "." || destination.ends_with("/.");
    destination = clean_absolute(
        (scope.config.working_dir.empty() ? "/" : scope.config.working_dir) + "/" + destination);
    if (directory && destination != "/") destination += "/";
  } else {
    const bool directory = destination.ends_with('/') || destination.ends_with("/.");
    destination = clean_absolute(destination);
    if (directory && destination != "/") destination += "/";
  }
  if (words.size() > 1 && !destination.ends_with('/')) {
    return Error::invalid("When using " + in.name +
                          " with more than one source file, the destination must be a directory "
                          "and end with a /");
  }
  order.destination = destination;
  order.into_directory = words.size() > 1;
  key += " > " + destination + (order.into_directory ? " many" : "");

  // Where each word's files come from: here-documents and downloads are laid out in a directory of
  // their own.
  struct Source {
    OpenedSource from;
    std::vector<CopyItem> items;
    bool unpack = false;
  };
  std::vector<Source> sources;
  TemporaryDirectory made;
  for (const std::string& word : words) {
    const auto doc = std::find_if(in.heredocs.begin(), in.heredocs.end(), [&](const Heredoc& d) {
      return word.starts_with("<<") && word.ends_with(d.name);
    });
    if (doc == in.heredocs.end() && in.name == "ADD" && is_git(word)) {
      return Error::invalid("ADD of a Git repository is not supported")
          .fix("Clone it into the build context, or with git in a RUN instruction.");
    }
    OpenedSource source;
    std::string pattern = word;
    const bool fetched = doc == in.heredocs.end() && in.name == "ADD" && is_url(word);
    if (doc != in.heredocs.end() || fetched) {
      if (made.path().empty()) made = TRY(store_.layer_store().temporary());
      const std::string name = doc != in.heredocs.end() ? doc->name : url_file_name(word);
      if (name.empty()) return Error::invalid("cannot determine filename for source " + word);
      if (doc != in.heredocs.end()) {
        std::string content =
            doc->expand ? TRY(expand_heredoc(doc->content, scope.lookup())) : doc->content;
        TRY(write_file(made.path() / name, content, 0644));
      } else {
        TRY_WHILE(download_file(word, made.path() / name, checksum, stop_), "fetching " + word);
        key += "\nfetched";
      }
      source.root = TRY(open_fd(made.path(), O_RDONLY | O_DIRECTORY));
      source.source = {.root = source.root.get(), .ignore = nullptr, .reset_owner = true};
      pattern = "/" + name;
    } else {
      source = TRY(open_source(index, from));
    }
    std::vector<CopyItem> items = TRY(expand_source(source.source, pattern));
    if (source.key.empty()) {
      key += "\n" + TRY(content_digest(source.source, items, order.excludes));
    } else {
      key += "\n" + source.key;
      for (const CopyItem& item : items) key += " " + item.path;
    }
    // An archive that was fetched stays as it is, unless it is asked for.
    sources.push_back({.from = std::move(source),
                       .items = std::move(items),
                       .unpack = in.name == "ADD" && unpack.value_or(!fetched)});
  }
  std::size_t files = 0;
  for (const Source& source : sources) files += source.items.size();
  if (files > 1) order.into_directory = true;
  return cached_step(
      stage, key, shown, id,
      [&](const std::filesystem::path& upper, const std::filesystem::path& work) -> Status {
        Fd root = TRY(mount_overlay(lowers(stage), upper, work));
        if (!owner.empty()) order.chown = TRY(resolve_owner_in(root.get(), owner));
        for (const Source& source : sources) {
          order.items = source.items;
          order.unpack = source.unpack;
          TRY(copy_items(source.from.source, order, root.get()));
        }
        return ok_status();
      });
}

}  // namespace stack::images
