#include "netd/dns_message.h"

#include <algorithm>
#include <cstring>

namespace stack::netd {

namespace {

constexpr std::uint16_t kQr = 0x8000, kOpcode = 0x7800, kTc = 0x0200, kRd = 0x0100, kRa = 0x0080,
                        kCd = 0x0010;
constexpr std::size_t kMaxName = 255;  // on the wire, with length bytes and the root
constexpr std::size_t kMaxLabel = 63;
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::size_t kOptSize = 11;
constexpr std::uint16_t kOurUdpSize = 1232;  // fits any path without fragments

std::uint16_t get16(std::span<const std::uint8_t> m, std::size_t at) {
  return static_cast<std::uint16_t>(m[at] << 8U | m[at + 1]);
}
void put16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8U);
  p[1] = static_cast<std::uint8_t>(v);
}

// Reads an uncompressed name (questions have no earlier name to point to). Returns the offset
// behind it, 0 on error.
std::size_t read_name(std::span<const std::uint8_t> m, std::size_t at, std::string* out) {
  const std::size_t start = at;
  while (at < m.size()) {
    const std::size_t length = m[at++];
    if (length == 0) return at;
    if (length > kMaxLabel || at + length > m.size() || at + length - start >= kMaxName) return 0;
    if (out != nullptr) {
      if (!out->empty()) out->push_back('.');
      for (std::size_t i = 0; i < length; ++i) {
        const char c = static_cast<char>(m[at + i]);
        if (c == '.' || c == '\\') out->push_back('\\');
        out->push_back(c);
      }
    }
    at += length;
  }
  return 0;
}

// Skips a name in any section, compressed or not. 0 on error.
std::size_t skip_name(std::span<const std::uint8_t> m, std::size_t at) {
  while (at < m.size()) {
    const std::size_t length = m[at];
    if (length == 0) return at + 1;
    if ((length & 0xc0U) == 0xc0U) return at + 2 <= m.size() ? at + 2 : 0;
    if (length > kMaxLabel) return 0;
    at += 1 + length;
  }
  return 0;
}

// The OPT record among the additional ones, RFC 6891 6.1.1. False on a malformed message.
bool read_edns(std::span<const std::uint8_t> m, Question* q) {
  std::size_t at = q->question_end;
  const std::size_t records = std::size_t{get16(m, 6)} + get16(m, 8) + get16(m, 10);
  const std::size_t before_additional = std::size_t{get16(m, 6)} + get16(m, 8);
  for (std::size_t i = 0; i < records; ++i) {
    const std::size_t owner = at;
    at = skip_name(m, at);
    if (at == 0 || at + 10 > m.size()) return false;
    const std::uint16_t type = get16(m, at);
    const std::size_t length = get16(m, at + 8);
    if (type == kTypeOpt) {
      if (i < before_additional || q->edns || m[owner] != 0) return false;
      q->edns = true;
      q->udp_size = std::max<std::uint16_t>(get16(m, at + 2), kDnsMinUdp);
    }
    at += 10 + length;
    if (at > m.size()) return false;
  }
  return true;
}

// Header and question of the answer. Returns its size so far.
std::size_t start_reply(std::span<const std::uint8_t> query, const Question* q, Rcode rcode,
                        bool ra, std::uint8_t* out) {
  std::memset(out, 0, kDnsHeaderSize);
  const std::uint16_t flags = get16(query, 2);
  std::memcpy(out, query.data(), 2);
  put16(out + 2, static_cast<std::uint16_t>(kQr | (flags & (kOpcode | kRd | kCd)) | (ra ? kRa : 0) |
                                            static_cast<std::uint16_t>(rcode)));
  if (q == nullptr || q->question_end == 0) return kDnsHeaderSize;
  put16(out + 4, 1);
  std::memcpy(out + kDnsHeaderSize, query.data() + kDnsHeaderSize,
              q->question_end - kDnsHeaderSize);
  return q->question_end;
}

void count_up(std::uint8_t* out, std::size_t field) {
  put16(out + field, static_cast<std::uint16_t>((out[field] << 8U | out[field + 1]) + 1));
}

std::size_t add_opt(std::uint8_t* out, std::size_t at) {
  std::memset(out + at, 0, kOptSize);
  put16(out + at + 1, kTypeOpt);
  put16(out + at + 3, kOurUdpSize);
  count_up(out, 10);
  return at + kOptSize;
}

