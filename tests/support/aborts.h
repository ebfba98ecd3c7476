/* tests/support/aborts.h - does something end the process, as a broken rule must?
 *
 * It runs in a child of its own, so that a suite finds out with CK_FORK=no as well.
 * Threads: none but the caller's. */
#ifndef TESTS_SUPPORT_ABORTS_H
#define TESTS_SUPPORT_ABORTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* aborts: fn ends with SIGABRT.  False: it returns, or ends in another way. */
static inline bool
aborts(void (*fn)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(2);
        signal(SIGABRT, SIG_DFL); /* not the test framework's */
        fn();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
