#!/bin/sh
# install.sh [DESTDIR]: copies the programs of build/ and the units of this folder to their places.
set -eu
cd "$(dirname "$0")/.."
dest=${1:-}
for program in stack stackd stack-shim stack-netd; do
    [ -x "build/$program" ] || { echo "install: build/$program is missing; run ./quickstart.sh build" >&2; exit 1; }
    install -D -m 755 "build/$program" "$dest/usr/lib/stack/$program"
done
mkdir -p "$dest/usr/bin"
ln -sf ../lib/stack/stack "$dest/usr/bin/stack"
install -D -m 644 packaging/stack.service "$dest/lib/systemd/system/stack.service"
install -D -m 644 packaging/stack.tmpfiles "$dest/usr/lib/tmpfiles.d/stack.conf"
