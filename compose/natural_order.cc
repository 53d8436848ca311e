// The order of map keys in YAML output.
#include <algorithm>
#include <string_view>

#include "compose/yaml_print.h"

namespace stack::compose {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

// At the first difference a letter comes after anything else, unless digits stand before it.
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  if (i == a.size() || i == b.size()) return a.size() < b.size();
  const bool after_digit = i > 0 && is_digit(a[i - 1]);
  if (is_letter(a[i]) && is_letter(b[i])) {
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  if (is_letter(a[i]) || is_letter(b[i])) return after_digit ? is_letter(a[i]) : is_letter(b[i]);
  const auto run = [&](std::string_view t) {
    std::size_t end = i;
    while (end < t.size() && is_digit(t[end])) ++end;
    return t.substr(i, end - i);
  };
  const std::string_view left = run(a);
  const std::string_view right = run(b);
  // A number that began before the difference has its leading digits in common.
  bool inside = false;
  for (std::size_t j = i; j > 0 && is_digit(a[j - 1]); --j) inside = inside || a[j - 1] != '0';
  const auto significant = [&](std::string_view t) {
    const std::size_t zeros = inside ? 0 : std::min(t.find_first_not_of('0'), t.size());
    return t.substr(zeros);
  };
  const std::string_view l = significant(left);
  const std::string_view r = significant(right);
  if (l.size() != r.size()) return l.size() < r.size();
  if (l != r) return l < r;
  if (left.size() != right.size()) return left.size() < right.size();
  return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
}

void sort_entries(Node& n) {
  const auto less = [](const Entry& a, const Entry& b) { return natural_less(a.key, b.key); };
  if (std::is_sorted(n.entries.begin(), n.entries.end(), less)) return;
  std::sort(n.entries.begin(), n.entries.end(), less);
}

void sort_keys(Node& n) {
  sort_entries(n);
  for (Node& i : n.items) sort_keys(i);
  for (Entry& e : n.entries) sort_keys(e.value);
}

}  // namespace stack::compose
