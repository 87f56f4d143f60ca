// The first process of a workspace whose exit takes long: `slow_exit SECONDS PROGRAM`.
//
// It has an open file of a file system in user space. When the first process exits, the kernel
// closes the file, asks that file system to flush it, and waits for the answer, which takes
// SECONDS. Meanwhile another process of the namespace executes PROGRAM with a number, about twice
// per second.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void answer(int device, uint64_t unique, int error, const void *body, size_t size) {
    char message[1024];
    struct fuse_out_header head = {.len = sizeof head + size, .error = error, .unique = unique};
    memcpy(message, &head, sizeof head);
    memcpy(message + sizeof head, body, size);
    // The kernel may have canceled a request.
    if (write(device, message, head.len) < 0 && errno != ENOENT) die("answer");
}

// A file system with one file, whose flush by the first process takes long.
static void serve(int device, int seconds) {
    static char request[1 << 17];
    struct fuse_attr file = {.ino = 2, .nlink = 1, .mode = S_IFREG | 0600};
    struct fuse_attr root = {.ino = 1, .nlink = 1, .mode = S_IFDIR | 0700};
    for (;;) {
        if (read(device, request, sizeof request) < 0) {
            if (errno == EINTR || errno == ENOENT) continue;
            exit(0);
        }
        struct fuse_in_header head;
        memcpy(&head, request, sizeof head);
        struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 65536};
        struct fuse_attr_out attributes = {.attr_valid = 1, .attr = head.nodeid == 1 ? root : file};
        struct fuse_entry_out entry = {
            .nodeid = 2, .entry_valid = 1, .attr_valid = 1, .attr = file};
        struct fuse_open_out opened = {.fh = 1};
        switch (head.opcode) {
        case FUSE_INIT: answer(device, head.unique, 0, &init, sizeof init); break;
        case FUSE_GETATTR: answer(device, head.unique, 0, &attributes, sizeof attributes); break;
        case FUSE_LOOKUP: answer(device, head.unique, 0, &entry, sizeof entry); break;
        case FUSE_OPEN: answer(device, head.unique, 0, &opened, sizeof opened); break;
        case FUSE_FLUSH:
            if (head.pid == 1) sleep(seconds);
            answer(device, head.unique, 0, "", 0);
            break;
        case FUSE_RELEASE: answer(device, head.unique, 0, "", 0); break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET: break;
        default: answer(device, head.unique, -ENOSYS, "", 0);
        }
    }
}

int main(int count, char **args) {
    if (count != 3) return 2;
    int seconds = atoi(args[1]);
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) die("/dev/fuse");
    char mountpoint[] = "/tmp/slow-exit-XXXXXX", options[64];
    if (!mkdtemp(mountpoint)) die("mkdtemp");
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (mount("slow", mountpoint, "fuse", MS_NOSUID | MS_NODEV, options)) die("mount");
    if (fork() == 0) serve(device, seconds);
    char path[64];
    snprintf(path, sizeof path, "%s/file", mountpoint);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) die("open");
    close(device);
    int ready[2];
    if (pipe2(ready, O_CLOEXEC)) die("pipe");
    if (fork() == 0) {
        close(file);
        for (int number = 0;; number++) {
            char word[16];
            snprintf(word, sizeof word, "%d", number);
            if (fork() == 0) {
                execl(args[2], "noop", word, NULL);
                _exit(1);
            }
            wait(NULL);
            if (number == 1 && write(ready[1], "x", 1) != 1) die("ready");
            usleep(500000);
        }
    }
    char byte;
    if (read(ready[0], &byte, 1) != 1) die("ready");
    umount2(mountpoint, MNT_DETACH);
    rmdir(mountpoint);
    return 0;
}
