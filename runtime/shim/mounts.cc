// Mounts by handle: every target is opened inside the root first and the mount is attached to that
// descriptor, so no symbolic link of the image can lead a mount outside or change between check and
// use.
#include "runtime/shim/child.h"

namespace stack::shim {

using runtime::wire::MountView;
using runtime::wire::PlanView;
using runtime::wire::Reader;

namespace {

struct Attributes {
  std::uint64_t set = 0, clear = 0, propagation = 0;
};

bool set_attributes(int fd, bool recursive, Attributes a) {
  mount_attr attr{};
  attr.attr_set = a.set;
  attr.attr_clr = a.clear;
  attr.propagation = a.propagation;
  return ::mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                         sizeof attr) == 0;
}

bool attach(int mount, int target) {
  return ::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
         0;
}

// "k=v,flag,k2=v2" to a file system context.
bool configure(int context, std::string_view data) {
  while (!data.empty()) {
    const std::size_t comma =
        data.find(',') == std::string_view::npos ? data.size() : data.find(',');
    Text<512> item;
    item << data.substr(0, comma);
    data.remove_prefix(comma < data.size() ? comma + 1 : comma);
    if (item.size() == 0) continue;
    const std::size_t equals = item.view().find('=');
    int result = 0;
    if (equals == std::string_view::npos) {
      result = ::fsconfig(context, FSCONFIG_SET_FLAG, item.c_str(), nullptr, 0);
    } else {
      Text<256> key;
      key << item.view().substr(0, equals);
      result = ::fsconfig(context, FSCONFIG_SET_STRING, key.c_str(), item.c_str() + equals + 1, 0);
    }
    if (result != 0) return false;
  }
  return true;
}

int new_filesystem(const char* type, const char* source, std::string_view data,
                   std::uint64_t attributes) {
  const int context = ::fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  const bool made =
      (*source == '\0' || ::fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) == 0) &&
      configure(context, data) &&
      ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  const int fd = made ? ::fsmount(context, FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)) : -1;
  const int error = errno;
  ::close(context);
  errno = error;
  return fd;
}

[[noreturn]] void mount_failed(const Setup& setup, const MountView& m, std::string_view step,
                               int error = errno) {
  Detail text;
  text << "error mounting \"" << m.source << "\" to rootfs at \"" << m.target << "\": " << step;
  setup.fail(text.view(), error);
}

// tmpfs over an existing directory takes its mode unless told otherwise.
void inherit_mode(int target, Text<512>* data) {
  struct stat st {};
  if (::fstat(target, &st) != 0) return;
  char octal[5] = {static_cast<char>('0' + (st.st_mode >> 9U & 7U)),
                   static_cast<char>('0' + (st.st_mode >> 6U & 7U)),
                   static_cast<char>('0' + (st.st_mode >> 3U & 7U)),
                   static_cast<char>('0' + (st.st_mode & 7U)), 0};
  *data << (data->size() > 0 ? "," : "") << "mode=" << octal;
}

