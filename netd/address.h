// IPv4 and IPv6 addresses and prefixes: plain values and their text forms.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stack::netd {

// An IPv4 or IPv6 address in network byte order; IPv4 uses the first four bytes.
struct Address {
  bool v6 = false;
  std::uint8_t bytes[16] = {};

  int bits() const { return v6 ? 128 : 32; }
  std::size_t size() const { return v6 ? 16 : 4; }
  bool operator==(const Address&) const = default;
  auto operator<=>(const Address&) const = default;
};

struct Prefix {
  Address address;  // host bits are zero in a subnet, not in an interface address
  int length = 0;

  bool operator==(const Prefix&) const = default;
};

std::optional<Address> parse_address(std::string_view text);  // no zone, no port
std::optional<Prefix> parse_prefix(std::string_view text);    // "a.b.c.d/len"; host bits kept
std::string to_string(const Address& address);
std::string to_string(const Prefix& prefix);
Prefix masked(const Prefix& prefix);
Address first_address(const Prefix& prefix);
Address last_address(const Prefix& prefix);
Address plus(Address address, std::uint64_t n);
bool contains(const Prefix& subnet, const Address& address);
bool overlap(const Prefix& a, const Prefix& b);

}  // namespace stack::netd
