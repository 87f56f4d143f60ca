/* A second thread executes `uname -a` in a child. Then the first thread executes `uname -s`. */
#include <pthread.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/wait.h>

extern char **environ;

static void *start(void *option) {
    char *argv[] = {"uname", option, NULL};
    pid_t child;
    if (posix_spawnp(&child, "uname", NULL, NULL, argv, environ) == 0)
        waitpid(child, NULL, 0);
    return NULL;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, start, "-a") != 0)
        return 1;
    pthread_join(thread, NULL);
    start("-s");
    return 0;
}
