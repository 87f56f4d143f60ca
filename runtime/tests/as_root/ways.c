// ways NAME FILE: executes FILE in the way NAME. The test compiles it statically.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *file;
static char *argv_of_way[] = {"noop", NULL, NULL};
static char *environment[] = {"KEY=value", NULL};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void plain(void) {
    execve(file, argv_of_way, environment);
    die("execve");
}

static int copy_to(int to) {
    int from = open(file, O_RDONLY);
    struct stat stat;
    if (from < 0 || fstat(from, &stat) < 0) die(file);
    char *bytes = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, from, 0);
    if (write(to, bytes, stat.st_size) != stat.st_size) die("copy");
    close(from);
    return to;
}

static void execveat_path(void) {
    syscall(SYS_execveat, AT_FDCWD, file, argv_of_way, environment, 0);
    die("execveat");
}

static void execveat_dirfd(void) {
    char *copy = strdup(file);
    int dir = open(dirname(copy), O_PATH | O_DIRECTORY);
    copy = strdup(file);
    syscall(SYS_execveat, dir, basename(copy), argv_of_way, environment, 0);
    die("execveat");
}

static void execveat_empty_path(void) {
    int fd = open(file, O_PATH);
    syscall(SYS_execveat, fd, "", argv_of_way, environment, AT_EMPTY_PATH);
    die("execveat");
}

static void fexecve_deleted(void) {
    char path[] = "/tmp/deletedXXXXXX";
    int fd = copy_to(mkstemp(path));
    fchmod(fd, 0755);
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    unlink(path);
    fexecve(fd, argv_of_way, environment);
    die("fexecve");
}

static void memfd(void) {
    int fd = copy_to(memfd_create("secret", MFD_CLOEXEC));
    fexecve(fd, argv_of_way, environment);
    die("fexecve");
}

static int wait_for(pid_t pid) {
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) die("wait");
    return status;
}

static void spawned(void) {
    pid_t pid;
    if (posix_spawn(&pid, file, NULL, NULL, argv_of_way, environment)) die("posix_spawn");
    exit(wait_for(pid));
}

static void vforked(void) {
    pid_t pid = vfork();
    if (pid == 0) {
        execve(file, argv_of_way, environment);
        _exit(1);
    }
    exit(wait_for(pid));
}

static void *exec_in_thread(void *unused) {
    (void)unused;
    plain();
    return NULL;
}

static void thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, exec_in_thread, NULL);
    pause();
}

static void unshared(int flags) {
    if (unshare(flags) < 0) die("unshare");
    pid_t pid = fork();
    if (pid == 0) plain();
    exit(wait_for(pid));
}

static void unshare_mount(void) { unshared(CLONE_NEWNS); }
static void unshare_net(void) { unshared(CLONE_NEWNET); }
static void unshare_user(void) { unshared(CLONE_NEWUSER); }
static void unshare_pid(void) { unshared(CLONE_NEWPID); }
static void unshare_all(void) {
    unshared(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
             CLONE_NEWUTS);
}

// unshare(CLONE_NEWPID) moves only later children: the process itself stays in its PID namespace,
// and executes there.
static void unshare_pid_without_fork(void) {
    if (unshare(CLONE_NEWPID) < 0) die("unshare");
    plain();
}

static void setns_net(void) {
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) < 0 || setns(own, CLONE_NEWNET) < 0) die("setns");
    plain();
}

static void chrooted(void) {
    char dir[] = "/tmp/rootXXXXXX", path[64];
    if (!mkdtemp(dir)) die("mkdtemp");
    snprintf(path, sizeof path, "%s/noop", dir);
    int fd = copy_to(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
    close(fd);
    pid_t pid = fork();
    if (pid == 0) {
        if (chroot(dir) < 0 || chdir("/") < 0) die("chroot");
        file = "/noop";
        plain();
    }
    int status = wait_for(pid);
    unlink(path);
    rmdir(dir);
    exit(status);
}

static void empty_argv0(void) {
    argv_of_way[0] = "";
    plain();
}

static void lying_argv0(void) {
    argv_of_way[0] = "/usr/bin/innocent";
    plain();
}

static void no_argv(void) {
    char *none[] = {NULL};
    execve(file, none, environment);
    die("execve");
}

static void no_environment(void) {
    char *none[] = {NULL};
    execve(file, argv_of_way, none);
    die("execve");
}

static void seccomp(void) {
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        die("seccomp");
    plain();
}

static void ptraced(void) {
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        plain();
    }
    int status = wait_for(pid);
    while (WIFSTOPPED(status)) {
        ptrace(PTRACE_CONT, pid, NULL, NULL);
        status = wait_for(pid);
    }
    exit(status);
}

static void daemonized(void) {
    int done[2];
    if (pipe2(done, 0) < 0) die("pipe");
    if (fork() == 0) {
        setsid();
        if (fork() == 0) plain();
        _exit(0);
    }
    close(done[1]);
    char byte;
    // The pipe closes when the daemon ends.
    if (read(done[0], &byte, 1) != 0) die("read");
}

static void renamed(void) {
    prctl(PR_SET_NAME, "renamed");
    plain();
}

static const struct way {
    const char *name;
    void (*run)(void);
} ways[] = {
    {"execve", plain},
    {"execveat_path", execveat_path},
    {"execveat_dirfd", execveat_dirfd},
    {"execveat_empty_path", execveat_empty_path},
    {"fexecve_deleted", fexecve_deleted},
    {"memfd", memfd},
    {"posix_spawn", spawned},
    {"vfork", vforked},
    {"thread", thread},
    {"unshare_mount", unshare_mount},
    {"unshare_net", unshare_net},
    {"unshare_user", unshare_user},
    {"unshare_pid", unshare_pid},
    {"unshare_pid_without_fork", unshare_pid_without_fork},
    {"unshare_all", unshare_all},
    {"setns_net", setns_net},
    {"chroot", chrooted},
    {"empty_argv0", empty_argv0},
    {"lying_argv0", lying_argv0},
    {"no_argv", no_argv},
    {"no_environment", no_environment},
    {"seccomp", seccomp},
    {"ptrace", ptraced},
    {"daemon", daemonized},
    {"renamed", renamed},
};

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    file = argv[2];
    argv_of_way[1] = argv[1];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].name, argv[1])) {
            ways[i].run();
            return 0;
        }
    fprintf(stderr, "no way %s\n", argv[1]);
    return 2;
}
