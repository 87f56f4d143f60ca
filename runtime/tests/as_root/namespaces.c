// Makes many PID namespaces, none of them inside another: `namespaces COUNT PROGRAM`. Each
// namespace executes PROGRAM once, with its number, and lives until this process ends.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    for (int number = 0; number < atoi(argv[1]); number++) {
        int done[2];
        if (pipe(done)) return 1;
        pid_t first = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (first < 0) {
            perror("clone");
            return 1;
        }
        if (first == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            char word[16];
            snprintf(word, sizeof word, "%d", number);
            if (fork() == 0) {
                execl(argv[2], "noop", word, NULL);
                _exit(1);
            }
            int status = 1;
            wait(&status);
            if (status != 0) _exit(1);
            if (write(done[1], "x", 1) != 1) _exit(1);
            pause();
            _exit(0);
        }
        close(done[1]);
        char byte;
        if (read(done[0], &byte, 1) != 1) return 1;
        close(done[0]);
    }
    puts("done");
    fflush(stdout);
    pause();
    return 0;
}
