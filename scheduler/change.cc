#include "scheduler/change.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "compose/config_hash.h"
#include "compose/json.h"

namespace stack::scheduler {

namespace {

using compose::Node;

constexpr std::size_t kLongestValue = 60;
constexpr std::size_t kNamed = 3;
constexpr const char* kHidden = "(hidden)";

// Names under which people keep what nobody else should read.
bool looks_secret(const std::string& path) {
  static constexpr std::array<std::string_view, 7> kWords = {
      "PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "_KEY"};
  if (!path.starts_with("environment.")) return false;
  std::string name = path.substr(path.find('.') + 1);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

std::string value_of(const std::string& path, const Node* node) {
  if (node == nullptr) return {};
  if (looks_secret(path) && !node->is_null()) return kHidden;
  std::string text = compose::print_json(*node);
  if (text.size() <= kLongestValue) return text;
  std::size_t end = kLongestValue - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;  // whole characters
  return text.substr(0, end) + "...";
}

void compare(const std::string& path, const Node* before, const Node* after,
             std::vector<Change>& out) {
  if (before != nullptr && after != nullptr) {
    if (before->is_map() && after->is_map()) {
      const auto below = [&](const std::string& key) {
        return path.empty() ? key : path + "." + key;
      };
      for (const auto& entry : before->entries)
        compare(below(entry.key), &entry.value, after->find(entry.key), out);
      for (const auto& entry : after->entries) {
        if (before->find(entry.key) == nullptr)
          compare(below(entry.key), nullptr, &entry.value, out);
      }
      return;
    }
    // Lists of the same length are compared item by item, but a command reads better as a whole.
    const bool structured = before->is_list() && after->is_list() &&
                            before->items.size() == after->items.size() &&
                            std::any_of(before->items.begin(), before->items.end(),
                                        [](const Node& item) { return !item.is_scalar(); });
    if (structured) {
      for (std::size_t i = 0; i < before->items.size(); ++i)
        compare(fmt::format("{}[{}]", path, i), &before->items[i], &after->items[i], out);
      return;
    }
    if (compose::print_json(*before) == compose::print_json(*after)) return;
  }
  out.push_back({path, value_of(path, before), value_of(path, after)});
}

std::string to_text(const Change& change) {
  if (change.before.empty()) return fmt::format("{} {} is new", change.path, change.after);
  if (change.after.empty()) return fmt::format("{} {} is gone", change.path, change.before);
  if (change.before == change.after) return change.path + " changed";
  return fmt::format("{} changed from {} to {}", change.path, change.before, change.after);
}

}  // namespace

std::vector<Change> changes_between(const compose::Service& before, const compose::Service& after) {
  std::vector<Change> changes;
  const auto old_node = compose::parse_json(compose::config_text(before));
  const auto new_node = compose::parse_json(compose::config_text(after));
  if (old_node.ok() && new_node.ok()) compare("", &*old_node, &*new_node, changes);
  return changes;
}

std::string to_string(const std::vector<Change>& changes) {
  std::string text;
  for (std::size_t i = 0; i < std::min(changes.size(), kNamed); ++i)
    text += (text.empty() ? "" : "; ") + to_text(changes[i]);
  if (changes.size() > kNamed) text += fmt::format("; {} more differ", changes.size() - kNamed);
  return text;
}

}  // namespace stack::scheduler
