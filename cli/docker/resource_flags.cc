#include "cli/docker/resource_flags.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "cli/docker/csv.h"
#include "cli/docker/support.h"

namespace stack::cli::docker {

namespace {

template <typename T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc() && end == text.data() + text.size();
}

// "/dev/sda:500": path and number, which has a unit of bytes for rates.
Result<std::string> device_rates(std::string_view flag, const std::vector<std::string>& texts,
                                 std::string_view member, bool bytes) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    const std::size_t colon = text.rfind(':');
    const auto wrong = [&] { return wrong_flag(flag, text, fmt::format("bad format: {}", text)); };
    if (colon == std::string::npos || !text.starts_with("/dev/")) return wrong();
    std::int64_t value = 0;
    const std::string number = text.substr(colon + 1);
    if (bytes) {
      value = TRY(bytes_flag(flag, number));
    } else if (!parse_number(number, value)) {
      return wrong();
    }
    if (value < 0) return wrong();
    out.push_back(JsonObject().add("Path", text.substr(0, colon)).add(member, value).text());
  }
  return json_array(out);
}

Result<std::string> ulimits(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      return wrong_flag("ulimit", text, fmt::format("invalid ulimit argument: {}", text));
    const std::size_t colon = text.find(':', equals);
    const std::string soft_text =
        text.substr(equals + 1, colon == std::string::npos ? colon : colon - equals - 1);
    std::int64_t soft = 0;
    if (!parse_number(soft_text, soft))
      return wrong_flag("ulimit", text, fmt::format("invalid number: {}", soft_text));
    std::int64_t hard = soft;
    if (colon != std::string::npos && !parse_number(std::string_view(text).substr(colon + 1), hard))
      return wrong_flag("ulimit", text, fmt::format("invalid number: {}", text.substr(colon + 1)));
    if (hard != -1 && (soft > hard || soft == -1)) {
      return wrong_flag(
          "ulimit", text,
          fmt::format("ulimit soft limit must be less than or equal to hard limit: {} > {}", soft,
                      hard));
    }
    out.push_back(JsonObject()
                      .add("Name", text.substr(0, equals))
                      .add("Hard", hard)
                      .add("Soft", soft)
                      .text());
  }
  return json_array(out);
}

bool is_device_mode(std::string_view text) {
  return !text.empty() && text.size() <= 3 &&
         text.find_first_not_of("rwm") == std::string_view::npos;
}

Result<std::string> devices(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    std::string host = text.substr(0, text.find(':'));
    std::string container = host;
    std::string mode = "rwm";
    if (!host.starts_with('/')) {
      return Error::invalid(fmt::format("invalid device specification: {}", text))
          .fix(
              "Write it as /dev/X, /dev/X:/dev/Y or /dev/X:/dev/Y:rw; CDI names are not known "
              "here.");
    }
    if (host.size() < text.size()) {
      const std::string rest = text.substr(host.size() + 1);
      const std::size_t colon = rest.find(':');
      if (colon == std::string::npos && is_device_mode(rest)) {
        mode = rest;
      } else {
        container = rest.substr(0, colon);
        if (colon != std::string::npos) mode = rest.substr(colon + 1);
      }
    }
    if (!is_device_mode(mode) || !container.starts_with('/'))
      return Error::invalid(fmt::format("invalid device specification: {}", text))
          .fix("Write it as /dev/X, /dev/X:/dev/Y or /dev/X:/dev/Y:rw.");
    out.push_back(JsonObject()
                      .add("PathOnHost", host)
                      .add("PathInContainer", container)
                      .add("CgroupPermissions", mode)
                      .text());
  }
  return json_array(out);
}

Result<std::string> gpu_request(const std::string& text) {
  std::int64_t count = 0;
  std::string driver;
  std::vector<std::string> ids;
  std::vector<std::string> capabilities{"gpu"};
  std::map<std::string, std::string> options;
  for (const CsvField& field : TRY(csv_fields("gpus", text))) {
    const std::string& value = field.has_value ? field.value : field.key;
    if (!field.has_value || field.key == "count") {
      if (value == "all") {
        count = -1;
      } else if (!parse_number(value, count)) {
        return wrong_flag(
            "gpus", text,
            fmt::format("invalid count ({}): value must be either \"all\" or an integer", value));
      }
    } else if (field.key == "driver") {
      driver = value;
    } else if (field.key == "device") {
      ids = comma_separated({value});
    } else if (field.key == "capabilities") {
      for (const std::string& word : comma_separated({value})) capabilities.push_back(word);
    } else if (field.key == "options") {
      options = pairs(comma_separated({value}));
    } else {
      return wrong_flag("gpus", text, fmt::format("unexpected key '{}' in '{}'", field.key, text));
    }
  }
  if (count == 0 && ids.empty()) count = 1;
  return JsonObject()
      .add("Driver", driver)
      .add("Count", count)
      .add("DeviceIDs", ids)
      .add_json("Capabilities", json_array({json_strings(capabilities)}))
      .add("Options", options)
      .text();
}

}  // namespace

