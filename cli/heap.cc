#include "cli/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace stack::cli {

void expect_files(std::size_t bytes) {
  constexpr std::size_t kLarge = 100'000;
  constexpr std::size_t kHuge = 2U << 20U;
  constexpr std::size_t kMost = 16 * kHuge;  // mallopt(3) takes no larger M_MMAP_THRESHOLD
  if (bytes < kLarge) return;
  const std::size_t heap = std::min((bytes * 50 / kHuge + 1) * kHuge, kMost);
  ::mallopt(M_TOP_PAD, static_cast<int>(heap));
  ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(4 * kMost));
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(kMost));
  void* volatile piece = std::malloc(kHuge);  // grows the heap, and the padding stays
  std::free(piece);
  char* end = static_cast<char*>(::sbrk(0));
  end -= reinterpret_cast<std::uintptr_t>(end) % kHuge;
  (void)::madvise(end - heap, heap, MADV_HUGEPAGE);  // without huge pages it only takes longer
}

}  // namespace stack::cli
