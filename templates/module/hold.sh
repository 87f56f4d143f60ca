#!/bin/sh
# Makes exectrail this container's first process, in place of init.sh. exectrail announces the
# container, and starts the script once every exec is recorded. It ends the container if the sidecar
# has not answered for too long.

# Settings. The Terraform module replaces these values with its own.
address='127.0.0.1:56123' # where exectrail listens (--init-address)
patience='900' # seconds to wait for it: its image may have to be pulled first
hold='60' # seconds without an answer after which the workspace ends
exectrail='/opt/exectrail/exectrail' # where the program is mounted

if [ ! -x "$exectrail" ]; then
    printf 'exectrail: this workspace does not start: there is no %s\n' "$exectrail" >&2
    exit 127
fi
exec "$exectrail" announce --init-address "$address" --timeout "${patience}s" \
    --hold "${hold}s" --exec -- sh -c 'script'
