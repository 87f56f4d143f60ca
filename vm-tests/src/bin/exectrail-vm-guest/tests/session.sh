set -eu
export HOME=/tmp/home GIT_CONFIG_NOSYSTEM=1
mkdir -p "$HOME/project" "$HOME/root/var/lib/dpkg" "$HOME/package/DEBIAN"
/bin/echo first of-WHO
setsid sh -c '/bin/echo daemon of-WHO; while :; do sleep 30; done' \
    </dev/null >"$HOME/daemon.log" 2>&1 &
while [ ! -s "$HOME/daemon.log" ]; do sleep 0.2; done
sh -c 'sh -c "sh -c \"/bin/echo shell-in-shell of-WHO\"; :"; :'
cd "$HOME/project"
git init -q .
printf 'all:\n\t/bin/echo made of-WHO\n' >Makefile
git add Makefile
git config user.name jessie
git config user.email jessie@example.com
git commit -q -m first
git clone -q "file://$HOME/project" "$HOME/clone"
cd "$HOME/clone"
make all
printf '%s\n' 'Package: tool' 'Version: 1' 'Architecture: all' \
    'Maintainer: jessie <jessie@example.com>' 'Description: a tool' \
    >"$HOME/package/DEBIAN/control"
mkdir -p "$HOME/package/usr/bin"
printf '#!/bin/sh\n/bin/echo installed of-WHO\n' >"$HOME/package/usr/bin/tool"
chmod 755 "$HOME/package/usr/bin/tool"
dpkg-deb --build "$HOME/package" "$HOME/tool.deb"
mkdir -p "$HOME/root/var/lib/dpkg/info" "$HOME/root/var/lib/dpkg/updates"
: >"$HOME/root/var/lib/dpkg/status"
dpkg --force-not-root --root="$HOME/root" --log=/dev/null -i "$HOME/tool.deb"
"$HOME/root/usr/bin/tool"
/bin/echo session-ends WHO
# The first process of a container ignores SIGTERM if it has no handler. With this handler, the
# process ends at once.
trap 'exit 0' TERM
sleep infinity &
wait
