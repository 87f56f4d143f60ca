#!/bin/sh
# A workspace's init script: announces the PID namespace, and starts the agent once it is traced.
set -eu
pid_ns="$(readlink /proc/self/ns/pid)"
pid_ns="${pid_ns#pid:[}"
pid_ns="${pid_ns%]}"
answer="$(curl --silent --show-error --noproxy '*' --write-out '%{http_code}' \
    --connect-timeout 5 --retry 5 --retry-delay 3 --retry-connrefused \
    --header 'Content-Type: text/plain' --data "$pid_ns" http://127.0.0.1:56123)" || true
if [ "$answer" != 204 ]; then
    echo "the workspace must not start untraced: $answer" >&2
    exit 1
fi
exec sh "$1"
