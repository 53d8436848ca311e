#!/bin/bash
# Puts Vue 2.6 beside the page, from Debian's package libjs-vue. Repeating it is harmless.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=html/vue.min.js
[ -s "$target" ] && exit 0
installed=/usr/share/javascript/vue/vue.min.js
if [ -r "$installed" ]; then
    cp -L "$installed" "$target"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download libjs-vue >/dev/null) || {
    echo "setup: cannot get libjs-vue; run: apt-get install libjs-vue" >&2
    exit 1
}
dpkg-deb -x "$work"/libjs-vue_*.deb "$work/deb"
cp -L "$work/deb$installed" "$target" 2>/dev/null || cp "$(find "$work/deb" -name vue.min.js -type f | head -n 1)" "$target"
