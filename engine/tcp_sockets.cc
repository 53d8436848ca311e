#include "engine/tcp_sockets.h"

#include <arpa/inet.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/files.h"

namespace stack::engine {

namespace {

constexpr unsigned kEstablished = 1;
constexpr unsigned kListen = 10;

// Groups of 32 bits in host byte order.
std::string address_text(const char* digits, bool v6) {
  unsigned char bytes[16] = {};
  const std::size_t words = v6 ? 4 : 1;
  for (std::size_t word = 0; word < words; ++word) {
    const auto value = static_cast<std::uint32_t>(
        std::strtoul(std::string(digits + word * 8, 8).c_str(), nullptr, 16));
    std::memcpy(bytes + word * 4, &value, 4);
  }
  char text[INET6_ADDRSTRLEN] = {};
  return ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, sizeof text) != nullptr ? text : "";
}

}  // namespace

std::vector<TcpSocket> parse_tcp_sockets(const std::string& table, bool v6) {
  std::vector<TcpSocket> sockets;
  std::size_t at = table.find('\n');
  while (at != std::string::npos && at + 1 < table.size()) {
    const std::size_t end = table.find('\n', at + 1);
    const std::string line = table.substr(at + 1, end - at - 1);
    at = end;
    char local[33] = {};
    unsigned port = 0;
    unsigned state = 0;
    if (std::sscanf(line.c_str(), " %*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", local, &port,
                    &state) != 3 ||
        std::strlen(local) != (v6 ? 32U : 8U)) {
      continue;
    }
    sockets.push_back(
        {address_text(local, v6), static_cast<int>(port), state == kListen, state == kEstablished});
  }
  return sockets;
}

std::vector<TcpSocket> tcp_sockets_of(int pid) {
  std::vector<TcpSocket> sockets;
  for (const char* file : {"tcp", "tcp6"}) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/net/" + file);
    if (!text.ok()) continue;
    auto some = parse_tcp_sockets(*text, std::strcmp(file, "tcp6") == 0);
    sockets.insert(sockets.end(), some.begin(), some.end());
  }
  return sockets;
}

}  // namespace stack::engine
