#!/bin/bash
# An empty data directory is filled, and root gets the password of MYSQL_ROOT_PASSWORD, on this machine and from others.
set -e
if [ "$1" = mariadbd ]; then
    chown -R mysql:mysql /var/lib/mysql
    if [ ! -d /var/lib/mysql/mysql ]; then
        : "${MYSQL_ROOT_PASSWORD:?MYSQL_ROOT_PASSWORD must be set}"
        mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
        cat >/tmp/first.sql <<SQL
ALTER USER 'root'@'localhost' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
CREATE USER 'root'@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
SQL
        exec mariadbd --user=mysql --bind-address=0.0.0.0 --init-file=/tmp/first.sql
    fi
    exec mariadbd --user=mysql --bind-address=0.0.0.0
fi
exec "$@"
