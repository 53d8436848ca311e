#include "images/reference.h"

#include <algorithm>

namespace stack::images {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";

bool lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool alnum(char c) { return lower_alnum(c) || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// [a-z0-9]+ joined by ".", "_", "__" or any number of "-".
bool valid_path_component(std::string_view text) {
  std::size_t i = 0;
  const auto word = [&] {
    const std::size_t start = i;
    while (i < text.size() && lower_alnum(text[i])) ++i;
    return i > start;
  };
  if (!word()) return false;
  while (i < text.size()) {
    if (text[i] == '-') {
      while (i < text.size() && text[i] == '-') ++i;
    } else if (text[i] == '_') {
      i += i + 1 < text.size() && text[i + 1] == '_' ? 2 : 1;
    } else if (text[i] == '.') {
      ++i;
    } else {
      return false;
    }
    if (!word()) return false;
  }
  return true;
}

bool valid_path(std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    if (!valid_path_component(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool valid_domain(std::string_view domain) {
  std::string_view rest;
  if (!domain.empty() && domain[0] == '[') {
    const std::size_t close = domain.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    const std::string_view inside = domain.substr(1, close - 1);
    if (!std::all_of(inside.begin(), inside.end(), [](char c) { return hex(c) || c == ':'; }))
      return false;
    rest = domain.substr(close + 1);
  } else {
    const std::size_t colon = domain.find(':');
    std::string_view host = domain.substr(0, colon);
    if (colon != std::string_view::npos) rest = domain.substr(colon);
    while (true) {
      const std::size_t dot = host.find('.');
      const std::string_view label = host.substr(0, dot);
      if (label.empty() || label.front() == '-' || label.back() == '-') return false;
      if (!std::all_of(label.begin(), label.end(), [](char c) { return alnum(c) || c == '-'; }))
        return false;
      if (dot == std::string_view::npos) break;
      host.remove_prefix(dot + 1);
    }
  }
  if (rest.empty()) return true;
  return rest[0] == ':' && rest.size() > 1 && std::all_of(rest.begin() + 1, rest.end(), digit);
}

bool valid_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > 128 || !(alnum(tag[0]) || tag[0] == '_')) return false;
  return std::all_of(tag.begin(), tag.end(),
                     [](char c) { return alnum(c) || c == '_' || c == '.' || c == '-'; });
}

Error bad_format() { return Error::invalid("invalid reference format"); }

}  // namespace

bool is_digest(std::string_view text) {
  if (text.size() != 71 || !text.starts_with("sha256:")) return false;
  return std::all_of(text.begin() + 7, text.end(),
                     [](char c) { return digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_image_id(std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return digit(c) || (c >= 'a' && c <= 'f');
         });
}

Result<Reference> Reference::parse_name(std::string_view text) {
  if (text.size() == 64 && is_image_id(text)) {
    return Error::invalid("invalid repository name (" + std::string(text) +
                          "), cannot specify 64-byte hexadecimal strings");
  }
  Reference out;
  std::string_view remainder = text;
  const std::size_t slash = text.find('/');
  const std::string_view first = text.substr(0, slash);
  if (slash != std::string_view::npos && (first.find_first_of(".:") != std::string_view::npos ||
                                          first == "localhost" || lower(first) != first)) {
    out.domain = first;
    remainder = text.substr(slash + 1);
  } else {
    out.domain = kDefaultDomain;
  }
  if (out.domain == "index.docker.io") out.domain = kDefaultDomain;

  const std::size_t at = remainder.find('@');
  if (at != std::string_view::npos) {
    const std::string_view digest = remainder.substr(at + 1);
    if (!is_digest(digest)) return bad_format();
    out.digest = digest;
    remainder = remainder.substr(0, at);
  }
  const std::size_t colon = remainder.rfind(':');
  if (colon != std::string_view::npos && remainder.find('/', colon) == std::string_view::npos) {
    const std::string_view tag = remainder.substr(colon + 1);
    if (!valid_tag(tag)) return bad_format();
    out.tag = tag;
    remainder = remainder.substr(0, colon);
  }
  out.path = remainder;
  if (out.domain == kDefaultDomain && out.path.find('/') == std::string::npos)
    out.path = "library/" + out.path;
  if (lower(remainder) != remainder) {
    return Error::invalid("invalid reference format: repository name (" + out.path +
                          ") must be lowercase");
  }
  if (remainder.empty() || !valid_domain(out.domain) || !valid_path(out.path)) return bad_format();
  if (out.name().size() > 255) {
    return Error::invalid("repository name must not be longer than 255 characters");
  }
  return out;
}

Result<Reference> Reference::parse(std::string_view text) {
  Reference out = TRY(parse_name(text));
  if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
  return out;
}

std::string Reference::name() const { return domain + "/" + path; }

std::string Reference::familiar_name() const {
  if (domain != kDefaultDomain) return name();
  constexpr std::string_view kLibrary = "library/";
  // "library/a/b" keeps its prefix: only official images are short.
  if (path.starts_with(kLibrary) && path.find('/', kLibrary.size()) == std::string::npos) {
    return path.substr(kLibrary.size());
  }
  return path;
}

namespace {
std::string with_suffix(std::string name, const Reference& reference) {
  if (!reference.tag.empty()) name += ":" + reference.tag;
  if (!reference.digest.empty()) name += "@" + reference.digest;
  return name;
}
}  // namespace

std::string Reference::to_string() const { return with_suffix(name(), *this); }
std::string Reference::familiar() const { return with_suffix(familiar_name(), *this); }

}  // namespace stack::images
