#!/bin/sh
trap 'exit 0' TERM
echo "starting" >>/var/log/forge/log
mkdir -p /www
sleep "${READY_AFTER:-30}" &
wait $!
cat /etc/forge/name >/www/index.html 2>/dev/null || echo forge >/www/index.html
date >>/var/opt/forge/starts
httpd -p 80 -h /www
nc -ll -p 22 -e echo SSH-2.0-forge &
touch /tmp/ready
echo "ready" >>/var/log/forge/log
while :; do sleep 1 & wait $!; done