// A dotted name as labels; empty when it does not fit the rules.
std::string encode_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    if (dot == 0 || dot > kMaxLabel) return "";
    out.push_back(static_cast<char>(dot));
    out.append(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.push_back('\0');
  return out.size() <= kMaxName ? out : "";
}

}  // namespace

ParseResult parse_question(std::span<const std::uint8_t> m, Question* out) {
  *out = Question();
  if (m.size() < kDnsHeaderSize) return ParseResult::kIgnore;
  out->id = get16(m, 0);
  out->flags = get16(m, 2);
  if ((out->flags & kQr) != 0) return ParseResult::kIgnore;
  if ((out->flags & kOpcode) != 0) return ParseResult::kNotImp;
  if (get16(m, 4) != 1) return ParseResult::kFormErr;
  const std::size_t at = read_name(m, kDnsHeaderSize, &out->name);
  if (at == 0 || at + 4 > m.size()) return ParseResult::kFormErr;
  out->type = get16(m, at);
  out->qclass = get16(m, at + 2);
  out->question_end = at + 4;
  if (!read_edns(m, out)) return ParseResult::kFormErr;
  return ParseResult::kOk;
}

std::size_t write_answer(std::span<const std::uint8_t> query, const Question& q,
                         const std::vector<std::string>& records, std::size_t limit,
                         std::uint8_t* out) {
  std::size_t at = start_reply(query, &q, Rcode::kNoError, true, out);
  const std::size_t room = limit - (q.edns ? kOptSize : 0);
  for (const std::string& record : records) {
    const std::string data = q.type == 12 ? encode_name(record) : record;
    if (data.empty()) continue;
    if (at + 12 + data.size() > room) {
      out[2] = static_cast<std::uint8_t>(out[2] | (kTc >> 8U));
      break;
    }
    put16(out + at, 0xc000 | kDnsHeaderSize);  // the owner is the name of the question
    put16(out + at + 2, q.type);
    put16(out + at + 4, q.qclass);
    put16(out + at + 6, kAnswerTtl >> 16U);
    put16(out + at + 8, kAnswerTtl & 0xffffU);
    put16(out + at + 10, static_cast<std::uint16_t>(data.size()));
    std::memcpy(out + at + 12, data.data(), data.size());
    at += 12 + data.size();
    count_up(out, 6);
  }
  return q.edns ? add_opt(out, at) : at;
}

std::size_t write_error(std::span<const std::uint8_t> query, const Question* q, Rcode rcode,
                        std::size_t limit, std::uint8_t* out) {
  const std::size_t at = start_reply(query, q, rcode, false, out);
  return q != nullptr && q->edns && at + kOptSize <= limit ? add_opt(out, at) : at;
}

bool answers_query(std::span<const std::uint8_t> reply, std::span<const std::uint8_t> query) {
  Question asked;
  if (reply.size() < kDnsHeaderSize || parse_question(query, &asked) != ParseResult::kOk)
    return false;
  if (get16(reply, 0) != asked.id || (get16(reply, 2) & kQr) == 0) return false;
  // A server that could not read the question may leave it out of its error.
  if (get16(reply, 4) == 0) return (get16(reply, 2) & 0xfU) != 0;
  std::string name;
  const std::size_t at = read_name(reply, kDnsHeaderSize, &name);
  if (get16(reply, 4) != 1 || at == 0 || at + 4 > reply.size()) return false;
  const auto same = [](char a, char b) {
    const auto fold = [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return fold(a) == fold(b);
  };
  return std::equal(name.begin(), name.end(), asked.name.begin(), asked.name.end(), same) &&
         get16(reply, at) == asked.type && get16(reply, at + 2) == asked.qclass;
}

std::size_t truncate_reply(std::span<const std::uint8_t> reply, std::size_t limit,
                           std::uint8_t* out) {
  if (reply.size() <= limit) {
    std::memcpy(out, reply.data(), reply.size());
    return reply.size();
  }
  std::memcpy(out, reply.data(), kDnsHeaderSize);
  out[2] = static_cast<std::uint8_t>(out[2] | (kTc >> 8U));
  std::memset(out + 6, 0, 6);
  const std::size_t at = read_name(reply, kDnsHeaderSize, nullptr);
  if (at == 0 || at + 4 > limit || get16(reply, 4) != 1) {
    put16(out + 4, 0);
    return kDnsHeaderSize;
  }
  std::memcpy(out + kDnsHeaderSize, reply.data() + kDnsHeaderSize, at + 4 - kDnsHeaderSize);
  return at + 4;
}

}  // namespace stack::netd
