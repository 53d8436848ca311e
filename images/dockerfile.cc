#include "images/dockerfile.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "images/dockerfile_syntax.h"

namespace stack::images {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  return text;
}
std::string_view trim_right(std::string_view text) {
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The physical lines of a file and where we are in them.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      lines_.push_back(line);
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
  }
  bool end() const { return at_ >= lines_.size(); }
  std::string_view take() { return lines_[at_++]; }
  std::string_view peek() const { return lines_[at_]; }
  int number() const { return static_cast<int>(at_); }  // of the line taken last

 private:
  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
};

// "# name=value" before anything else; ends at the first line that is none.
Status read_directives(Lines& lines, Dockerfile& out) {
  while (!lines.end()) {
    const std::string_view line = trim_left(lines.peek());
    if (!line.starts_with('#')) return ok_status();
    const std::string_view body = trim_left(line.substr(1));
    const std::size_t equals = body.find('=');
    if (equals == std::string_view::npos) return ok_status();
    const std::string name = lower(std::string(trim_right(body.substr(0, equals))));
    if (name != "syntax" && name != "escape" && name != "check") return ok_status();
    const std::string value(trim_right(trim_left(body.substr(equals + 1))));
    lines.take();
    const SourceLoc where{out.file, lines.number(), 1};
    if (!out.directives.emplace(name, value).second) {
      return located(Error::invalid("only one " + name + " parser directive can be used"), where,
                     out.source);
    }
    if (name == "escape" && value != "\\" && value != "`") {
      return located(Error::invalid("invalid escape token '" + value + "' does not match ` or \\"),
                     where, out.source);
    }
  }
  return ok_status();
}

// Removes the continuation mark at the end of a line; false when there is none. "\\" at the end is
// an escaped mark.
bool strip_continuation(std::string& line, char escape) {
  std::size_t end = line.size();
  while (end > 0 && (line[end - 1] == ' ' || line[end - 1] == '\t')) --end;
  if (end == 0 || line[end - 1] != escape) return false;
  if (end > 1 && line[end - 2] == escape) return false;
  line.resize(end - 1);
  return true;
}

struct Logical {
  std::string text;
  SourceLoc where;
};

// The next instruction's text with continuations joined; comments and empty lines inside are
// dropped.
std::optional<Logical> next_logical(Lines& lines, Dockerfile& out, char escape) {
  while (!lines.end()) {
    const std::string_view raw = lines.take();
    const std::string_view line = trim_left(raw);
    if (line.empty() || line.front() == '#') continue;
    Logical logical;
    logical.where = {out.file, lines.number(), static_cast<int>(raw.size() - line.size()) + 1};
    std::string piece(line);
    bool more = strip_continuation(piece, escape);
    logical.text = piece;
    while (more && !lines.end()) {
      const std::string_view next = lines.take();
      const std::string_view trimmed = trim_left(next);
      if (trimmed.starts_with('#')) continue;
      if (trimmed.empty()) {
        const std::string warning = "Empty continuation line found in " +
                                    std::string(logical.text.substr(0, logical.text.find(' ')));
        if (out.warnings.empty() || out.warnings.back() != warning) out.warnings.push_back(warning);
        continue;
      }
      piece = next;
      more = strip_continuation(piece, escape);
      logical.text += piece;
    }
    logical.text = trim_right(logical.text);
    return logical;
  }
  return std::nullopt;
}

// Reads the bodies of the here-documents that an instruction announces.
Status read_heredocs(Lines& lines, Instruction& instruction, const Dockerfile& file) {
  for (Heredoc& doc : instruction.heredocs) {
    const bool strip = std::exchange(doc.content, "") == "-";
    bool closed = false;
    while (!lines.end() && !closed) {
      std::string_view line = lines.take();
      const std::string_view possible = strip ? trim_tabs(line) : line;
      if (possible == doc.name) {
        closed = true;
      } else {
        doc.content.append(strip ? possible : line).append("\n");
      }
    }
    if (!closed)
      return located(Error::invalid("unterminated heredoc"), instruction.where, file.source);
  }
  return ok_status();
}

