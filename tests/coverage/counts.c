/* tests/coverage/counts.c - in the server of the coverage flavour: SIGUSR2 writes what was counted
 * and ends the process as SIGKILL does.
 *
 * Tests kill servers, and what these counted would be lost: tests/integration/resp.py asks in this
 * way, waits for a bounded time (the signal may have come within malloc()), and kills. */
#include <signal.h>
#include <unistd.h>

void __gcov_dump(void); /* libgcov's */

static void
write_and_end(int signal)
{
    (void)signal;
    __gcov_dump();
    kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void
begin(void)
{
    signal(SIGUSR2, write_and_end);
}
