#!/bin/sh
# Prepares nginx before it starts: templates filled in from the environment, then the scripts in /docker-entrypoint.d.
set -eu

case ${1:-} in
    nginx | nginx-debug)
        if [ -d /etc/nginx/templates ]; then
            # Only variables that exist: $host, $uri and the like belong to nginx.
            defined=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
            find /etc/nginx/templates -type f -name '*.template' | while read -r template; do
                target=/etc/nginx/conf.d/${template#/etc/nginx/templates/}
                target=${target%.template}
                mkdir -p "$(dirname "$target")"
                envsubst "$defined" <"$template" >"$target"
            done
        fi
        for script in /docker-entrypoint.d/*; do
            case $script in
                *.envsh) [ -x "$script" ] && . "$script" ;;
                *.sh) [ -x "$script" ] && "$script" ;;
            esac
        done
        ;;
esac
exec "$@"
