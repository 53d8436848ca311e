#include "compose/config_hash.h"

#include "base/sha256.h"
#include "compose/json.h"
#include "compose/writer.h"

namespace stack::compose {

std::string config_text(const Service& service) {
  Service counted = service;
  counted.build.reset();
  counted.pull_policy.clear();
  counted.scale.reset();
  if (counted.deploy) counted.deploy->replicas.reset();
  counted.depends_on.clear();
  counted.profiles.clear();
  return print_json(write(counted, Style::kHash));
}

std::string config_hash(const Service& service) { return sha256_hex(config_text(service)); }

std::string config_hash(const Network& network) {
  return sha256_hex(print_json(write(network, Style::kHash)));
}

std::string config_hash(const Volume& volume) {
  Volume counted = volume;
  if (counted.driver.empty()) counted.driver = "local";
  return sha256_hex(print_json(write(counted, Style::kHash)));
}

}  // namespace stack::compose
