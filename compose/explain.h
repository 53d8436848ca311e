// Where a value comes from: which place set it, what it replaced there, in order, and through which
// variables.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compose/loader.h"

namespace stack::compose {

// One thing that said, or would have said, what the value is.
struct ValueOrigin {
  enum class Kind {
    kFile,         // a Compose file
    kEnvFile,      // .env, --env-file, env_file
    kEnvironment,  // of the process
    kDefault,      // nobody: the loader filled it in
    kReset,        // !reset removed it
  };
  Kind kind = Kind::kFile;
  SourceLoc where;                 // kFile, kEnvFile, kReset
  std::string value;               // after its variables were replaced
  std::string written;             // before that, when it has variables; else empty
  std::vector<std::string> chain;  // how the file came in, innermost first
};

struct UsedVariable {
  std::string name;
  bool set = false;
  std::string value;
  ValueOrigin origin;  // when set
};

struct Explanation {
  std::string subject;                  // "services.web.ports[0].target", or a variable's name
  bool set = true;                      // false: a variable without a value, or what !reset removed
  std::string value;                    // as `config` shows it
  std::vector<ValueOrigin> origins;     // what set it, then what that replaced
  std::vector<UsedVariable> variables;  // in the text that set it
  // Of a variable: the places that use it, as their paths and origins.
  std::vector<std::pair<std::string, ValueOrigin>> uses;
};

// `subject` is a path below the top level ("services.web.ports[0]", "services.web": everything in
// it) or the name of a variable, of which the containers that have one of that name follow.
std::variant<std::vector<Explanation>, LoadErrors> explain(const LoadOptions& options,
                                                           const std::string& subject);

// For people; a line end after each line.
std::string to_text(const std::vector<Explanation>& explanations);
std::string to_json(const std::vector<Explanation>& explanations);

}  // namespace stack::compose