Status add_limits(const Arguments& args, JsonObject& out) {
  for (const auto& [flag, member] : {std::pair{"memory", "Memory"},
                                     {"memory-reservation", "MemoryReservation"},
                                     {"memory-swap", "MemorySwap"}}) {
    if (args.given(flag)) out.add(member, TRY(bytes_flag(flag, args.text(flag))));
  }
  for (const auto& [flag, member] : {std::pair{"cpu-shares", "CpuShares"},
                                     {"cpu-period", "CpuPeriod"},
                                     {"cpu-quota", "CpuQuota"},
                                     {"cpu-rt-period", "CpuRealtimePeriod"},
                                     {"cpu-rt-runtime", "CpuRealtimeRuntime"},
                                     {"blkio-weight", "BlkioWeight"},
                                     {"memory-swappiness", "MemorySwappiness"},
                                     {"oom-score-adj", "OomScoreAdj"},
                                     {"pids-limit", "PidsLimit"}}) {
    if (args.given(flag)) out.add(member, static_cast<std::int64_t>(args.number(flag).value_or(0)));
  }
  for (const auto& [flag, member] :
       {std::pair{"cpuset-cpus", "CpusetCpus"}, {"cpuset-mems", "CpusetMems"}}) {
    if (args.given(flag)) out.add(member, args.text(flag));
  }
  if (args.given("cpus")) {
    double cpus = 0;
    const std::string text = args.text("cpus");
    if (!parse_number(text, cpus) || cpus < 0)
      return wrong_flag("cpus", text, fmt::format("failed to parse {} as a rational number", text));
    out.add("NanoCpus", static_cast<std::int64_t>(std::llround(cpus * 1e9)));
  }
  if (args.on("oom-kill-disable")) out.add("OomKillDisable", true);
  return ok_status();
}

Result<std::string> restart_policy_json(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  std::int64_t retries = 0;
  if (colon != std::string::npos &&
      !parse_number(std::string_view(text).substr(colon + 1), retries)) {
    return Error::invalid("invalid restart policy format: maximum retry count must be an integer")
        .fix("Write it as on-failure:3.");
  }
  if (name != "no" && name != "always" && name != "on-failure" && name != "unless-stopped" &&
      !name.empty()) {
    return Error::invalid(fmt::format("invalid restart policy: unknown policy '{}'", name))
        .fix("Use no, on-failure[:RETRIES], always or unless-stopped.");
  }
  return JsonObject().add("Name", name).add("MaximumRetryCount", retries).text();
}

Status add_devices(const Arguments& args, JsonObject& out) {
  if (const auto given = args.list("device"); !given.empty())
    out.add_json("Devices", TRY(devices(given)));
  if (const auto given = args.list("device-cgroup-rule"); !given.empty())
    out.add("DeviceCgroupRules", given);
  struct Rate {
    const char* flag;
    const char* list;
    const char* member;
    bool bytes;
  };
  for (const Rate& rate : {Rate{"blkio-weight-device", "BlkioWeightDevice", "Weight", false},
                           Rate{"device-read-bps", "BlkioDeviceReadBps", "Rate", true},
                           Rate{"device-write-bps", "BlkioDeviceWriteBps", "Rate", true},
                           Rate{"device-read-iops", "BlkioDeviceReadIOps", "Rate", false},
                           Rate{"device-write-iops", "BlkioDeviceWriteIOps", "Rate", false}}) {
    if (args.given(rate.flag))
      out.add_json(rate.list,
                   TRY(device_rates(rate.flag, args.list(rate.flag), rate.member, rate.bytes)));
  }
  if (const auto given = args.list("ulimit"); !given.empty())
    out.add_json("Ulimits", TRY(ulimits(given)));
  if (const auto given = args.list("gpus"); !given.empty()) {
    std::vector<std::string> requests;
    for (const std::string& text : given) requests.push_back(TRY(gpu_request(text)));
    out.add_json("DeviceRequests", json_array(requests));
  }
  return ok_status();
}

}  // namespace stack::cli::docker
