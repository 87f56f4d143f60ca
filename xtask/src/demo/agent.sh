#!/bin/sh
# The agent of the workspace: runs a few programs, and a container in the workspace, as envbox does.
uname -sr
printf 'empty, spaced and "quoted": %s|%s|%s\n' '' 'a b' "it's" | tr a-z A-Z
bash -c 'exec -a an-untrue-name /bin/echo "argv[0] may lie; the filename does not"'
unshare --pid --net --mount-proc --fork -- sh -c 'id -u; ps -o pid,args'
