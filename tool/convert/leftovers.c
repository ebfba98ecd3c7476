/* tool/convert/leftovers.c - what a signal has to remove before it ends the process. */
#include "tool/convert/leftovers.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEFTOVERS_MOST = 2 * 1024 };

static char *leftovers[LEFTOVERS_MOST]; /* [owned] */
static _Atomic unsigned leftover_count; /* stored behind its path */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

/* end: in the handler.  A path that has its final name by now is none of these. */
static void
end(int number)
{
    unsigned count = atomic_load_explicit(&leftover_count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++)
        (void)unlink(leftovers[i]);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void
take_signals(void)
{
    struct sigaction sa = {.sa_handler = end}, was;

    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
            (void)sigaction(signals[i], &sa, NULL);
}

int
leftovers_add(const char *path)
{
    unsigned count = atomic_load_explicit(&leftover_count, memory_order_relaxed);

    if (count == LEFTOVERS_MOST || (leftovers[count] = strdup(path)) == NULL)
        return -ENOMEM;
    if (count == 0)
        take_signals();
    atomic_store_explicit(&leftover_count, count + 1, memory_order_release);
    return 0;
}

void
leftovers_clear(void)
{
    unsigned count = atomic_load_explicit(&leftover_count, memory_order_relaxed);

    atomic_store_explicit(&leftover_count, 0, memory_order_release);
    for (unsigned i = 0; i < count; i++)
        free(leftovers[i]);
}
