// Executes a program, and overwrites the filename and arguments on its new stack, if possible
// before the program's first instruction: `stack_writer PROGRAM FILENAME [split]`. The new filename
// and arguments are as long as the old ones; with `split`, one more NUL makes three arguments of
// the two. Prints `written` if it could write while PROGRAM existed, else `late`, and PROGRAM's
// exit status.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const ARGUMENTS[] = {"secret-word", "--upload", NULL};
static const char OLD[] = "secret-word\0--upload", NEW[] = "harmless-ls\0--please",
                  SPLIT[] = "harmless\0ls\0--please";

// Finds the address of the new program's stack. Returns 0 while the child still runs
// stack_writer.
static int stack(pid_t child, const char *program, unsigned long *from, unsigned long *to) {
    char path[64], line[8192];
    snprintf(path, sizeof path, "/proc/%d/maps", child);
    FILE *maps = fopen(path, "re");
    if (!maps) return 0;
    int is_new = 0, found = 0;
    while (fgets(line, sizeof line, maps)) {
        if (strstr(line, program)) is_new = 1;
        if (strstr(line, "[stack]") && sscanf(line, "%lx-%lx", from, to) == 2) found = 1;
    }
    fclose(maps);
    return is_new && found;
}

static int copy(pid_t child, int write, void *here, unsigned long there, size_t size) {
    struct iovec local = {here, size}, remote = {(void *)there, size};
    ssize_t copied = write ? process_vm_writev(child, &local, 1, &remote, 1, 0)
                           : process_vm_readv(child, &local, 1, &remote, 1, 0);
    return copied == (ssize_t)size;
}

int main(int count, char **args) {
    if (count < 3 || count > 4 || strlen(args[1]) != strlen(args[2])) return 2;
    volatile int *go = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        *go = 1;
        execve(args[1], ARGUMENTS, (char *[]){"HOME=/", NULL});
        _exit(127);
    }
    while (!*go) usleep(1);
    const char *new = count > 3 ? SPLIT : NEW;
    static char bytes[8192];
    int written = 0, status = -1;
    while (waitpid(child, &status, WNOHANG) == 0) {
        unsigned long from, to;
        if (written || !stack(child, args[1], &from, &to)) continue;
        unsigned long at = to - sizeof bytes;
        if (at < from) at = from;
        size_t size = to - at;
        if (!copy(child, 0, bytes, at, size)) continue;
        char *argv = memmem(bytes, size, OLD, sizeof OLD);
        char *name = memmem(bytes, size, args[1], strlen(args[1]) + 1);
        if (!argv || !name) continue;
        written = copy(child, 1, args[2], at + (name - bytes), strlen(args[2])) &
                  copy(child, 1, (void *)new, at + (argv - bytes), sizeof OLD);
    }
    // The exit status shows whether the program ran to its end.
    printf("%s %d\n", written ? "written" : "late", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}
