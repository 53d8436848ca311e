// Standard streams: a terminal of the container's own devpts, or pipes and the container's
// /dev/null.
#include <sys/ioctl.h>

#include "runtime/shim/child.h"

namespace stack::shim {

using runtime::wire::PlanView;

void make_terminal(const PlanView& plan, int root, bool console, std::uint32_t uid, Setup* setup) {
  setup->stage = Stage::kTerminal;
  // Below /dev/pts itself: /dev/ptmx is a link that the image could have replaced.
  const int master = open_in_root(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS);
  setup->need(master >= 0, "opening /dev/pts/ptmx");
  int unlock = 0;
  setup->need(::ioctl(master, TIOCSPTLCK, &unlock) == 0, "unlocking the terminal");
  if (plan.rows != 0 || plan.cols != 0) {
    const winsize size{static_cast<unsigned short>(plan.rows),
                       static_cast<unsigned short>(plan.cols), 0, 0};
    ::ioctl(master, TIOCSWINSZ, &size);
  }
  // By the master's own handle, so no path can lead elsewhere (Linux 4.13).
  const int slave = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  setup->need(slave >= 0, "opening the terminal");
  setup->need(::fchown(slave, uid, 5) == 0 && ::fchmod(slave, 0620) == 0,
              "giving the terminal to the user");
  if (console) {
    const int target = open_or_create(root, "/dev/console", false);
    const int tree = ::open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    setup->need(target >= 0 && tree >= 0 &&
                    ::move_mount(tree, "", target, "",
                                 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0,
                "mounting /dev/console");
    ::close(tree);
    ::close(target);
  }
  report(setup->socket, Report::kTerminal, setup->stage, 0, "", master);
  ::close(master);
  for (int fd = 0; fd < 3; ++fd) setup->need(::dup2(slave, fd) == fd, "dup2");
  if (slave > 2) ::close(slave);
  setup->need(::ioctl(0, TIOCSCTTY, 0) == 0, "taking the terminal");
}

void set_stdio(ChildStdio stdio, int root, std::uint32_t uid, Setup* setup) {
  setup->stage = Stage::kTerminal;
  int null = -1;
  if (stdio.in < 0 || stdio.out < 0 || stdio.err < 0) {
    null = open_in_root(root, "/dev/null", O_RDWR);
    setup->need(null >= 0, "opening /dev/null");
  }
  const int streams[3] = {stdio.in, stdio.out, stdio.err};
  for (int fd = 0; fd < 3; ++fd) {
    setup->need(::dup2(streams[fd] < 0 ? null : streams[fd], fd) == fd, "dup2");
    // So that the user can reopen /dev/stdout and the like.
    if (streams[fd] >= 0 && uid != 0) (void)::fchown(fd, uid, static_cast<gid_t>(-1));
  }
  if (null > 2) ::close(null);
}

}  // namespace stack::shim
