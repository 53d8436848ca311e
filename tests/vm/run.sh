#!/bin/bash
# Runs what needs root on Debian 12 itself: a virtual machine with that release's kernel, systemd and cgroups v2 alone.
#   tests/vm/run.sh [PREFIX]...     the root tests, then the end-to-end tests whose names start so (default: examples)
# Needs a built tree with the images of the end-to-end tests (./test.sh, or ctest -R e2e.images), as root. BUILD is the
# build directory (default build), SECONDS_AT_MOST the machine's life (default 3600). The machine has no network. Without
# hardware virtualisation it is about ten times slower than the host: what measures or is impatient may fail there.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "${BUILD:-$source/build}" && pwd)
. "$source/scripts/packages.sh"
install_packages images test vm
[ $# -gt 0 ] || set -- examples

programs=("$build"/{stack,stackd,stack-netd,stack-shim,test_runtime_root,test_images_root,test_netd_root})
[ -d "$build/e2e/examples" ] || { echo "$0: no images in $build/e2e; make them: ctest --test-dir $build -R e2e.images" >&2; exit 2; }

# What the programs are linked to, by package.
libraries=$(for program in "${programs[@]}"; do ldd "$program" 2>/dev/null; done | awk '$3 ~ /^\// { print $3 }' | sort -u |
    xargs readlink -f | sed 's#^/usr/lib/#/lib/#; p; s#^/lib/#/usr/lib/#' | xargs dpkg-query -S 2>/dev/null | cut -d: -f1 | sort -u || true)
wanted=$(printf '%s\n' "${packages_test[@]}" $libraries curl initramfs-tools linux-image-cloud-amd64 systemd-sysv | sort -u | paste -sd,)

vm=$build/vm
if [ "$(cat "$vm/packages" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$vm"
    mkdir -p "$vm"
    mmdebstrap --quiet --variant=apt --include="$wanted" bookworm "$vm/root"
    echo "$wanted" >"$vm/packages"
fi
root=$vm/root

# The tree at its own path. Nothing may empty /tmp at boot, should it be there.
rm -rf "${root:?}$source"
mkdir -p "$root$source" "$root$build"
git -C "$source" ls-files -z | tar -C "$source" --null -T - --ignore-failed-read -c | tar -C "$root$source" -x
cp -a "${programs[@]}" "$build/e2e" "$root$build/"
ln -sf /dev/null "$root/etc/tmpfiles.d/tmp.conf"
ln -sf /dev/null "$root/etc/systemd/system/docker-registry.service"
ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
cat >"$root/root/tests.sh" <<END
uname -rv; grep cgroup /proc/mounts
cd $source
failed=0
for test in runtime images netd; do $build/test_\${test}_root --gtest_brief=1 || failed=1; done
python3 tests/e2e/run.py --programs $build $* || failed=1
echo "machine: \$failed"
systemctl poweroff --force --force
END
cat >"$root/etc/systemd/system/tests.service" <<'END'
[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/bash /root/tests.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
Environment=HOME=/root
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../tests.service "$root/etc/systemd/system/multi-user.target.wants/tests.service"

rm -f "$vm/disk"
truncate -s 8G "$vm/disk"
mke2fs -q -t ext4 -d "$root" "$vm/disk"
accelerator=tcg cpu=max
if [ -w /dev/kvm ] && grep -qE 'vmx|svm' /proc/cpuinfo; then accelerator=kvm cpu=host; fi
timeout "${SECONDS_AT_MOST:-3600}" qemu-system-x86_64 -M q35,accel=$accelerator -cpu $cpu -smp "$(nproc)" -m 4G -nic none \
    -nographic -no-reboot -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* \
    -append "root=/dev/vda rw console=ttyS0 quiet loglevel=1 systemd.show_status=false" \
    -drive file="$vm/disk",if=virtio,format=raw,cache=unsafe </dev/null | tee "$vm/log"
rm -f "$vm/disk"
grep -q '^machine: 0' "$vm/log"
