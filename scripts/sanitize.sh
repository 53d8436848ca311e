#!/bin/bash
# Runs the unit tests under sanitizers:  scripts/sanitize.sh [asan|tsan]...   (both by default)
#   asan   AddressSanitizer, with leaks, and UndefinedBehaviorSanitizer
#   tsan   ThreadSanitizer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
install_packages build test

export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:malloc_context_size=100
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
export STACK_SIM_STEPS=50000  # the million takes minutes here
[ $# -gt 0 ] || set -- asan tsan
for preset in "$@"; do
    cmake --preset "$preset" >/dev/null
    # What the unit tests need, no more. Two of them are scripts: layers needs nothing, conformance runs `stack`.
    mapfile -t programs < <(ctest --test-dir "build-$preset" -N -L '^unit$' 2>/dev/null |
        sed -n 's/^ *Test *#[0-9]*: \([a-z0-9_]*\).*/test_\1/p' | sed 's/^test_conformance$/stack/; /^test_layers$/d')
    cmake --build "build-$preset" --target "${programs[@]}"
    # ThreadSanitizer takes a child that shares our memory until exec (spawn()) for a fork, and loses its books.
    filter='*'
    [ "$preset" != tsan ] || filter='-Spawn.*:Process.*'
    GTEST_FILTER=$filter ctest --test-dir "build-$preset" --output-on-failure --no-tests=error -j "$(nproc)" -L '^unit$'
done
