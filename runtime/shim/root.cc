// The container's root and its devices.
#include <sys/sysmacros.h>

#include "base/kernel.h"
#include "runtime/shim/child.h"

namespace stack::shim {

using runtime::wire::PlanView;
using runtime::wire::Reader;

namespace {

// fsconfig strings end at 255 bytes; longer paths go in as descriptors.
const char* short_name(const char* path, Text<64>* link, int* fd) {
  *fd = -1;
  if (std::strlen(path) < 250 && std::strpbrk(path, ":\\,") == nullptr) return path;
  *fd = ::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  *link << "/proc/self/fd/" << *fd;
  return *fd < 0 ? path : link->c_str();
}

bool set_path(int context, const char* key, const char* path) {
  Text<64> link;
  int fd = -1;
  const char* name = short_name(path, &link, &fd);
  const bool ok = ::fsconfig(context, FSCONFIG_SET_STRING, key, name, 0) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  errno = error;
  return ok;
}

// One call a layer, `lowerdir+`: Linux 6.7. -1 on any failure, which mount(2) tells as well.
int overlay_by_context(const PlanView& plan, const Setup& setup) {
  if (!kernel_at_least(6, 7)) return -1;
  const int context = ::fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  (void)::fsconfig(context, FSCONFIG_SET_STRING, "source", "overlay", 0);
  bool made = true;
  Reader lowers = plan.lowers.items;
  for (std::uint32_t i = 0; made && i < plan.lowers.count; ++i)
    made = set_path(context, "lowerdir+", lowers.c_str());
  made = made &&
         (plan.upper.empty() || (set_path(context, "upperdir", plan.upper.data()) &&
                                 set_path(context, "workdir", plan.work.data()))) &&
         ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  if (!made) {
    ::close(context);
    return -1;
  }
  const int mount = ::fsmount(context, FSMOUNT_CLOEXEC, 0);
  setup.need(mount >= 0, "error mounting the root file system: fsmount");
  ::close(context);
  return mount;
}

// mount(2) takes at most a page of options, so directories are named by their descriptors.
void overlay_by_mount(const PlanView& plan, const Setup& setup) {
  Text<4096> options;
  const auto add = [&](const char* before, const char* directory) {
    const int fd = ::open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    Detail text;
    text << "error mounting the root file system: layer " << directory;
    setup.need(fd >= 0, text.view());
    options << before << "/proc/self/fd/" << fd;
  };
  Reader lowers = plan.lowers.items;
  for (std::uint32_t i = 0; i < plan.lowers.count; ++i)
    add(i == 0 ? "lowerdir=" : ":", lowers.c_str());
  if (!plan.upper.empty()) {
    add(",upperdir=", plan.upper.data());
    add(",workdir=", plan.work.data());
  }
  if (options.size() == 4095) setup.fail("the container has too many layers for this kernel", 0);
  if (::mount("overlay", plan.run_dir.data(), "overlay", 0, options.c_str()) == 0) return;
  Detail text;
  text << "error mounting the root file system: overlay with upper directory " << plan.upper;
  setup.fail(text.view());
}

void make_node(int dir, const char* name, mode_t mode, dev_t device, uid_t uid, gid_t gid,
               const Setup& setup) {
  if (::mknodat(dir, name, mode, device) != 0) {
    struct stat st {};
    // There already, from the image's own /dev or a bind: fine when it is that device.
    if (errno != EEXIST || ::fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        st.st_rdev != device || (st.st_mode & S_IFMT) != (mode & S_IFMT)) {
      Detail text;
      text << "making the device /dev/" << name;
      setup.fail(text.view());
    }
    return;
  }
  if ((uid != 0 || gid != 0) && ::fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
    setup.fail(name);
}

}  // namespace

int make_root(const PlanView& plan, Setup* setup) {
  setup->stage = Stage::kRoot;
  int mount = -1;
  bool attached = false;
  if (plan.lowers.count > 0) {
    mount = overlay_by_context(plan, *setup);
    if (mount < 0) {
      overlay_by_mount(plan, *setup);
      attached = true;
    }
  } else {
    Detail text;
    text << "invalid rootfs: " << plan.root_path;
    mount = ::open_tree(AT_FDCWD, plan.root_path.data(),
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    setup->need(mount >= 0, text.view());
    mount_attr attr{};
    attr.propagation = MS_PRIVATE;
    setup->need(::mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) == 0,
                text.view());
  }
  // pivot_root needs a mount point; the run directory is covered in this mount namespace only.
  if (!attached) {
    setup->need(
        ::move_mount(mount, "", AT_FDCWD, plan.run_dir.data(), MOVE_MOUNT_F_EMPTY_PATH) == 0,
        "attaching the root file system");
    ::close(mount);
  }
  const int root = ::open(plan.run_dir.data(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  setup->need(root >= 0, "opening the root file system");
  return root;
}

void make_devices(const PlanView& plan, int root, Setup* setup) {
  setup->stage = Stage::kDevices;
  if ((plan.flags & runtime::wire::kSetupDev) != 0) {
    const int dev = open_or_create(root, "/dev", true);
    setup->need(dev >= 0, "opening /dev");
    struct Node {
      const char* name;
      unsigned major, minor;
    };
    static constexpr Node kNodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                                      {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    for (const auto& node : kNodes) {
      make_node(dev, node.name, S_IFCHR | 0666, makedev(node.major, node.minor), 0, 0, *setup);
    }
    struct Link {
      const char *name, *target;
    };
    static constexpr Link kLinks[] = {{"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},
                                      {"stdin", "/proc/self/fd/0"},  {"stdout", "/proc/self/fd/1"},
                                      {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}};
    for (const auto& link : kLinks) {
      if (std::strcmp(link.name, "core") == 0 && ::access("/proc/kcore", F_OK) != 0) continue;
      setup->need(::symlinkat(link.target, dev, link.name) == 0 || errno == EEXIST, link.name);
    }
    ::close(dev);
  }
  Reader items = plan.devices.items;
  for (std::uint32_t i = 0; i < plan.devices.count; ++i) {
    const std::string_view path = items.str();
    const mode_t mode = items.u32();
    const unsigned major_number = items.u32();
    const unsigned minor_number = items.u32();
    const uid_t uid = items.u32();
    const gid_t gid = items.u32();
    const std::size_t slash = path.rfind('/');
    const int dir = open_or_create(root, path.substr(0, slash), true);
    setup->need(dir >= 0, path);
    // Docker's privileged containers name the default nodes again: the same device is accepted.
    make_node(dir, path.data() + slash + 1, mode, makedev(major_number, minor_number), uid, gid,
              *setup);
    ::close(dir);
  }
}

}  // namespace stack::shim
