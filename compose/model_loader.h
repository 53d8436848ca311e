// Files to one canonical tree: each file is parsed, interpolated, validated and canonicalised,
// services get what they extend, included projects are imported, and the files are merged in order.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compose/loader.h"
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

 private:
  struct Scope {
    std::string directory;  // relative paths of the file being read stand under it
    const StringMap* environment = nullptr;
  };

  bool prepare(Node& document, const Scope& scope);
  void warn_version(Node& document);

  // extends.cc
  void extend_services(Node& document, const std::string& path, const Scope& scope);
  struct Visit {
    std::string file;
    std::string service;
    Place place;
    bool operator==(const Visit& o) const { return file == o.file && service == o.service; }
  };
  bool extend(Node& services, Entry& service, const std::string& path, const Scope& scope,
              std::vector<Visit>& visited, std::set<std::string>& done);
  Node* other_file(const std::string& path, const Scope& scope, Place at);

  // include.cc
  void include(Node& document, const Scope& scope);
  void include_one(Node& document, const Node& item, const Scope& scope);
  void import(Node& document, Node included, const Node& item);

  const LoadOptions& options_;
  Sources& sources_;
  Report& report_;
  std::vector<std::string> including_;    // files on the way here
  std::map<std::string, Node> extended_;  // other files, by path, prepared
  std::map<std::string, std::set<std::string>> extended_done_;
};

}  // namespace stack::compose
