#!/bin/bash
# From a fresh Debian 12 to a running Flask + Nginx + Redis project: installs packages, builds `stack`, makes the images
# and brings examples/flask-nginx-redis up. Repeating it is quick and harmless.
#
#   ./quickstart.sh          everything
#   ./quickstart.sh build    stop after the build: the program is build/stack
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/packages.sh

here=$PWD
stack=$here/build/stack
example=$here/examples/flask-nginx-redis
step() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

build() {
    step "Installing what the build needs"
    install_packages build "$@"
    step "Building (a few minutes the first time)"
    if [ ! -e build/build.ninja ] || ! grep -q '^STACK_TESTS:BOOL=OFF' build/CMakeCache.txt; then
        cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSTACK_TESTS=OFF >build.log 2>&1 ||
            { cat build.log >&2; rm -f build.log; die "the configuration of the build failed"; }
        rm -f build.log
    fi
    cmake --build build
    "$stack" version
}

# fetch URL: waits for a server that has just been started.
fetch() {
    curl -fs --retry 30 --retry-delay 1 --retry-connrefused --retry-all-errors --max-time 10 "$1" ||
        die "no answer from $1; see: cd $example && $stack logs"
}

# The page's title and script, not the whole page.
show_page() {
    local page; page=$(fetch http://127.0.0.1/)
    grep -q '<div id="app"' <<<"$page" || die "http://127.0.0.1/ is not the page of the example"
    grep -o '<title>.*</title>' <<<"$page"
    fetch http://127.0.0.1/vue.min.js | sed -n '2s/^ \* /with /p'
}

source_of() { sed -n 's/.*"source": *"\([a-z]*\)".*/\1/p' <<<"$1"; }

main() {
    case ${1:-} in
        '') ;;
        build) build; return ;;
        *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    [ "$(id -u)" = 0 ] || die "containers, networks and packages need root; run: sudo ./quickstart.sh"
    build images

    step "Making the images"
    STACK=$stack examples/images/make.sh debian redis nginx
    "$stack" image ls
    "$example/setup.sh"

    step "stack up -d   (in examples/flask-nginx-redis)"
    cd "$example"
    "$stack" up -d

    step "The page, http://127.0.0.1/"
    show_page
    step "The API, http://127.0.0.1:8000/api/products"
    local first second
    first=$(fetch http://127.0.0.1:8000/api/products)
    echo "$first"
    second=$(fetch http://127.0.0.1:8000/api/products)
    [ "$(source_of "$second")" = redis ] || die "the second answer did not come from Redis: $second"
    if [ "$(source_of "$first")" = redis ]; then
        echo "Both answers came from Redis, which has kept the list since the last run."
    else
        echo "The first answer came from the $(source_of "$first"), the second from $(source_of "$second"): the API had put the list there."
    fi

    step "Running now"
    "$stack" ps
    cat <<END

Look at it:   http://127.0.0.1/ in a browser (the page), http://127.0.0.1:8000/api/products (the API)
              cd $example
              $stack ps
              $stack logs -f
              $stack exec redis-master redis-cli lrange products 0 -1
Stop it:      cd $example && $stack down          (add -v to delete volumes as well)
More:         README.md, examples/redis-replicas, docs/architecture.md
END
}

main "$@"
