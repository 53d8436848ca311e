#!/bin/sh
# Records what Docker Compose makes of the cases: expected.json and hashes. Run where Docker Compose is at hand:
#   DOCKER_COMPOSE="docker compose" tests/compose/golden/record.sh [CASE...]
# A case is a directory with Compose files and, if needed, `arguments` (of the command line) and `environment` (KEY=value lines).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
compose=${DOCKER_COMPOSE:-docker compose}
[ $# -gt 0 ] || set -- $(cd "$here" && ls -d */ | tr -d /)
for name in "$@"; do
  copy=/tmp/compose-golden/$name # the test pretends that the case is here: the path is part of the hash
  rm -rf "$copy"
  mkdir -p /tmp/compose-golden
  cp -r "$here/$name" "$copy"
  cd "$copy"
  args=$(cat arguments 2>/dev/null || true)
  # shellcheck disable=SC2086
  set_env() { env -i PATH="$PATH" HOME=/root $(cat environment 2>/dev/null || true) "$@"; }
  if set_env $compose $args config --format json >"$here/$name/expected.json" 2>/tmp/compose-golden/errors; then
    set_env $compose $args config --hash '*' >"$here/$name/hashes" 2>/dev/null
    # There `config --hash` leaves env_file out, unlike the label that `up` sets.
    ! grep -rq env_file . || : >"$here/$name/hashes"
    set_env $compose $args config >"$here/$name/expected.yaml" 2>/dev/null
  else
    echo "$name: refused: $(cat /tmp/compose-golden/errors)"
    rm -f "$here/$name/expected.json"
  fi
  rm -rf "$copy"
done
