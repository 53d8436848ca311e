// What a machine must be for an image to run: os/architecture[/variant]. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "images/image_config.h"

namespace stack::images {

struct Platform {
  std::string os, architecture, variant;

  std::string text() const;
};

// By the names that images use: x86_64 is amd64, aarch64 is arm64, armhf is arm/v7. The system is
// linux unless it is said.
Platform normal(Platform platform);
// "linux/arm64/v8", an architecture or a system alone; empty: this machine's.
Platform parse_platform(std::string_view text);
// A variant matters only where both say one, an architecture where the image says one. kNotFound, as
// for an image that is not there: the image is for another platform.
Status check_platform(const Platform& wanted, const ImageConfig& image,
                      const std::string& reference);

}  // namespace stack::images
