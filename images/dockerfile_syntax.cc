#include "images/dockerfile_syntax.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

namespace stack::images {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

struct Syntax {
  std::string_view name;
  std::string_view flags;  // space separated
};
constexpr std::array<Syntax, 18> kInstructions{
    {{"ADD", "chown chmod link checksum keep-git-dir unpack exclude"},
     {"ARG", ""},
     {"CMD", ""},
     {"COPY", "from chown chmod link parents exclude"},
     {"ENTRYPOINT", ""},
     {"ENV", ""},
     {"EXPOSE", ""},
     {"FROM", "platform"},
     {"HEALTHCHECK", "interval timeout start-period start-interval retries"},
     {"LABEL", ""},
     {"MAINTAINER", ""},
     {"ONBUILD", ""},
     {"RUN", "mount network security device"},
     {"SHELL", ""},
     {"STOPSIGNAL", ""},
     {"USER", ""},
     {"VOLUME", ""},
     {"WORKDIR", ""}}};

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

template <typename Names>
std::string suggestion(std::string_view word, const Names& names) {
  std::string_view best;
  std::size_t least = 3;
  for (const std::string_view name : names) {
    const std::size_t d = distance(word, name);
    if (d < least) {
      least = d;
      best = name;
    }
  }
  return best.empty() ? "" : " (did you mean " + std::string(best) + "?)";
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (space > 0) out.push_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out;
}

// Reads "--name=value" words at the front of `rest`.
Status read_flags(std::string_view& rest, const Syntax& syntax, const SourceLoc& where,
                  std::string_view whole, Instruction& out) {
  const std::vector<std::string_view> known = split(syntax.flags);
  while (rest.starts_with("--")) {
    std::size_t end = 0;
    char quote = '\0';
    while (end < rest.size() && (quote != '\0' || !blank(rest[end]))) {
      const char c = rest[end++];
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      }
    }
    const std::string_view word = rest.substr(0, end);
    if (word == "--") {
      rest.remove_prefix(end);
      break;
    }
    Flag flag;
    flag.where = where;
    flag.where.column += static_cast<int>(word.data() - whole.data());
    const std::size_t equals = word.find('=');
    flag.name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    for (const char c :
         equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1)) {
      if (c != '"' && c != '\'') flag.value += c;
    }
    if (std::find(known.begin(), known.end(), flag.name) == known.end()) {
      return Error::at(flag.where, "unknown flag: --" + flag.name + suggestion(flag.name, known));
    }
    const bool is_switch = flag.name == "link" || flag.name == "parents" ||
                           flag.name == "keep-git-dir" || flag.name == "unpack";
    if (equals == std::string_view::npos) {
      if (!is_switch) return Error::at(flag.where, "missing a value on flag: " + flag.name);
      flag.value = "true";
    }
    out.flags.push_back(std::move(flag));
    rest.remove_prefix(end);
    while (!rest.empty() && blank(rest.front())) rest.remove_prefix(1);
  }
  return ok_status();
}

// White-space separated words; quotes and escapes keep them together and stay in the text.
Result<std::vector<std::string>> raw_words(std::string_view text, char escape) {
  std::vector<std::string> out;
  std::string word;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && blank(c)) {
      if (!word.empty()) out.push_back(std::exchange(word, ""));
      continue;
    }
    word += c;
    if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    } else if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

std::vector<std::string> plain_words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text) {
    if (!blank(c)) {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, ""));
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

// The JSON form; anything else, also broken JSON, is the shell form.
std::optional<std::vector<std::string>> json_words(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_array()) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& item : parsed) {
    if (!item.is_string()) return std::nullopt;
    out.push_back(item.get<std::string>());
  }
  return out;
}

// "K=V" words, or the old form "K the rest of the line".
Result<std::vector<std::string>> pairs(std::string_view rest, const std::string& name,
                                       char escape) {
  std::vector<std::string> words = TRY(raw_words(rest, escape));
  if (words.empty()) return Error::invalid(name + " requires at least one argument");
  if (words[0].find('=') == std::string::npos) {
    const std::size_t key_end = words[0].size();
    std::string_view value = rest.substr(rest.find(words[0]) + key_end);
    while (!value.empty() && blank(value.front())) value.remove_prefix(1);
    if (value.empty()) return Error::invalid(name + " must have two arguments");
    return std::vector<std::string>{words[0] + "=" + std::string(value)};
  }
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      return Error::invalid("Syntax error - can't find = in \"" + word +
                            "\". Must be of the form: name=value");
    if (equals == 0) return Error::invalid(name + " names can not be blank");
  }
  return words;
}

// "<<NAME", "<<-NAME", "<<'NAME'" as words outside quotes, also after a digit ("3<<EOF").
std::vector<Heredoc> find_heredocs(std::string_view text, char escape) {
  std::vector<Heredoc> out;
  const auto words = raw_words(text, escape);
  if (!words.ok()) return out;
  for (const std::string& word : *words) {
    std::size_t at = 0;
    while (at < word.size() && std::isdigit(static_cast<unsigned char>(word[at])) != 0) ++at;
    if (word.compare(at, 2, "<<") != 0) continue;
    at += 2;
    Heredoc doc;
    if (at < word.size() && word[at] == '-') {
      doc.content = "-";
      ++at;
    }
    const std::string raw = word.substr(at);
    if (raw.empty() || raw.find('<') != std::string::npos) continue;
    for (const char c : raw) {
      if (c == '"' || c == '\'') {
        doc.expand = false;
      } else {
        doc.name += c;
      }
    }
    if (!doc.name.empty()) out.push_back(std::move(doc));
  }
  return out;
}

