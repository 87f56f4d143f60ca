// The program that tests run inside a workspace. The tests compile it and noop.c statically.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void run(const char *file, char **argv) {
    pid_t pid = vfork();
    if (pid == 0) {
        execv(file, argv);
        _exit(errno);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) die("run");
    if (status != 0) {
        fprintf(stderr, "%s: status %d\n", file, status);
        exit(1);
    }
}

// burst FILE COUNT: executes FILE as often as COUNT says. Each exec has its number as the argument.
static int burst(char **args) {
    int count = atoi(args[1]);
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        run(args[0], (char *[]){"noop", number, NULL});
    }
    return 0;
}

static uint32_t number(void) {
    uint32_t value;
    if (fread(&value, sizeof value, 1, stdin) != 1) die("short input");
    return value;
}

// replay FILE: executes FILE with each argv on standard input: argc, then length and bytes of each
// argument.
static int replay(char **args) {
    int c;
    while ((c = getchar()) != EOF) {
        ungetc(c, stdin);
        uint32_t argc = number();
        char **argv = calloc(argc + 1, sizeof *argv);
        for (uint32_t i = 0; i < argc; i++) {
            uint32_t length = number();
            argv[i] = calloc(length + 1, 1);
            if (length && fread(argv[i], length, 1, stdin) != 1) die("short input");
        }
        run(args[0], argv);
        for (uint32_t i = 0; i < argc; i++) free(argv[i]);
        free(argv);
    }
    return 0;
}

// announce FILE NUMBER PORT: announces its PID namespace. After 204 it executes FILE at once, with
// NUMBER as its argument.
static int announce(char **args) {
    char link[64] = {0}, request[256], response[256] = {0};
    if (readlink("/proc/self/ns/pid", link, sizeof link - 1) < 0) die("readlink");
    char *inum = strtok(strchr(link, '[') + 1, "]");
    int length = snprintf(request, sizeof request,
                          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(inum), inum);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(atoi(args[2])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, (void *)&to, sizeof to) < 0) die("connect");
    if (write(s, request, length) != length) die("write");
    if (read(s, response, sizeof response - 1) <= 0) die("read");
    if (strncmp(response, "HTTP/1.1 204", 12) != 0) {
        fprintf(stderr, "%s\n", response);
        return 1;
    }
    execv(args[0], (char *[]){"after", args[1], NULL});
    die("execv");
    return 1;
}

struct child {
    char *self, **args, *number;
};

static int become_announcer(void *argument) {
    struct child *child = argument;
    execv(child->self,
          (char *[]){"tool", "announce", child->args[0], child->number, child->args[2], NULL});
    return 1;
}

// race FILE COUNT PORT: makes COUNT namespaces, each announced by its first process.
static int race(char *self, char **args) {
    static char stack[64 * 1024] __attribute__((aligned(16)));
    int count = atoi(args[1]);
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        struct child child = {self, args, number};
        pid_t pid = clone(become_announcer, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, &child);
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            fprintf(stderr, "announcer %d: pid %d, status %d\n", i, pid, status);
            return 1;
        }
    }
    return 0;
}

static void failing(int with, int result) {
    if (result != -1 || errno != with) die("a failure that is not the one expected");
}

// fail DIR: fails to execute in many ways. DIR/plain is a file that is not executable, and
// DIR/garbage is an executable file of no known format.
static int fail(const char *dir) {
    char path[256], *const none[] = {"noop", NULL}, *const environment[] = {NULL};
    snprintf(path, sizeof path, "/nosuch:%s/nosuch:%s", dir, dir);
    setenv("PATH", path, 1);
    execvp("nowhere", none);
    snprintf(path, sizeof path, "%s/plain", dir);
    failing(EACCES, execve(path, none, environment));
    snprintf(path, sizeof path, "%s/plain/below", dir);
    failing(ENOTDIR, execve(path, none, environment));
    snprintf(path, sizeof path, "%s/garbage", dir);
    failing(ENOEXEC, execve(path, none, environment));
    char *long_argument = malloc(128 * 1024 + 1);
    memset(long_argument, 'x', 128 * 1024);
    long_argument[128 * 1024] = 0;
    failing(E2BIG, execve("/proc/self/exe", (char *[]){"noop", long_argument, NULL}, environment));
    failing(EFAULT, syscall(SYS_execve, 16L, none, environment));
    failing(ENOENT, syscall(SYS_execveat, AT_FDCWD, "nosuch\xff\n", none, environment, 0));
    failing(EBADF, syscall(SYS_execveat, 1000, "relative", none, environment, 0));
    failing(ENOENT, execve("", none, environment));
    return 0;
}

// fail_argv: fails to execute with arguments of many kinds.
static int fail_argv(void) {
    char *const environment[] = {NULL};
    char *bad = (char *)16;
    failing(ENOENT, execve("/nosuch/none", (char *[]){NULL}, environment));
    failing(ENOENT, syscall(SYS_execve, "/nosuch/array", bad, environment));
    failing(ENOENT, execve("/nosuch/word", (char *[]){"first", bad, "third", NULL}, environment));
    char *some[] = {"a b", "", "\xc3\xa9\n", "--password=hunter22", NULL};
    failing(ENOENT, execve("/nosuch/some", some, environment));
    char *many[1001] = {NULL};
    for (int i = 0; i < 1000; i++) many[i] = "x";
    failing(ENOENT, execve("/nosuch/many", many, environment));
    many[128] = NULL;
    failing(ENOENT, execve("/nosuch/most", many, environment));
    char half[701];
    memset(half, 'h', sizeof half - 1);
    half[sizeof half - 1] = 0;
    failing(ENOENT, execve("/nosuch/long", (char *[]){half, half, half, NULL}, environment));
    char whole[1025];
    memset(whole, 'w', sizeof whole - 1);
    whole[1024] = 0;
    failing(ENOENT, execve("/nosuch/longer", (char *[]){whole, NULL}, environment));
    whole[1023] = 0;
    failing(ENOENT, execve("/nosuch/whole", (char *[]){whole, NULL}, environment));
    return 0;
}

// fail_burst COUNT: fails to execute COUNT times.
static int fail_burst(int count) {
    char *const none[] = {"noop", NULL};
    for (int i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "/nosuch/%d", i);
        failing(ENOENT, execve(path, none, none + 1));
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && !strcmp(argv[1], "fail")) return fail(argv[2]);
    if (argc > 1 && !strcmp(argv[1], "fail_argv")) return fail_argv();
    if (argc > 2 && !strcmp(argv[1], "fail_burst")) return fail_burst(atoi(argv[2]));
    if (argc > 3 && !strcmp(argv[1], "burst")) return burst(argv + 2);
    if (argc > 2 && !strcmp(argv[1], "replay")) return replay(argv + 2);
    if (argc > 4 && !strcmp(argv[1], "announce")) return announce(argv + 2);
    if (argc > 4 && !strcmp(argv[1], "race")) return race(argv[0], argv + 2);
    fprintf(stderr, "usage: tool fail|fail_argv|fail_burst|burst|replay|announce|race ...\n");
    return 2;
}
