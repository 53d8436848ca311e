#!/bin/bash
# Checks format, include layers and, for files that differ from the main branch, clang-tidy.
#   scripts/lint.sh          what has changed since main (all commits and uncommitted work)
#   scripts/lint.sh --all    clang-tidy on every file
# Needs a configured build directory for clang-tidy (BUILD, default build).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
install_packages lint

failed=0
mapfile -t sources < <(git ls-files '*.cc' '*.h')
echo "clang-format: ${#sources[@]} files"
clang-format --dry-run --Werror "${sources[@]}" || failed=1
echo "layers"
python3 tests/layers_test.py || failed=1

build=${BUILD:-build}
if [ "${1:-}" = --all ]; then
    mapfile -t changed < <(git ls-files '*.cc')
else
    base=$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD)
    mapfile -t changed < <(git diff --name-only --diff-filter=d "$base" -- '*.cc' | sort -u)
fi
if [ ${#changed[@]} -eq 0 ]; then
    echo "clang-tidy: nothing changed"
elif [ ! -e "$build/compile_commands.json" ]; then
    echo "clang-tidy: skipped, $build has no compile_commands.json (./quickstart.sh build makes it)" >&2
else
    echo "clang-tidy: ${#changed[@]} files"
    # A precompiled header made by g++ is of no use to clang.
    commands=$(mktemp -d)
    trap 'rm -rf "$commands"' EXIT
    sed -E 's/ -include [^ ]*cmake_pch\.hxx//g; s/ -fpch-preprocess//g; s/ -Winvalid-pch//g' \
        "$build/compile_commands.json" >"$commands/compile_commands.json"
    printf '%s\n' "${changed[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p "$commands" || failed=1
fi
exit "$failed"
