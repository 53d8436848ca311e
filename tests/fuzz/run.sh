#!/bin/bash
# Builds the fuzzers with clang and runs each for some seconds on its seeds and what earlier runs found.
#   tests/fuzz/run.sh [--build DIRECTORY] [--no-make] SECONDS [yaml|project|interpolate|env_file|short_syntax]...
# What crashes one stays in DIRECTORY/crashes; put a small form of it into tests/fuzz/corpus once it is fixed.
# SECONDS 0: build only.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$source/build-fuzz make=1
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2; shift 2 ;;
    --no-make) make=; shift ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || { sed -n '2,5p' "${BASH_SOURCE[0]}" >&2; exit 2; }
seconds=$1; shift
[ $# -gt 0 ] || set -- yaml project interpolate env_file short_syntax

if [ -n "$make" ]; then
    . "$source/scripts/packages.sh"
    install_packages build fuzz
    cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$(command -v clang++ clang++-14 | head -1)" \
        -DCMAKE_C_COMPILER="$(command -v clang clang-14 | head -1)" -DSTACK_FUZZ=ON -DSTACK_TESTS=OFF >/dev/null
    ninja -C "$build" -j "$(nproc)" "${@/#/fuzz_}"
fi
[ "$seconds" -gt 0 ] || exit 0

export ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
failed=0
for name in "$@"; do
    mkdir -p "$build/found/$name" "$build/crashes"
    # Slow and hungry inputs count as crashes.
    "$build/fuzz_$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 \
        -verbosity=1 -artifact_prefix="$build/crashes/$name-" "$build/found/$name" "$source/tests/fuzz/corpus/$name" \
        >"$build/$name.log" 2>&1 || { failed=1; tail -n 60 "$build/$name.log"; }
    grep -E 'stat::number_of_executed_units|SUMMARY' "$build/$name.log" | sed "s/^/$name: /"
done
exit "$failed"
