#include "images/build_plan.h"

#include <algorithm>
#include <cctype>

#include "images/dockerfile_syntax.h"

namespace stack::images {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Result<std::int64_t> parse_size(const std::string& text) {
  std::size_t used = 0;
  while (used < text.size() && std::isdigit(static_cast<unsigned char>(text[used])) != 0) ++used;
  const std::string unit = lower(text.substr(used));
  if (used == 0 || used > 15) return Error::invalid("invalid size: '" + text + "'");
  const std::int64_t value = std::stoll(text.substr(0, used));
  if (unit.empty() || unit == "b") return value;
  if (unit == "k" || unit == "kb") return value << 10;
  if (unit == "m" || unit == "mb") return value << 20;
  if (unit == "g" || unit == "gb") return value << 30;
  return Error::invalid("invalid size: '" + text + "'");
}

Result<unsigned> parse_number(const std::string& text, unsigned base, const std::string& key) {
  const std::string digits = base == 8 ? "01234567" : "0123456789";
  if (text.empty() || text.size() > 9 || text.find_first_not_of(digits) != std::string::npos) {
    return Error::invalid("invalid value for " + key + ": " + text);
  }
  return static_cast<unsigned>(std::stoul(text, nullptr, static_cast<int>(base)));
}

// What a flag takes files from, as written; empty for others.
std::string source_of(const Flag& flag) {
  if (flag.name == "from") return flag.value;
  if (flag.name != "mount") return "";
  const std::string fields = "," + flag.value;
  const std::size_t from = fields.find(",from=");
  if (from == std::string::npos) return "";
  return fields.substr(from + 6, fields.find(',', from + 6) - from - 6);
}

}  // namespace

Result<MountRequest> parse_mount(const std::string& text) {
  MountRequest out;
  std::string rest = text;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string field = rest.substr(0, comma);
    rest.erase(0, std::min(comma + 1, rest.size()));
    const std::size_t equals = field.find('=');
    const std::string key = lower(field.substr(0, equals));
    const bool has_value = equals != std::string::npos;
    const std::string value = has_value ? field.substr(equals + 1) : "";
    const bool truth = !has_value || value == "true" || value == "1";
    if (key == "type")
      out.type = value;
    else if (key == "id")
      out.id = value;
    else if (key == "from")
      out.from = value;
    else if (key == "source" || key == "src")
      out.source = value;
    else if (key == "target" || key == "dst" || key == "destination")
      out.target = value;
    else if (key == "sharing")
      out.sharing = value;
    else if (key == "env")
      out.environment = value;
    else if (key == "rw" || key == "readwrite")
      out.read_write = truth;
    else if (key == "ro" || key == "readonly")
      out.read_write = !truth;
    else if (key == "required")
      out.required = truth;
    else if (key == "size")
      out.size = TRY(parse_size(value));
    else if (key == "uid")
      out.uid = TRY(parse_number(value, 10, key));
    else if (key == "gid")
      out.gid = TRY(parse_number(value, 10, key));
    else if (key == "mode") {
      out.mode = TRY(parse_number(value, 8, key));
      out.has_mode = true;
    } else {
      return Error::invalid("unexpected key '" + key + "' in '" + field + "'");
    }
  }
  static const std::vector<std::string> kTypes{"bind", "cache", "tmpfs", "secret", "ssh"};
  if (std::find(kTypes.begin(), kTypes.end(), out.type) == kTypes.end())
    return Error::invalid("unsupported mount type \"" + out.type + "\"");
  if (out.sharing != "shared" && out.sharing != "private" && out.sharing != "locked") {
    return Error::invalid("unsupported sharing value \"" + out.sharing + "\"");
  }
  const bool needs_target = out.type == "bind" || out.type == "cache" || out.type == "tmpfs";
  if (needs_target && out.target.empty())
    return Error::invalid("target required for " + out.type + " mounts");
  if (out.type == "cache") {
    out.read_write = true;
    if (out.id.empty()) out.id = out.target;
  }
  if (out.type == "ssh" && out.id.empty()) out.id = "default";
  if (out.type == "secret") {
    if (out.id.empty() && out.target.empty())
      return Error::invalid("one of target, id must be set for secret mounts");
    if (out.id.empty()) out.id = out.target.substr(out.target.rfind('/') + 1);
    if (out.target.empty() && out.environment.empty()) out.target = "/run/secrets/" + out.id;
  }
  return out;
}

int find_stage(const Dockerfile& file, const std::string& name, std::size_t before) {
  const std::string wanted = lower(name);
  // A name given twice means the later stage.
  for (std::size_t i = before; i > 0; --i) {
    if (!file.stages[i - 1].name.empty() && file.stages[i - 1].name == wanted)
      return static_cast<int>(i - 1);
  }
  if (!name.empty() && name.size() < 6 &&
      name.find_first_not_of("0123456789") == std::string::npos) {
    const std::size_t index = std::stoul(name);
    if (index < before) return static_cast<int>(index);
  }
  return -1;
}

Status check_sources(const Instruction& instruction) {
  for (const Flag& flag : instruction.flags) {
    if (source_of(flag).find('$') == std::string::npos) continue;
    return Error::at(
        flag.where,
        flag.name == "from"
            ? "variable expansion is not supported for --from, define a new stage with FROM using "
              "ARG from global scope as a workaround"
            : "'from' doesn't support variable expansion, define alias stage instead");
  }
  return ok_status();
}

Result<StageGraph> select_stages(const Dockerfile& file, const std::vector<std::string>& bases,
                                 const std::string& target) {
  StageGraph out;
  out.target = file.stages.size() - 1;
  if (!target.empty()) {
    const int found = find_stage(file, target, file.stages.size());
    if (found < 0) return Error::invalid("target stage \"" + target + "\" could not be found");
    out.target = static_cast<std::size_t>(found);
  }
  out.needed.assign(file.stages.size(), false);
  out.needed[out.target] = true;
  for (std::size_t i = out.target + 1; i > 0; --i) {
    const std::size_t at = i - 1;
    if (!out.needed[at]) continue;
    const auto need = [&](const std::string& name) {
      const int found = find_stage(file, name, at);
      if (found >= 0) out.needed[static_cast<std::size_t>(found)] = true;
    };
    // A number is no base, only a source of COPY.
    if (bases[at].find_first_not_of("0123456789") != std::string::npos) need(bases[at]);
    for (const Instruction& instruction : file.stages[at].instructions) {
      Status checked = check_sources(instruction);
      if (!checked.ok()) {
        const SourceLoc where = *checked.error().where;
        return located(std::move(checked).error(), where, file.source);
      }
      for (const Flag& flag : instruction.flags) need(source_of(flag));
    }
  }
  return out;
}

}  // namespace stack::images
