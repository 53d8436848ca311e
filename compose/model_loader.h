// Files to one canonical tree. Each document in order: it is interpolated, its services get what
// they extend, included projects are imported, it is merged over what was read so far, and the
// result is validated and brought into long form.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compose/damage.h"
#include "compose/loader.h"
#include "compose/merge.h"
#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

class ModelLoader {
 public:
  ModelLoader(const LoadOptions& options, Sources& sources, Report& report)
      : options_(options), sources_(sources), report_(report) {}

  // One text that was read and parsed, not yet interpolated.
  struct File {
    std::string path;  // absolute, or "-"
    std::vector<Node> documents;
    std::int32_t number = -1;
  };
  // Reports and returns no documents when the file cannot be read or parsed.
  // `chain`: how it came in, innermost first; `asked_at`: what named it.
  File open(const std::string& path, std::vector<std::string> chain = {}, Place asked_at = {});

  // The last non-empty `name` of the files, as written.
  static const Node* project_name(const std::vector<File>& files);

  Node merge(std::vector<File> files, const std::string& directory, const StringMap& environment);

  // Variables that configs and secrets of included projects name, from those projects' environments.
  const StringMap& values_of_files() const { return values_of_files_; }

 private:
  struct Scope {
    std::string directory;  // relative paths of the file being read stand under it
    const StringMap* environment = nullptr;
  };

  // Where the paths of a file in `directory` go when a file in `scope` takes them over: relative to
  // that one when paths are not to be resolved.
  std::string path_base(const std::string& directory, const Scope& scope) const;

  // Reads one document into the model: interpolation, extends, include, merge, validation, long
  // forms. What is wrong is reported and left out, so that the rest can be looked at, too.
  void add(Node& model, Node document, const std::string& path, const Scope& scope);
  void interpolate_values(Node& document, const Scope& scope);
  void drop_version(Node& model);
  // Does something with a tree; what it marks as broken leaves the tree.
  template <typename F>
  void pass(Node& tree, const F& work) {
    const std::size_t before = report_.error_count();
    work();
    if (report_.error_count() != before) drop_broken(tree, report_);
  }

  // extends.cc
  // The services of one file, while they get what they extend.
  struct Services {
    Services(Node* services, const Marks& marks, std::string path, Scope scope);
    Entry* find(const std::string& name);

    Node* map;  // null: the file has none
    const Marks& marks;
    std::string path;
    Scope scope;
    std::unordered_map<std::string_view, std::size_t> index;
    std::unordered_set<std::string_view> done;
  };
  // A file that others extend, in long form.
  struct Extended {
    Node model = Node::map();
    Marks marks;
    std::optional<Services> services;  // nothing: it could not be read
  };
  void extend_services(Node& document, const Marks& marks, const std::string& path,
                       const Scope& scope);
  struct Visit {
    std::string file;
    std::string service;
    Place place;
    bool operator==(const Visit& o) const { return file == o.file && service == o.service; }
  };
  void extend(Services& in, Entry& service, std::vector<Visit>& visited);
  struct Base {
    Services* in = nullptr;
    Entry* service = nullptr;
    bool other_file = false;
  };
  std::optional<Base> find_base(Services& in, const Entry& service, const Node& extends);
  Services* other_file(const std::string& path, const std::string& service, const Scope& scope,
                       Place at);
  bool grow(std::size_t nodes, Place at);

  // include.cc
  void include(Node& document, const Scope& scope);
  void include_one(Node& document, Node item, const Scope& scope);
  std::string included_base(const Node* given, const std::string& directory,
                            const Scope& scope) const;
  std::optional<std::vector<std::string>> included_files(const Node& paths, const Scope& scope);
  void keep_values_of_files(const Node& included, const StringMap& environment);
  std::optional<StringMap> included_environment(const Node& item, const std::string& directory,
                                                const Scope& scope);
  void report_env_file(const std::string& path, const std::string& text, const Error& error,
                       Place asked_at);
  void import(Node& document, Node included, const Node& item);

  const LoadOptions& options_;
  Sources& sources_;
  Report& report_;
  std::vector<std::string> including_;  // files on the way here
  StringMap values_of_files_;
  std::map<std::string, Extended> extended_;  // by path
  std::size_t copied_ = 0;                    // nodes that services took from others
};

}  // namespace stack::compose
