// A platform that a client asks for, beside the one that an image is for. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "images/image_config.h"

namespace stack::engine::api {

// "linux/arm64/v8", or the JSON object that newer clients send instead; empty: any will do.
// kInvalid: neither. kNotFound, as for an image that is not there: the image is for another one.
Status check_platform(std::string_view wanted, const images::ImageConfig& image,
                      const std::string& reference);

}  // namespace stack::engine::api
