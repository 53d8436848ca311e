// Files to one canonical tree. Each document in order: it is interpolated, its services get what
// they extend, included projects are imported, it is merged over what was read so far, and the
// result is validated and brought into long form.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

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

 private:
  struct Scope {
    std::string directory;  // relative paths of the file being read stand under it
    const StringMap* environment = nullptr;
  };

  // Reads one document into the model: interpolation, extends, include, merge, validation, long
  // forms. False after an error.
  bool add(Node& model, Node document, const std::string& path, const Scope& scope);
  bool interpolate_values(Node& document, const Scope& scope);
  void warn_version(Node& model);

  // extends.cc
  // A file that others extend: its services in long form, and what it resets.
  struct Extended {
    Node model;
    Marks marks;
    std::set<std::string> done;  // services that have what they extend
  };
  void extend_services(Node& document, const Marks& marks, const std::string& path,
                       const Scope& scope);
  struct Visit {
    std::string file;
    std::string service;
    Place place;
    bool operator==(const Visit& o) const { return file == o.file && service == o.service; }
  };
  struct Services {  // of one file
    Node* map = nullptr;
    const Marks* marks = nullptr;
    std::set<std::string>* done = nullptr;
    std::string path;
    Scope scope;
  };
  bool extend(const Services& in, Entry& service, std::vector<Visit>& visited);
  Extended* other_file(const std::string& path, const Scope& scope, Place at);

  // include.cc
  void include(Node& document, const Scope& scope);
  void include_one(Node& document, Node item, const Scope& scope);
  void import(Node& document, Node included, const Node& item);

  const LoadOptions& options_;
  Sources& sources_;
  Report& report_;
  std::vector<std::string> including_;        // files on the way here
  std::map<std::string, Extended> extended_;  // by path
};

}  // namespace stack::compose
