/* tests/integration/sandbox_preload.c - LD_PRELOAD: code inside the process that makes the system
 * calls it is told to.  A thread, which is older than anything of the server, reads lines from the
 * FIFO of SANDBOX_ASK (a call's number and up to six arguments) and writes a line for each to the
 * file of SANDBOX_ANSWER: the result, or the errno below zero.  An argument "text" is the address
 * of a string of its own, "pid" the process. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS = 7 };

static int answer_fd;

static long
word_value(const char *word)
{
    static char text[] = "/bin/true";

    if (strcmp(word, "text") == 0)
        return (long)text;
    return strcmp(word, "pid") == 0 ? (long)getpid() : strtol(word, NULL, 0);
}

static void *
serve(void *path)
{
    char line[256];
    FILE *asked = fopen(path, "re"); /* waits for the test to open it, too */

    if (asked == NULL)
        abort();
    while (fgets(line, sizeof line, asked) != NULL) {
        long v[WORDS] = {0}, r;
        char *rest = NULL, *w = strtok_r(line, " \n", &rest);

        for (int i = 0; i < WORDS && w != NULL; i++, w = strtok_r(NULL, " \n", &rest))
            v[i] = word_value(w);
        r = syscall(v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
        dprintf(answer_fd, "%ld\n", r < 0 ? -(long)errno : r);
    }
    return NULL;
}

__attribute__((constructor)) static void
install(void)
{
    const char *answer = getenv("SANDBOX_ANSWER");
    sigset_t all, before;
    pthread_t thread;

    answer_fd = open(answer != NULL ? answer : "", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (answer_fd < 0)
        abort();
    sigfillset(&all); /* the server's signals are not for this thread */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, serve, getenv("SANDBOX_ASK")) != 0)
        abort();
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}