int open_target(const MountView& m, int root, bool directory, const Setup& setup) {
  if ((m.flags & runtime::wire::kRealDirectory) != 0) {
    const int fd = open_or_create(root, m.target, true);
    if (fd >= 0) ::close(fd);
    const int real = open_in_root(root, m.target.data(), O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (real < 0)
      mount_failed(setup, m,
                   errno == ELOOP ? "the target is a symbolic link" : "opening the target");
    return real;
  }
  const int fd = open_or_create(root, m.target, directory);
  if (fd < 0) {
    Detail text;
    text << "error mounting \"" << m.source << "\" to rootfs at \"" << m.target
         << "\": create mountpoint for " << m.target << " mount: make mountpoint \"" << m.target
         << "\"";
    setup.fail(text.view());
  }
  return fd;
}

void attach_bind(const MountView& m, int tree, int root, const Setup& setup) {
  const bool recursive = (m.flags & runtime::wire::kRecursive) != 0;
  const bool directory = is_directory(tree);
  if (m.propagation != 0 && !set_attributes(tree, recursive, {0, 0, m.propagation})) {
    mount_failed(setup, m, "setting propagation");
  }
  if ((m.flags & runtime::wire::kMustRecursiveReadonly) != 0) {
    if (!set_attributes(tree, true, {MOUNT_ATTR_RDONLY, 0, 0}))
      mount_failed(setup, m, "making it read-only recursively");
  } else if ((m.flags & runtime::wire::kTryRecursiveReadonly) != 0) {
    (void)set_attributes(tree, true, {MOUNT_ATTR_RDONLY, 0, 0});  // kernels before 5.12 cannot
  }
  if ((m.attr_set != 0 || m.attr_clear != 0) &&
      !set_attributes(tree, false, {m.attr_set, m.attr_clear, 0})) {
    mount_failed(setup, m, "setting mount options");
  }
  const int target = open_target(m, root, directory, setup);
  if (is_directory(target) != directory) mount_failed(setup, m, "mounting", ENOTDIR);
  if (!attach(tree, target)) mount_failed(setup, m, "mounting");
  ::close(target);
  ::close(tree);
}

// Returns the descriptor when it must be made read-only later, else -1.
int attach_filesystem(const MountView& m, int root, const Setup& setup) {
  const int target = open_target(m, root, true, setup);
  Text<512> data;
  data << m.data;
  if ((m.flags & runtime::wire::kInheritMode) != 0) inherit_mode(target, &data);
  const bool late = (m.flags & runtime::wire::kLateReadonly) != 0;
  const std::uint64_t attributes =
      late ? m.attr_set & ~std::uint64_t{MOUNT_ATTR_RDONLY} : m.attr_set;
  const int mount = new_filesystem(m.fstype.data(), m.source.data(), data.view(), attributes);
  if (mount < 0) {
    Detail step;
    step << "mounting " << m.fstype << " (" << data.view() << ")";
    mount_failed(setup, m, step.view());
  }
  if (m.propagation != 0 && !set_attributes(mount, false, {0, 0, m.propagation})) {
    mount_failed(setup, m, "setting propagation");
  }
  if (!attach(mount, target)) mount_failed(setup, m, "mounting");
  ::close(target);
  if (late) return mount;
  ::close(mount);
  return -1;
}

// A clone of the tree that is bound; -1 with errno set.
int open_source(const MountView& m, bool recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0U);
  if (m.data.empty()) return ::open_tree(AT_FDCWD, m.source.data(), flags);
  // Containers write below the root: it is not left, whatever its links say.
  const int root = ::open(m.data.data(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -1;
  const int place = open_in_root(root, m.source.data() + m.data.size(), O_PATH);
  ::close(root);
  if (place < 0) return -1;
  const int tree = ::open_tree(place, "", flags | AT_EMPTY_PATH);
  ::close(place);
  return tree;
}

}  // namespace

void open_sources(const PlanView& plan, MountSources* sources, Setup* setup) {
  setup->stage = Stage::kMounts;
  if (plan.mounts.count > kMaxMounts) setup->fail("too many mounts", 0);
  Reader items = plan.mounts.items;
  for (std::uint32_t i = 0; i < plan.mounts.count; ++i) {
    const MountView m = runtime::wire::read_mount(&items);
    sources->fds[i] = -1;
    if ((m.flags & runtime::wire::kBind) == 0) continue;
    const bool recursive = (m.flags & runtime::wire::kRecursive) != 0;
    sources->fds[i] = open_source(m, recursive);
    if (sources->fds[i] < 0) {
      Detail step;
      step << "stat " << m.source;
      mount_failed(*setup, m, step.view());
    }
  }
}

void make_mounts(const PlanView& plan, const MountSources& sources, int root, Setup* setup) {
  setup->stage = Stage::kMounts;
  int late[kMaxMounts];
  std::size_t late_count = 0;
  Reader items = plan.mounts.items;
  for (std::uint32_t i = 0; i < plan.mounts.count; ++i) {
    const MountView m = runtime::wire::read_mount(&items);
    if (sources.fds[i] >= 0) {
      attach_bind(m, sources.fds[i], root, *setup);
    } else if (const int fd = attach_filesystem(m, root, *setup); fd >= 0) {
      late[late_count++] = fd;
    }
  }
  Reader links = plan.symlinks.items;
  for (std::uint32_t i = 0; i < plan.symlinks.count; ++i) {
    const std::string_view path = links.str();
    const char* target = links.c_str();
    const std::size_t slash = path.rfind('/');
    const int dir = open_or_create(root, path.substr(0, slash), true);
    setup->need(dir >= 0, path);
    setup->need(::symlinkat(target, dir, path.data() + slash + 1) == 0 || errno == EEXIST, path);
    ::close(dir);
  }
  make_devices(plan, root, setup);  // before /dev may become read-only
  for (std::size_t i = 0; i < late_count; ++i) {
    setup->need(set_attributes(late[i], false, {MOUNT_ATTR_RDONLY, 0, 0}),
                "making a mount read-only");
    ::close(late[i]);
  }
}

void enter_root(const PlanView& plan, int root, Setup* setup) {
  setup->stage = Stage::kPivot;
  const int old_root = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  setup->need(old_root >= 0 && ::fchdir(root) == 0, "opening the old root");
  // Stacks the old root below the new one, then drops it: pivot_root(2), "pivot_root(".", ".")".
  setup->need(::syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
  setup->need(::fchdir(old_root) == 0, "entering the old root");
  // Slave, not private: unmounts on the host while we are here must still go through.
  setup->need(::mount("", ".", "", MS_SLAVE | MS_REC, nullptr) == 0, "making the old root a slave");
  setup->need(::umount2(".", MNT_DETACH) == 0, "leaving the old root");
  ::close(old_root);
  setup->need(::chdir("/") == 0, "entering the root");
  if (plan.root_propagation != 0) {
    setup->need(::mount("", "/", "", plan.root_propagation, nullptr) == 0,
                "setting the root's propagation");
  }
}

void protect_paths(const PlanView& plan, int root, Setup* setup) {
  setup->stage = Stage::kPaths;
  Reader items = plan.readonly.items;
  for (std::uint32_t i = 0; i < plan.readonly.count; ++i) {
    const char* path = items.c_str();
    const int target = open_in_root(root, path, O_PATH);
    if (target < 0) {
      setup->need(errno == ENOENT || errno == ENOTDIR, path);
      continue;
    }
    const int tree =
        ::open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    setup->need(
        tree >= 0 && set_attributes(tree, false, {MOUNT_ATTR_RDONLY, 0, 0}) && attach(tree, target),
        path);
    ::close(tree);
    ::close(target);
  }
  int null = -1;
  int empty = -1;  // one read-only tmpfs for all masked directories
  items = plan.masked.items;
  for (std::uint32_t i = 0; i < plan.masked.count; ++i) {
    const char* path = items.c_str();
    const int target = open_in_root(root, path, O_PATH);
    if (target < 0) {
      setup->need(errno == ENOENT || errno == ENOTDIR, path);
      continue;
    }
    int cover = -1;
    if (is_directory(target)) {
      if (empty < 0) {
        empty = new_filesystem("tmpfs", "tmpfs", "nr_inodes=1,size=4096", MOUNT_ATTR_RDONLY);
        setup->need(empty >= 0, "making an empty directory for masked paths");
        cover = empty;
      } else {
        cover = ::open_tree(empty, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
      }
    } else {
      if (null < 0) {
        // The container's own /dev/null, which must really be one: CVE-2025-31133.
        null = open_in_root(root, "/dev/null", O_PATH, RESOLVE_NO_SYMLINKS);
        struct stat st {};
        setup->need(null >= 0 && ::fstat(null, &st) == 0, "opening /dev/null for masked paths");
        if (!S_ISCHR(st.st_mode) || st.st_rdev != ((1U << 8U) | 3U)) {
          setup->fail("/dev/null is not the null device", 0);
        }
      }
      cover = ::open_tree(null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    }
    setup->need(cover >= 0 && attach(cover, target), path);
    if (cover != empty) ::close(cover);
    ::close(target);
  }
  if ((plan.flags & runtime::wire::kRootReadonly) != 0) {
    setup->need(set_attributes(root, false, {MOUNT_ATTR_RDONLY, 0, 0}),
                "making the root read-only");
  }
}

void set_sysctls(const PlanView& plan, Setup* setup) {
  setup->stage = Stage::kPaths;
  if (plan.sysctls.count == 0) return;
  // A procfs of our own that nobody can have mounted over.
  const int proc =
      new_filesystem("proc", "proc", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  setup->need(proc >= 0, "mounting procfs for sysctls");
  Reader items = plan.sysctls.items;
  for (std::uint32_t i = 0; i < plan.sysctls.count; ++i) {
    const std::string_view name = items.str();
    const std::string_view value = items.str();
    Text<512> path;
    path << "sys/" << name;
    const int fd = openat2(proc, path.c_str(), O_WRONLY,
                           RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
    Detail text;
    text << "open sysctl " << name << " file";
    setup->need(fd >= 0, text.view());
    Detail write_step;
    write_step << "write sysctl " << name << " value \"" << value << "\"";
    setup->need(write_text(fd, value), write_step.view());
    ::close(fd);
  }
  ::close(proc);
}

}  // namespace stack::shim
