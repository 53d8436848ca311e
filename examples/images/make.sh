#!/bin/bash
# Makes the images that the examples, tests and benchmarks use, where a registry cannot be reached:
#
#   debian:bookworm-slim (also :bookworm, :latest)   from Debian's archive, slimmed as the official one is
#   redis, nginx                                     Dockerfiles beside this script, same behaviour as the official ones
#   busybox                                          one static program; small and quick to start
#
# Usage: make.sh [--force] [IMAGE...]      IMAGE: debian busybox redis nginx; all of them by default
#
#   STACK      the tool that keeps the images; default `stack`. Anything with `image import`, `image build` and
#              `image ls` will do, so STACK="docker" makes the very same images for Docker.
#   MIRROR     Debian mirror; default: whatever this machine's apt uses
#   PULL       `auto` (default): make nothing of what Docker Hub can give, when it answers; `never`: always make
#
# Root file systems are kept in ${XDG_CACHE_HOME:-~/.cache}/stack. An image that exists is left alone, so a second run
# takes no time; --force makes it again. Needs root (mmdebstrap, and the engine).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/stack
suite=bookworm
force=
say() { printf 'images: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

find_tool() {
    if [ -n "${STACK:-}" ]; then read -ra tool <<<"$STACK"; return; fi
    local program
    for program in "$here/../../build/stack" stack; do
        if command -v "$program" >/dev/null; then tool=("$program"); return; fi
    done
    die "no stack program found; build it first (./quickstart.sh build), or set STACK"
}

# have NAME: is NAME:latest or NAME:TAG among the images?
have() {
    local name=$1 tag=latest
    case $name in *:*) tag=${name#*:}; name=${name%%:*} ;; esac
    [ -z "$force" ] && "${tool[@]}" image ls 2>/dev/null |
        awk -v n="$name" -v t="$tag" '($1 == n && $2 == t) || $1 == n ":" t {found = 1} END {exit !found}'
}

hub_answers() {
    [ "${PULL:-auto}" = auto ] || return 1
    # Any HTTP answer will do: without credentials it is 401.
    curl -s -o /dev/null -m 5 https://registry-1.docker.io/v2/
}

apt_lines() {
    if [ -n "${MIRROR:-}" ]; then
        echo "deb $MIRROR $suite main"
        return
    fi
    local lines
    lines=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
        awk -v s="$suite" '$3 == "Debian" && ($2 == s || $2 == s "-updates" || $2 == s "-security") {
            sub("/$", "", $1); if (!seen[$2]++) print "deb", $1, $2, "main" }')
    grep -q " $suite main" <<<"$lines" || lines="deb http://deb.debian.org/debian $suite main
deb http://deb.debian.org/debian $suite-updates main
deb http://deb.debian.org/debian-security $suite-security main"
    echo "$lines"
}

import() { "${tool[@]}" image import --change "$3" "$1" "$2" >/dev/null; }

# A file in the cache appears whole or not at all.
make_debian_tar() {
    local tar=$cache/debian-$suite-slim.tar
    if [ -s "$tar" ] && [ "$tar" -nt "$here/debian/excludes" ] && [ -z "$force" ]; then return; fi
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap"
    say "building the root file system of debian:$suite-slim (once; about half a minute)"
    local options=() line log=$cache/mmdebstrap.log
    while read -r line; do options+=(--dpkgopt="$line"); done <"$here/debian/excludes"
    # Merged /usr from the start: otherwise the package usrmerge does it, and brings the whole of Perl.
    apt_lines | mmdebstrap --quiet --variant=minbase --format=tar "${options[@]}" \
        --include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --customize-hook="sh '$here/debian/customize.sh' \"\$1\"" "$suite" "$tar.new" - >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die "mmdebstrap failed (all of its output: $log); is Debian's archive reachable? Try: apt-get update"
    }
    mv "$tar.new" "$tar"
}

make_debian() {
    local tar=$cache/debian-$suite-slim.tar name
    have "debian:$suite-slim" && have "debian:$suite" && have debian && return
    make_debian_tar
    for name in "debian:$suite-slim" "debian:$suite" debian:latest; do
        say "importing $name"
        import "$tar" "$name" 'CMD ["bash"]'
    done
}

make_busybox_tar() {
    local tar=$cache/busybox.tar work
    if [ -s "$tar" ] && [ -z "$force" ]; then return; fi
    work=$(mktemp -d)
    # The package, not its installation: it conflicts with the ordinary busybox.
    if ! (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download busybox-static >/dev/null); then
        rm -rf "$work"
        die "cannot download busybox-static; run apt-get update"
    fi
    dpkg-deb -x "$work"/busybox-static_*.deb "$work/deb"
    sh "$here/busybox/rootfs.sh" "$work/deb" "$work/root"
    tar --sort=name --mtime=@0 --numeric-owner -C "$work/root" -cf "$tar.new" .
    rm -rf "$work"
    mv "$tar.new" "$tar"
}

make_busybox() {
    have busybox && return
    make_busybox_tar
    say "importing busybox"
    import "$cache/busybox.tar" busybox:latest 'CMD ["sh"]'
}

build() {
    have "$1" && return
    make_debian
    say "building $1"
    local log; log=$(mktemp)
    if ! "${tool[@]}" image build -t "$1:latest" "$here/$1" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        die "building $1 failed"
    fi
    rm -f "$log"
}

main() {
    local wanted=() image
    while [ $# -gt 0 ]; do
        case $1 in
            --force) force=1 ;;
            debian | busybox | redis | nginx) wanted+=("$1") ;;
            *) sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
        esac
        shift
    done
    [ ${#wanted[@]} -gt 0 ] || wanted=(debian busybox redis nginx)
    [ "$(id -u)" = 0 ] || die "must run as root"
    find_tool
    mkdir -p "$cache"
    local missing=()
    for image in "${wanted[@]}"; do
        case $image in debian) have "debian:$suite-slim" && have "debian:$suite" && have debian ;; *) have "$image" ;; esac ||
            missing+=("$image")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if hub_answers; then
        say "Docker Hub answers: ${missing[*]} will be pulled when first used"
        return 0
    fi
    for image in "${missing[@]}"; do
        case $image in
            debian) make_debian ;;
            busybox) make_busybox ;;
            *) build "$image" ;;
        esac
    done
}

main "$@"
