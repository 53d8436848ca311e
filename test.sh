#!/bin/bash
# Installs what the tests need, builds everything and runs the whole suite: unit tests, then tests that need root, then
# the engine for real (tests/e2e). Ends with the runner's summary; exits non-zero when anything failed.
#
#   ./test.sh                 everything
#   ./test.sh unit            the unit tests alone; no root needed when the packages are there
#   ./test.sh -R 'e2e.links'  any arguments of ctest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/packages.sh

jobs=$(nproc)
arguments=("$@")
if [ "${1:-}" = unit ]; then
    install_packages build test
    arguments=(-L '^unit$' "${@:2}")
else
    if [ "$(id -u)" != 0 ]; then
        echo "test.sh: the engine is tested for real, as root; without root: ./test.sh unit" >&2
        exit 1
    fi
    install_packages build test images
fi

cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSTACK_TESTS=ON
cmake --build build -j "$jobs"

# Unit tests side by side; the others say themselves that they must run alone (see cmake/StackModule.cmake).
exec ctest --test-dir build --output-on-failure --no-tests=error -j "$jobs" "${arguments[@]}"
