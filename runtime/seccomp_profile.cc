// Docker's profile files: JSON with conditions on capabilities, architecture and kernel version,
// resolved here.
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/kernel.h"
#include "runtime/seccomp.h"

namespace stack::runtime {

namespace {

using nlohmann::json;

#if defined(__x86_64__)
constexpr std::string_view kNativeGo = "amd64";
constexpr std::string_view kNativeScmp = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr std::string_view kNativeGo = "arm64";
constexpr std::string_view kNativeScmp = "SCMP_ARCH_AARCH64";
#endif

// "4.8", as profiles write it.
bool kernel_at_least_text(const std::string& wanted) {
  int major = 0;
  int minor = 0;
  return std::sscanf(wanted.c_str(), "%d.%d", &major, &minor) == 2 && kernel_at_least(major, minor);
}

std::vector<std::string> strings(const json& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? std::vector<std::string>()
                                             : it->get<std::vector<std::string>>();
}

bool names_us(const std::vector<std::string>& arches) {
  for (const auto& arch : arches) {
    if (arch == kNativeGo) return true;
  }
  return false;
}

// All conditions of `includes` must hold; a single one of `excludes` drops the rule.
bool applies(const json& rule, CapabilityMask capabilities) {
  const auto has = [&](const std::string& name) { return (mask_of({name}) & capabilities) != 0; };
  if (const auto it = rule.find("includes"); it != rule.end() && it->is_object()) {
    for (const auto& cap : strings(*it, "caps")) {
      if (!has(cap)) return false;
    }
    const auto arches = strings(*it, "arches");
    if (!arches.empty() && !names_us(arches)) return false;
    if (it->contains("minKernel") && !kernel_at_least_text((*it)["minKernel"].get<std::string>()))
      return false;
  }
  if (const auto it = rule.find("excludes"); it != rule.end() && it->is_object()) {
    for (const auto& cap : strings(*it, "caps")) {
      if (has(cap)) return false;
    }
    if (names_us(strings(*it, "arches"))) return false;
    if (it->contains("minKernel") && kernel_at_least_text((*it)["minKernel"].get<std::string>()))
      return false;
  }
  return true;
}

Seccomp resolve(const json& profile, CapabilityMask capabilities) {
  Seccomp policy;
  policy.default_action = profile.at("defaultAction").get<std::string>();
  if (profile.contains("defaultErrnoRet") && !profile["defaultErrnoRet"].is_null()) {
    policy.default_errno_ret = profile["defaultErrnoRet"].get<std::uint32_t>();
  }
  policy.architectures = strings(profile, "architectures");
  policy.flags = strings(profile, "flags");
  if (const auto it = profile.find("archMap");
      it != profile.end() && !it->is_null() && !it->empty()) {
    if (!policy.architectures.empty()) {
      throw std::runtime_error(
          "both 'architectures' and 'archMap' are specified in the seccomp profile, use either "
          "one");
    }
    for (const auto& entry : *it) {
      if (entry.at("architecture").get<std::string>() != kNativeScmp) continue;
      policy.architectures = strings(entry, "subArchitectures");
      policy.architectures.insert(policy.architectures.begin(), std::string(kNativeScmp));
    }
  }
  if (profile.contains("listenerPath") && !profile["listenerPath"].get<std::string>().empty()) {
    throw std::runtime_error("'listenerPath' in the seccomp profile is not supported");
  }
  const auto list = profile.find("syscalls");
  if (list == profile.end() || list->is_null()) return policy;
  for (const auto& item : *list) {
    SeccompRule rule;
    rule.names = strings(item, "names");
    if (item.contains("name") && !item["name"].get<std::string>().empty()) {
      if (!rule.names.empty()) {
        throw std::runtime_error(
            "both 'name' and 'names' are specified in the seccomp profile, use either one");
      }
      rule.names.push_back(item["name"].get<std::string>());
    }
    if (!applies(item, capabilities)) continue;
    rule.action = item.at("action").get<std::string>();
    if (item.contains("errnoRet") && !item["errnoRet"].is_null())
      rule.errno_ret = item["errnoRet"].get<std::uint32_t>();
    if (item.contains("args") && !item["args"].is_null()) {
      for (const auto& a : item["args"]) {
        rule.args.push_back({a.value("index", 0U), a.value("value", std::uint64_t{0}),
                             a.value("valueTwo", std::uint64_t{0}), a.at("op").get<std::string>()});
      }
    }
    policy.syscalls.push_back(std::move(rule));
  }
  return policy;
}

}  // namespace

Result<Seccomp> parse_seccomp_profile(std::string_view text, CapabilityMask capabilities) {
  try {
    return resolve(json::parse(text), capabilities);
  } catch (const std::exception& e) {
    return Error::invalid(std::string("Decoding seccomp profile failed: ") + e.what());
  }
}

}  // namespace stack::runtime
