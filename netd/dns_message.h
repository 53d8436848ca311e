// The DNS wire format (RFC 1035, RFC 6891) as far as a resolver needs it that answers from a table
// and passes everything else on unread. Pure and safe on any bytes (fuzzed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stack::netd {

inline constexpr std::size_t kDnsHeaderSize = 12;
inline constexpr std::size_t kDnsMaxMessage = 65535;
inline constexpr std::size_t kDnsMinUdp = 512;
inline constexpr std::uint32_t kAnswerTtl = 600;

enum class Rcode : std::uint8_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5
};

struct Question {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::string name;  // dotted, case kept, no trailing dot; dots inside a label are escaped as "\."
  std::uint16_t type = 0;
  std::uint16_t qclass = 1;
  std::size_t question_end =
      0;  // offset behind the question section: [12, end) is echoed in answers
  bool edns = false;
  std::uint16_t udp_size = kDnsMinUdp;  // what the asker can take over UDP
};

enum class ParseResult {
  kOk,
  kIgnore,   // too short for a header, or not a question: no answer at all
  kFormErr,  // answer FORMERR
  kNotImp,   // an opcode other than QUERY
};
ParseResult parse_question(std::span<const std::uint8_t> message, Question* out);

// Each of these writes a whole message over `out` (never more than `limit` bytes) and returns its
// size. Records: packed A/AAAA data or, for PTR, a dotted name. When they do not fit, TC is set and
// as many as fit are kept.
std::size_t write_answer(std::span<const std::uint8_t> query, const Question& question,
                         const std::vector<std::string>& records, std::size_t limit,
                         std::uint8_t* out);
// A message without records. RA is 0: we could not, or would not, recurse.
std::size_t write_error(std::span<const std::uint8_t> query, const Question* question, Rcode rcode,
                        std::size_t limit, std::uint8_t* out);

// Whether `reply` answers `query` as it was sent to an upstream server: id, QR and question match
// (names without case).
bool answers_query(std::span<const std::uint8_t> reply, std::span<const std::uint8_t> query);
// Cuts a reply that is larger than the asker takes: header and question with TC set.
std::size_t truncate_reply(std::span<const std::uint8_t> reply, std::size_t limit,
                           std::uint8_t* out);

}  // namespace stack::netd
