// A tiny init: forwards every signal to its one child, reaps whatever becomes its child, and ends
// as the child did.
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runtime/shim/child.h"

namespace stack::shim {

void run_init(pid_t child, bool terminal) {
  (void)terminal;
  ::prctl(PR_SET_NAME, "docker-init", 0, 0, 0);
  // Standard streams stay with the child alone, so that their end is seen when it closes them.
  for (int fd = 0; fd < 3; ++fd) ::close(fd);
  sigset_t wanted;
  ::sigfillset(&wanted);
  // Faults are our own.
  for (const int fault : {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS})
    ::sigdelset(&wanted, fault);
  ::signal(SIGTTIN, SIG_IGN);
  ::signal(SIGTTOU, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &wanted, nullptr);
  int code = -1;
  for (;;) {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) break;
      if (pid == child) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (code >= 0) ::_exit(code);
    siginfo_t info;
    const int signal_number = ::sigwaitinfo(&wanted, &info);
    if (signal_number > 0 && signal_number != SIGCHLD) ::kill(child, signal_number);
  }
}

}  // namespace stack::shim
