// Time as a parameter, so that state machines are tested by stepping it.
#pragma once

#include <chrono>
#include <string>

namespace stack {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::steady_clock::time_point;  // for delays; does not jump
using WallTime = std::chrono::system_clock::time_point;   // for people and logs

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

// "2026-11-24T19:02:52.189688397Z": UTC, nine digits, trailing zeros kept.
std::string rfc3339_nano(WallTime t);

}  // namespace stack
