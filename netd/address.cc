#include "netd/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace stack::netd {

std::optional<Address> parse_address(std::string_view text) {
  const std::string z(text);
  Address a;
  if (::inet_pton(AF_INET, z.c_str(), a.bytes) == 1) return a;
  a.v6 = true;
  if (::inet_pton(AF_INET6, z.c_str(), a.bytes) == 1) return a;
  return std::nullopt;
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!address || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (length < 0 || length > address->bits()) return std::nullopt;
  return Prefix{*address, length};
}

std::string to_string(const Address& a) {
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(a.v6 ? AF_INET6 : AF_INET, a.bytes, text, sizeof text) != nullptr ? text : "";
}

std::string to_string(const Prefix& p) {
  return to_string(p.address) + "/" + std::to_string(p.length);
}

Prefix masked(const Prefix& prefix) {
  Prefix out = prefix;
  for (int bit = prefix.length; bit < prefix.address.bits(); ++bit) {
    out.address.bytes[bit / 8] =
        static_cast<std::uint8_t>(out.address.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return out;
}

Address first_address(const Prefix& prefix) { return masked(prefix).address; }

Address last_address(const Prefix& prefix) {
  Address out = prefix.address;
  for (int bit = prefix.length; bit < out.bits(); ++bit) {
    out.bytes[bit / 8] = static_cast<std::uint8_t>(out.bytes[bit / 8] | (0x80U >> (bit % 8)));
  }
  return out;
}

Address plus(Address a, std::uint64_t n) {
  for (std::size_t i = a.size(); i-- > 0 && n > 0;) {
    n += a.bytes[i];
    a.bytes[i] = static_cast<std::uint8_t>(n & 0xffU);
    n >>= 8U;
  }
  return a;
}

bool contains(const Prefix& subnet, const Address& address) {
  return subnet.address.v6 == address.v6 && masked({address, subnet.length}) == masked(subnet);
}

bool overlap(const Prefix& a, const Prefix& b) {
  if (a.address.v6 != b.address.v6) return false;
  const int length = std::min(a.length, b.length);
  return masked({a.address, length}) == masked({b.address, length});
}

}  // namespace stack::netd
