#!/bin/sh
# rootfs.sh UNPACKED_DEB ROOT: a root file system in which every command is the one static busybox.
set -eu
deb=$1 root=$2
mkdir -p "$root/bin" "$root/etc" "$root/root" "$root/var/www" "$root/home" "$root/tmp" "$root/usr" "$root/var/spool"
cp "$deb/bin/busybox" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln "$root/bin/busybox" "$root/bin/$applet"
done
ln -s bin "$root/sbin"
ln -s ../bin "$root/usr/bin"
ln -s ../bin "$root/usr/sbin"
chmod 1777 "$root/tmp"
chmod 700 "$root/root"
cat >"$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
PASSWD
cat >"$root/etc/group" <<'GROUP'
root:x:0:
daemon:x:1:
www-data:x:33:
nogroup:x:65534:
GROUP
