// Image references as people write them, normalised as Docker does: "nginx" is
// docker.io/library/nginx:latest. Pure. Grammar: [domain/]path[:tag][@digest]; the first component
// is a domain when it has a '.', a ':' or an upper-case letter, or is "localhost". Errors are
// kInvalid with the texts of the Docker engine.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace stack::images {

struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/nginx"
  std::string tag;     // empty when there is only a digest
  std::string digest;  // "sha256:<64 hex>", may be empty

  // Docker's ParseNormalizedNamed + TagNameOnly: the tag "latest" is added when neither tag nor
  // digest is there.
  static Result<Reference> parse(std::string_view text);
  // The same without adding a tag.
  static Result<Reference> parse_name(std::string_view text);

  std::string name() const;           // docker.io/library/nginx
  std::string to_string() const;      // docker.io/library/nginx:latest[@sha256:...]
  std::string familiar_name() const;  // nginx
  std::string familiar() const;       // nginx:latest[@sha256:...]

  bool operator==(const Reference&) const = default;
};

bool is_digest(std::string_view text);    // "sha256:" and 64 lower-case hexadecimal digits
bool is_image_id(std::string_view text);  // 64 hexadecimal digits, with or without "sha256:"

}  // namespace stack::images
