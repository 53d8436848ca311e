#!/bin/sh
# Turns the root file system in $1 into one for containers: nothing starts at installation, nothing downloaded is kept.
set -eu
root=$1
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# A package is unpacked in a layer that is committed whole or not at all: fsync would only cost time.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/container"
cat >"$root/etc/apt/apt.conf.d/container" <<'CONF'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Apt::AutoRemove::SuggestsImportant "false";
CONF
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
rm -f "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/var/cache/ldconfig/aux-cache
rm -f "$root/etc/hostname" "$root/etc/resolv.conf" "$root/etc/machine-id"
mkdir -p "$root"/var/lib/apt/lists/partial "$root"/var/cache/apt/archives/partial
