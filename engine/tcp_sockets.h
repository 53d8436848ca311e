// The TCP sockets of a process' network namespace, as /proc/PID/net/tcp and tcp6 tell them:
// proc_pid_net(5).
#pragma once

#include <string>
#include <vector>

namespace stack::engine {

struct TcpSocket {
  std::string address;  // local: "0.0.0.0", "127.0.0.1", "::"
  int port = 0;         // local
  bool listens = false;
  bool established = false;
};

std::vector<TcpSocket> parse_tcp_sockets(const std::string& table, bool v6);
// Empty when the process is gone.
std::vector<TcpSocket> tcp_sockets_of(int pid);

}  // namespace stack::engine
