// The running kernel's version, for what has to be done in another way on older ones.
#pragma once

namespace stack {

// Whether uname(2) tells release MAJOR.MINOR or a later one. Allocates nothing.
bool kernel_at_least(int major, int minor);

}  // namespace stack
