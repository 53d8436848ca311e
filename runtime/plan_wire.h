// The launch plan: what `stack-shim` needs to start one container or one exec, as bytes in a memfd.
// The engine's side writes it (launch_plan.h), the shim reads it in place without heap. Both
// programs come from one build, so the format has a magic number but no versions. Numbers are
// host-endian; a string is u32 length, bytes, NUL; a list is u32 count, u32 bytes, items.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace stack::runtime::wire {

inline constexpr std::uint32_t kMagic = 0x53504c31;

enum PlanFlag : std::uint32_t {
  kTty = 1U << 0U,
  kOpenStdin = 1U << 1U,
  kStdinOnce = 1U << 2U,
  kInit = 1U << 3U,
  kDiscardLog = 1U << 4U,
  kExec = 1U << 5U,  // join a running container instead of making one
  kRootReadonly = 1U << 6U,
  kSetupDev = 1U << 7U,  // /dev is ours to fill
  kNewCgroupNs = 1U << 8U,
  kNoNewPrivileges = 1U << 9U,
  kNamedUser =
      1U << 10U,  // `user` is resolved inside; other users than root lose their capabilities
  kOomScore = 1U << 11U,
  kNewPidNs = 1U << 12U,
  kMakeCwd = 1U << 13U,
};

enum MountFlag : std::uint32_t {
  kBind = 1U << 0U,
  kRecursive = 1U << 1U,
  kInheritMode = 1U << 2U,    // tmpfs: the mode of the directory that it covers
  kRealDirectory = 1U << 3U,  // no symbolic link anywhere in the target: proc, sysfs
  kTryRecursiveReadonly = 1U << 4U,
  kMustRecursiveReadonly = 1U << 5U,
  kLateReadonly = 1U << 6U,  // read-only once every mount is in place
  kNoCreate = 1U << 7U,      // below an image's read-only mount the target must exist
};

// Messages on the SOCK_SEQPACKET between the program's future process, the shim and the engine.
enum class Report : std::uint32_t { kFailed, kTerminal, kReady, kStarted };

// In the order in which they run.
enum class Stage : std::uint32_t {
  kShim,
  kClone,
  kCgroup,
  kLimits,
  kNamespaces,
  kRoot,
  kMounts,
  kDevices,
  kPivot,
  kPaths,
  kTerminal,
  kWorkdir,
  kUser,  // message without Docker's prefix: the engine itself says it there
  kCredentials,
  kSeccomp,
  kExec,
};

struct ReportHead {
  Report kind = Report::kFailed;
  Stage stage = Stage::kShim;
  std::int32_t error = 0;  // errno, appended to the text as words when not 0
  std::int32_t pid = 0;
  std::uint64_t start_time = 0;
  // text follows
};
inline constexpr std::size_t kMaxReport = 4096;

// Requests to a running shim: datagrams to `sock` in the run directory.
enum class Control : std::uint32_t { kAttach, kResize };
struct ControlRequest {
  Control kind = Control::kAttach;
  std::uint32_t a = 0;  // attach: ClientFlag; resize: rows
  std::uint32_t b = 0;  // resize: columns
};
enum ClientFlag : std::uint32_t {
  kClientStdin = 1,
  kClientStdout = 2,
  kClientStderr = 4,
  kClientMoment = 8,  // is sent a Moment before anything else
};
// When a client was attached: lines of the log up to this time were written before, whole ones
// after it and the rest of unfinished ones it is sent.
struct Moment {
  char mark[8] = {'a', 't', 't', 'a', 'c', 'h', 'e', 'd'};
  std::int64_t seconds = 0;  // CLOCK_REALTIME
  std::int64_t nanoseconds = 0;
};

// Reads in place. After an overrun everything is empty and `bad` is true.
class Reader {
 public:
  Reader() = default;
  Reader(const char* data, std::size_t size) : at_(data), end_(data + size) {}

  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  // The view's data() is NUL-terminated.
  std::string_view str() {
    const std::uint32_t size = u32();
    if (bad_ || size >= static_cast<std::size_t>(end_ - at_)) return fail();
    const std::string_view text(at_, size);
    at_ += size + 1;
    return text;
  }
  const char* c_str() { return str().data(); }
  Reader list(std::uint32_t* count) {
    *count = u32();
    const std::uint32_t size = u32();
    if (bad_ || size > static_cast<std::size_t>(end_ - at_)) {
      *count = 0;
      fail();
      return {};
    }
    const Reader items(at_, size);
    at_ += size;
    return items;
  }
  bool bad() const { return bad_; }

 private:
  template <typename T>
  T number() {
    T value = 0;
    if (bad_ || sizeof value > static_cast<std::size_t>(end_ - at_)) {
      fail();
      return 0;
    }
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string_view fail() {
    bad_ = true;
    return {"", 0};
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool bad_ = false;
};

struct List {
  std::uint32_t count = 0;
  Reader items;
};

}  // namespace stack::runtime::wire
