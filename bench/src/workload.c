// The measured workload: one kind of work, repeated. `exec`, `long`, `getppid` and `connect` print
// the time of all repetitions together, in nanoseconds; the other commands make PID namespaces.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// exec COUNT PAUSE_US FILE ARGUMENT...: executes FILE.
static int execs(char **args) {
    long count = atol(args[0]), pause = atol(args[1]);
    long long start = now();
    for (long i = 0; i < count; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execv(args[2], args + 2);
            _exit(errno);
        }
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) die("exec");
        if (pause) usleep(pause);
    }
    printf("%lld\n", now() - start);
    return 0;
}

// long COUNT BYTES FILE: executes FILE with BYTES of argv, FILE as argv[0] included. Each argument
// has at most 100,000 bytes.
static int long_argv(char **args) {
    char *with[66] = {args[0], "0", args[2]};
    long bytes = atol(args[1]) - (long)strlen(args[2]) - 1;
    for (int i = 3; bytes > 0 && i < 65; i++) {
        long length = bytes > 100000 ? 100000 : bytes;
        with[i] = memset(calloc(length, 1), 'a', length - 1);
        bytes -= length;
    }
    return execs(with);
}

static int getppids(char **args) {
    long count = atol(args[0]);
    long long start = now();
    for (long i = 0; i < count; i++) syscall(SYS_getppid);
    printf("%lld\n", now() - start);
    return 0;
}

// connect COUNT: connects a datagram socket, which sends nothing.
static int connects(char **args) {
    long count = atol(args[0]);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    long long start = now();
    for (long i = 0; i < count; i++)
        if (connect(s, (void *)&to, sizeof to) < 0) die("connect");
    printf("%lld\n", now() - start);
    return 0;
}

// each COUNT FILE: makes COUNT PID namespaces, one after the other; each executes FILE. All
// namespaces live until standard input ends.
static char *each_file;
static int execute_and_wait(void *unused) {
    (void)unused;
    if (vfork() == 0) {
        execl(each_file, "noop", NULL);
        _exit(1);
    }
    pause();
    return 0;
}

static int each(char **args) {
    static char stack[65536] __attribute__((aligned(16)));
    long count = atol(args[0]);
    pid_t *pids = calloc(count, sizeof *pids);
    each_file = args[1];
    for (long i = 0; i < count; i++) {
        pids[i] = clone(execute_and_wait, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, NULL);
        if (pids[i] < 0) die("clone");
    }
    puts("ready");
    fflush(stdout);
    getchar();
    for (long i = 0; i < count; i++) kill(pids[i], SIGKILL);
    for (long i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
    return 0;
}

// nest DEPTH COMMAND...: runs COMMAND in DEPTH nested PID namespaces.
static int nest(char **args) {
    long depth = atol(args[0]);
    for (long i = 0; i < depth; i++) {
        if (unshare(CLONE_NEWPID) < 0) die("unshare");
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid) {
            int status;
            waitpid(pid, &status, 0);
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
        }
    }
    execvp(args[1], args + 1);
    die("execvp");
    return 1;
}

int main(int argc, char **argv) {
    if (argc > 4 && !strcmp(argv[1], "exec")) return execs(argv + 2);
    if (argc > 4 && !strcmp(argv[1], "long")) return long_argv(argv + 2);
    if (argc > 2 && !strcmp(argv[1], "getppid")) return getppids(argv + 2);
    if (argc > 2 && !strcmp(argv[1], "connect")) return connects(argv + 2);
    if (argc > 3 && !strcmp(argv[1], "each")) return each(argv + 2);
    if (argc > 3 && !strcmp(argv[1], "nest")) return nest(argv + 2);
    fprintf(stderr, "usage: workload exec|long|getppid|connect|each|nest ...\n");
    return 2;
}
