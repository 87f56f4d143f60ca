#!/bin/sh
# Replaces envbuilder, whose image is not available here. Reads envbuilder's documented variables,
# and executes a command as root, as a build does. Then becomes the agent's script as the user of
# the dev container, without those variables. This script clones and builds nothing, and replaces no
# root file system: the programs are the node's, mounted at /usr.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

/bin/echo build-step by "$(id -u)" "$ENVBUILDER_IGNORE_PATHS"

command="${ENVBUILDER_INIT_COMMAND:-/bin/sh}"
script="${ENVBUILDER_INIT_SCRIPT:-sleep infinity}"
for name in $(env | sed -n 's/^\(ENVBUILDER_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
exec setpriv --reuid=1000 --regid=1000 --clear-groups "$command" -c "$script"