Status add_stage(Dockerfile& out, Instruction from) {
  Stage stage;
  const std::vector<std::string>& args = from.args;
  const bool named = args.size() == 3 && lower(args[1]) == "as";
  if (args.size() != 1 && !named) {
    return located(Error::invalid("FROM requires either one or three arguments"), from.where,
                   out.source);
  }
  stage.base = args[0];
  if (named) {
    stage.name = lower(args[2]);
    const bool valid = std::isalpha(static_cast<unsigned char>(stage.name[0])) != 0 &&
                       std::all_of(stage.name.begin(), stage.name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                       });
    if (!valid)
      return located(Error::invalid("invalid name for build stage: \"" + args[2] +
                                    "\", name can't start with a number or contain symbols"),
                     from.where, out.source);
  }
  if (const Flag* platform = from.flag("platform")) stage.platform = platform->value;
  stage.from = std::move(from);
  out.stages.push_back(std::move(stage));
  return ok_status();
}

Status place(Dockerfile& out, Instruction instruction) {
  if (instruction.name == "FROM") return add_stage(out, std::move(instruction));
  if (!out.stages.empty()) {
    out.stages.back().instructions.push_back(std::move(instruction));
    return ok_status();
  }
  if (instruction.name == "ARG") {
    out.global_args.push_back(std::move(instruction));
    return ok_status();
  }
  return located(Error::invalid("no build stage in current context"), instruction.where, out.source)
      .fix("A Dockerfile starts with FROM; only ARG may come before it.");
}

Result<std::optional<Instruction>> next_instruction(Lines& lines, Dockerfile& out, char escape) {
  const auto logical = next_logical(lines, out, escape);
  if (!logical) return std::optional<Instruction>();
  auto parsed = parse_logical(logical->text, logical->where, escape);
  if (!parsed.ok()) {
    Error error = std::move(parsed).error();
    const SourceLoc where = error.where.value_or(logical->where);
    return located(std::move(error), where, out.source);
  }
  Instruction instruction = std::move(*parsed);
  TRY(read_heredocs(lines, instruction, out));
  instruction.end_line = lines.number();
  return std::optional<Instruction>(std::move(instruction));
}

}  // namespace

const Flag* Instruction::flag(std::string_view flag_name) const {
  for (const Flag& item : flags) {
    if (item.name == flag_name) return &item;
  }
  return nullptr;
}

std::string caret(std::string_view source, const SourceLoc& where) {
  int line = 1;
  std::size_t at = 0;
  while (line < where.line && at < source.size()) {
    const std::size_t end = source.find('\n', at);
    if (end == std::string_view::npos) return "";
    at = end + 1;
    ++line;
  }
  std::string text(source.substr(at, source.find('\n', at) - at));
  if (text.ends_with('\r')) text.pop_back();
  std::string out = text + "\n";
  for (int i = 1; i < where.column; ++i) {
    out += static_cast<std::size_t>(i - 1) < text.size() &&
                   text[static_cast<std::size_t>(i - 1)] == '\t'
               ? '\t'
               : ' ';
  }
  return out + "^";
}

Error located(Error error, const SourceLoc& where, std::string_view source) {
  error.where = where;
  const std::string shown = caret(source, where);
  if (!shown.empty()) error.message += "\n" + shown;
  return error;
}

Result<Dockerfile> parse_dockerfile(std::string_view text, const std::string& file_name) {
  Dockerfile out;
  out.file = file_name;
  out.source = text;
  Lines lines(out.source);
  TRY(read_directives(lines, out));
  const auto directive = out.directives.find("escape");
  const char escape = directive == out.directives.end() ? '\\' : directive->second[0];
  while (auto instruction = TRY(next_instruction(lines, out, escape)))
    TRY(place(out, std::move(*instruction)));
  if (out.stages.empty() && out.global_args.empty()) {
    return Error::at({file_name, 0, 0}, "the Dockerfile is empty: file with no instructions");
  }
  if (out.stages.empty())
    return Error::at({file_name, 0, 0}, "dockerfile contains no stages to build");
  return out;
}

Result<Instruction> parse_instruction(std::string_view text, const std::string& file_name) {
  const SourceLoc where{file_name, 1, 1};
  const std::string owned(trim_right(trim_left(text)));
  if (owned.empty()) return located(Error::invalid("empty instruction"), where, text);
  auto parsed = parse_logical(owned, where, '\\');
  if (!parsed.ok()) return located(std::move(parsed).error(), where, text);
  return std::move(*parsed);
}

Result<std::vector<Instruction>> parse_instructions(std::string_view text,
                                                    const std::string& file_name) {
  Dockerfile file;
  file.file = file_name;
  file.source = text;
  Lines lines(file.source);
  std::vector<Instruction> out;
  while (auto instruction = TRY(next_instruction(lines, file, '\\')))
    out.push_back(std::move(*instruction));
  return out;
}

}  // namespace stack::images
