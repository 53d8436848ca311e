// SHA-256 (FIPS 180-4), incremental. By Nettle: OpenSSL 3 spends a millisecond and two megabytes on
// its providers before the first byte, in every command.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace stack {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view bytes);
  // 64 lower-case hexadecimal digits; the object is used up.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace stack
