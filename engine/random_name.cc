#include "engine/random_name.h"

#include <array>
#include <cstdlib>

#include "base/files.h"

namespace stack::engine {

namespace {
constexpr std::array kAdjectives = {"amber", "brave", "brisk", "calm",  "clear", "crisp", "deft",
                                    "eager", "fair",  "fleet", "fond",  "glad",  "grand", "keen",
                                    "kind",  "light", "lucid", "merry", "neat",  "noble", "plain",
                                    "proud", "quick", "quiet", "rapid", "ready", "sharp", "solid",
                                    "stout", "swift", "tidy",  "vivid"};
constexpr std::array kNouns = {"acorn",  "anchor", "badger", "beacon", "birch", "bridge", "brook",
                               "canal",  "cedar",  "cliff",  "coral",  "crane", "delta",  "ember",
                               "falcon", "fjord",  "forge",  "harbor", "heron", "island", "lantern",
                               "larch",  "maple",  "marsh",  "meadow", "otter", "pebble", "quarry",
                               "raven",  "ridge",  "sail",   "willow"};
}  // namespace

std::string random_name() {
  const unsigned long bits = std::strtoul(random_hex(8).c_str(), nullptr, 16);
  return std::string(kAdjectives[bits % kAdjectives.size()]) + "_" +
         kNouns[(bits >> 8U) % kNouns.size()] + "_" + std::to_string((bits >> 16U) % 1000);
}

}  // namespace stack::engine
