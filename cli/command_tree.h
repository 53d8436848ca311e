// All commands of the program, and the rule by which one word means Compose's or Docker's.
//
// Docker's words and Compose's share one tree. A verb that both have (ps, run, logs, ...) is
// Compose's where there is a project: a Compose file is found as Compose finds it, or -f, -p,
// another project flag, COMPOSE_FILE or COMPOSE_PROJECT_NAME says so. Elsewhere it is Docker's.
// `stack compose VERB` and `stack container VERB`, `stack image VERB`, ... always mean the one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace stack::cli {

std::span<const FlagSpec> global_flags();
std::span<const Command* const> compose_commands();
std::span<const Command* const> command_groups();  // container, image, ...; compose is one of them

// A verb of Docker's without its group: `ps` is `container ls`.
struct ShortForm {
  std::string_view name;
  std::string_view full;  // "container ls"
  const Command* command;
};
std::span<const ShortForm> docker_short_forms();

struct Meaning {
  const Command* command = nullptr;
  const Command* other = nullptr;  // the command that the same word is on the other side
  std::string other_path;          // how to type that one: "stack container ls", "stack compose ps"
};
// nullopt: no such word. `in_project` is asked only when the word has two meanings.
template <typename InProject>
std::optional<Meaning> meaning_of(std::string_view word, InProject in_project);

// Every word that may come first, for suggestions.
std::vector<std::string> first_words();
std::string main_help();

namespace detail {
struct BothMeanings {
  const Command* compose = nullptr;
  const ShortForm* docker = nullptr;
};
BothMeanings both_meanings(std::string_view word);
}  // namespace detail

template <typename InProject>
std::optional<Meaning> meaning_of(std::string_view word, InProject in_project) {
  if (const Command* group = find_command(command_groups(), word))
    return Meaning{group, nullptr, {}};
  const detail::BothMeanings both = detail::both_meanings(word);
  if (both.compose == nullptr && both.docker == nullptr) return std::nullopt;
  if (both.docker == nullptr) return Meaning{both.compose, nullptr, {}};
  if (both.compose == nullptr) return Meaning{both.docker->command, nullptr, {}};
  if (in_project()) {
    return Meaning{both.compose, both.docker->command, "stack " + std::string(both.docker->full)};
  }
  return Meaning{both.docker->command, both.compose, "stack compose " + std::string(word)};
}

}  // namespace stack::cli
