#!/bin/sh
# Runs redis-server as the user redis, with what a container needs and Debian's defaults lack.
set -eu

# `IMAGE --port 7000` and `IMAGE my.conf` mean redis-server with these arguments.
case ${1:-redis-server} in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        # setpriv execs: redis-server stays process 1 and gets the signals.
        exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
    fi
    # Files that nobody else should read: the data may be private.
    [ "$(umask)" = 0022 ] && umask 0077
    # Other containers connect by the container's address: its network is the boundary. An option that the caller
    # gives comes later on the command line and wins; a configuration file has to come first.
    shift
    case ${1:-} in
        '' | -*) set -- --protected-mode no "$@" ;;
        *) grep -qs '^[[:space:]]*protected-mode' "$1" || set -- "$@" --protected-mode no ;;
    esac
    exec redis-server "$@"
fi
exec "$@"