Status exactly_one(const Instruction& instruction) {
  if (instruction.args.size() == 1 && !instruction.args[0].empty()) return ok_status();
  return Error::invalid(instruction.name + " requires exactly one argument");
}

Status parse_healthcheck(std::string_view rest, Instruction& out) {
  const std::vector<std::string> words = plain_words(rest);
  if (words.empty()) return Error::invalid("HEALTHCHECK requires at least one argument");
  const std::string type = upper(words[0]);
  if (type == "NONE") {
    if (words.size() > 1) return Error::invalid("HEALTHCHECK NONE takes no arguments");
    out.args = {"NONE"};
    return ok_status();
  }
  if (type != "CMD")
    return Error::invalid("Unknown type \"" + words[0] + "\" in HEALTHCHECK (try CMD)");
  std::string_view command = rest.substr(rest.find(words[0]) + words[0].size());
  while (!command.empty() && blank(command.front())) command.remove_prefix(1);
  if (command.empty()) return Error::invalid("Missing command after HEALTHCHECK CMD");
  out.args = {"CMD"};
  if (auto list = json_words(command)) {
    out.json_form = true;
    out.args.insert(out.args.end(), list->begin(), list->end());
  } else {
    out.args.emplace_back(command);
  }
  return ok_status();
}

Status parse_args(std::string_view rest, char escape, Instruction& out) {
  const std::string& name = out.name;
  if (name == "RUN" || name == "CMD" || name == "ENTRYPOINT" || name == "SHELL") {
    if (auto list = json_words(rest)) {
      out.json_form = true;
      out.args = std::move(*list);
      if (name == "SHELL" && out.args.empty())
        return Error::invalid("SHELL requires at least one argument");
      return ok_status();
    }
    if (name == "SHELL") return Error::invalid("SHELL requires the arguments to be in JSON form");
    if (!rest.empty()) out.args = {std::string(rest)};
    if (name == "RUN") {
      if (rest.empty()) return Error::invalid("RUN requires at least one argument");
      out.heredocs = find_heredocs(rest, escape);
    }
    return ok_status();
  }
  if (name == "ENV" || name == "LABEL") {
    out.args = TRY(pairs(rest, name, escape));
    return ok_status();
  }
  if (name == "ARG") {
    out.args = TRY(raw_words(rest, escape));
    if (out.args.empty()) return Error::invalid("ARG requires at least one argument");
    for (const std::string& word : out.args) {
      if (word.starts_with('=')) return Error::invalid("ARG names can not be blank");
    }
    return ok_status();
  }
  if (name == "HEALTHCHECK") return parse_healthcheck(rest, out);
  if (name == "ADD" || name == "COPY" || name == "VOLUME") {
    if (auto list = json_words(rest)) {
      out.json_form = true;
      out.args = std::move(*list);
    } else {
      out.args = plain_words(rest);
    }
    if (name == "VOLUME") {
      for (const std::string& path : out.args) {
        if (path.empty()) return Error::invalid("VOLUME specified can not be an empty string");
      }
      return out.args.empty() ? Status(Error::invalid("VOLUME requires at least one argument"))
                              : ok_status();
    }
    if (out.args.size() < 2) {
      if (out.args.empty()) return Error::invalid(name + " requires at least two arguments");
      return Error::invalid(name +
                            " requires at least two arguments, but only one was provided. "
                            "Destination could not be determined.");
    }
    if (!out.json_form) out.heredocs = find_heredocs(rest, escape);
    return ok_status();
  }
  if (name == "EXPOSE" || name == "FROM") {
    out.args = plain_words(rest);
    return out.args.empty() ? Status(Error::invalid(name + " requires at least one argument"))
                            : ok_status();
  }
  if (name == "ONBUILD") {
    out.args = {std::string(rest)};
    TRY(exactly_one(out));
    const std::vector<std::string> words = plain_words(rest);
    const std::string trigger = upper(words[0]);
    if (trigger == "ONBUILD")
      return Error::invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger == "FROM" || trigger == "MAINTAINER")
      return Error::invalid(trigger + " isn't allowed as an ONBUILD trigger");
    return ok_status();
  }
  out.args = {std::string(rest)};
  return exactly_one(out);  // WORKDIR, USER, STOPSIGNAL, MAINTAINER
}

}  // namespace

Result<Instruction> parse_logical(const std::string& text, const SourceLoc& where, char escape) {
  Instruction out;
  out.where = where;
  out.original = text;
  std::size_t end = 0;
  while (end < text.size() && !blank(text[end])) ++end;
  const std::string word = text.substr(0, end);
  out.name = upper(word);
  const auto syntax = std::find_if(kInstructions.begin(), kInstructions.end(),
                                   [&](const Syntax& s) { return s.name == out.name; });
  if (syntax == kInstructions.end()) {
    std::vector<std::string_view> names;
    for (const Syntax& item : kInstructions) names.push_back(item.name);
    return Error::at(where, "unknown instruction: " + word + suggestion(out.name, names));
  }
  std::string_view rest = std::string_view(text).substr(end);
  while (!rest.empty() && blank(rest.front())) rest.remove_prefix(1);
  if (out.name != "ENV" && out.name != "LABEL" && out.name != "ARG" && out.name != "ONBUILD" &&
      out.name != "CMD" && out.name != "ENTRYPOINT") {
    TRY(read_flags(rest, *syntax, where, text, out));
  }
  out.text = rest;
  Status parsed = parse_args(rest, escape, out);
  if (!parsed.ok()) {
    Error error = std::move(parsed).error();
    if (!error.where) error.where = where;
    return error;
  }
  return out;
}

}  // namespace stack::images
