#!/bin/sh
# Replaces envbox, whose image is not available here. Debian's dockerd and runc make the same
# containers in the same places. envbox makes the inner container with sysbox-runc, so that Docker
# works in the container as it does on a machine. Here, flags and a separate cgroup give the
# container the things that Docker needs.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# A cgroup with controlled cgroups below it must have no processes (cgroups(7)), so this function
# moves them to another cgroup.
make_room_for_cgroups() {
    mkdir -p /sys/fs/cgroup/init
    while read -r process; do
        echo "$process" >/sys/fs/cgroup/init/cgroup.procs || :
    done </sys/fs/cgroup/cgroup.procs
    for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || :
    done
}

# Restarts dockerd if it ends, as an init system does: on an emulated machine containerd may start
# too late for dockerd's time limit.
start_dockerd() {
    while :; do
        dockerd --iptables=false --ip6tables=false --bridge=none "$@" \
            >>/var/log/dockerd.log 2>&1 || sleep 1
    done &
    until [ -S /var/run/docker.sock ] && docker info >/dev/null 2>&1; do sleep 1; done
}

# File that shows that the inner container's Docker has started.
started=/home/coder/.docker-started

case "$1" in
docker)
    # envbox's own container. Root of the inner container is the user 100000 here.
    make_room_for_cgroups 2>/dev/null
    echo dockremap:100000:65536 >>/etc/subuid
    echo dockremap:100000:65536 >>/etc/subgid
    useradd --system dockremap
    start_dockerd --userns-remap=default

    # This image replaces CODER_INNER_IMAGE; its /usr is that of envbox's container, mounted.
    mkdir -p /tmp/frame
    (
        cd /tmp/frame
        mkdir -p etc home proc root run sys tmp usr var/lib/docker var/log var/run
        chmod 1777 tmp
        for link in bin lib lib64 sbin; do ln -s "usr/$link" "$link"; done
        tar -c .
    ) | docker import - frame >/dev/null
    chown 100000:100000 /var/lib/coder/docker
    chown 101000:101000 /home/coder
    inner="$(docker run --detach --name workspace_cvm --network none \
        --hostname "$CODER_INNER_HOSTNAME" \
        --cap-add ALL --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --security-opt systempaths=unconfined --volume /usr:/usr:ro --volume /envbox:/envbox:ro \
        --volume "$CODER_MOUNTS" --volume /var/lib/coder/docker:/var/lib/docker \
        frame /envbox inner)"
    (cd "/sys/fs/cgroup/docker/$inner" &&
        chown 100000:100000 . cgroup.procs cgroup.subtree_control cgroup.threads)
    until [ -e "$started" ]; do sleep 1; done

    trap 'exit 0' TERM
    docker exec --user 1000:1000 --env CODER_AGENT_TOKEN workspace_cvm \
        sh -c "$CODER_BOOTSTRAP_SCRIPT" &
    wait
    ;;
inner)
    # The workspace's init system, which starts Docker for the user.
    until [ -w /sys/fs/cgroup/cgroup.procs ] || mount -o remount,bind,rw /sys/fs/cgroup; do
        sleep 1
    done
    until [ -O /sys/fs/cgroup/cgroup.procs ]; do sleep 1; done
    make_room_for_cgroups 2>/dev/null
    start_dockerd --storage-driver=vfs --group=1000
    : >"$started"
    exec sleep infinity
    ;;
esac
