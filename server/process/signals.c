/* server/process/signals.c - what the system tells the process. */
#include "server/process/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/net/loop.h"
#include "server/process/shutdown.h"
#include "snapshot/rdb/temp_file.h"

static atomic_bool asked, interrupted;
static atomic_int wake_fd = -1; /* [const after signals_init] */

static void answer(unsigned slice_us);
static struct loop_task task = {.place = LOOP_SIGNALS, .due_ms = LOOP_NEVER, .run = answer};

static void
on_signal(int number)
{
    uint64_t one = 1;
    int saved = errno;

    if (atomic_load_explicit(&asked, memory_order_relaxed) && number == SIGINT) {
        log_from_signal("You insist... exiting now.");
        temp_file_drop_noted();
        _exit(1);
    }
    /* the handler may run in another thread */
    if (__atomic_load_n(&db_state.loading, __ATOMIC_RELAXED)) {
        log_from_signal("Received shutdown signal during loading, exiting now.");
        shutdown_remove_pidfile();
        temp_file_drop_noted(); /* DEBUG RELOAD NOSAVE loads while a save runs */
        _exit(0);
    }
    log_from_signal(number == SIGINT ? "Received SIGINT scheduling shutdown..."
                                     : "Received SIGTERM scheduling shutdown...");
    atomic_store_explicit(&interrupted, number == SIGINT, memory_order_relaxed);
    atomic_store_explicit(&asked, true, memory_order_relaxed);
    if (write(atomic_load_explicit(&wake_fd, memory_order_relaxed), &one, sizeof one) < 0)
        log_from_signal("The event loop cannot be woken for the signal.");
    errno = saved;
}

static void
take_wake_up(struct loop_source *s, uint32_t events)
{
    uint64_t count;

    (void)s;
    (void)events;
    if (read(atomic_load_explicit(&wake_fd, memory_order_relaxed), &count, sizeof count) < 0 &&
        errno != EAGAIN)
        log_line(LOG_WARNING, "Reading the signals' eventfd: %s", strerror(errno));
    loop_task_at(&task, LOOP_NOW);
}

/* If the shutdown is not possible the next signal asks anew. */
static void
answer(unsigned slice_us)
{
    struct shutdown_request rq = {.save = false};
    const char *how;

    (void)slice_us;
    loop_task_at(&task, LOOP_NEVER);
    if (!atomic_load_explicit(&asked, memory_order_relaxed) || loop_state.stopping)
        return;
    how = atomic_load_explicit(&interrupted, memory_order_relaxed) ? config.shutdown_on_sigint.at
                                                                   : config.shutdown_on_sigterm.at;
    rq.nosave = strstr(how, "nosave") != NULL;
    rq.save = !rq.nosave && strstr(how, "save") != NULL;
    rq.force = strstr(how, "force") != NULL;
    if (shutdown_begin(&rq) == 0)
        return;
    log_line(
        LOG_WARNING,
        "SIGTERM received but errors trying to shut down the server, check the logs for more information");
    atomic_store_explicit(&asked, false, memory_order_relaxed);
}

void
signals_ignore(void)
{
    static const int numbers[] = {SIGPIPE, SIGHUP, SIGXFSZ};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigemptyset(&ignore.sa_mask);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &ignore, NULL);
}

int
signals_init(void)
{
    static struct loop_source source = {.ready = take_wake_up};
    struct sigaction handle = {.sa_handler = on_signal};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    must(atomic_load_explicit(&wake_fd, memory_order_relaxed) < 0); /* once */
    if ((r = loop_add(fd, EPOLLIN, &source)) < 0) {
        close(fd);
        return r;
    }
    loop_task_add(&task);
    atomic_store_explicit(&wake_fd, fd, memory_order_relaxed);
    sigemptyset(&handle.sa_mask);
    sigaction(SIGTERM, &handle, NULL);
    sigaction(SIGINT, &handle, NULL);
    return 0;
}
