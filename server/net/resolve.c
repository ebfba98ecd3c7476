/* server/net/resolve.c - see resolve.h.
 *
 * The thread writes its answer before it wakes the loop through an eventfd, and the loop reads it
 * after pthread_join(): that orders the two. */
#include "server/net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/net/loop.h"

struct resolve {
    struct loop_source source; /* first: the loop hands this back */
    pthread_t thread;
    int fd;                                          /* an eventfd */
    void (*done)(void *ctx, struct addrinfo *found); /* NULL: it was forgotten */
    void *ctx;
    bool is_answered;
    struct addrinfo *found; /* [thread, then mutator] */
    struct resolve *next;
    char *host, *port; /* behind this struct */
};

static struct resolve *all;
static unsigned count;

static void take_answers(unsigned slice_us);
static struct loop_task task = {.place = LOOP_DEADLINES, .due_ms = LOOP_NEVER, .run = take_answers};

static int
ask(const char *host, const char *port, int flags, struct addrinfo **ret)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};

    *ret = NULL;
    return getaddrinfo(host, port, &hints, ret);
}

static void *
resolve_main(void *arg)
{
    struct resolve *r = arg;
    const uint64_t one = 1;

    os_thread_name("resolver");
    if (ask(r->host, r->port, AI_ADDRCONFIG, &r->found) != 0)
        r->found = NULL;
    must(write(r->fd, &one, sizeof one) == (ssize_t)sizeof one);
    return NULL;
}

/* Called in a nested turn too (loop.h): the answer waits for a turn of the loop's own. */
static void
note_answer(struct loop_source *s, uint32_t events)
{
    struct resolve *r = (struct resolve *)(void *)s;

    (void)events;
    r->is_answered = true;
    loop_task_at(&task, LOOP_NOW);
}

static void
end(struct resolve *r)
{
    must(pthread_join(r->thread, NULL) == 0); /* it does not wait: the thread's last act is over */
    loop_remove(r->fd);
    (void)close(r->fd);
    if (r->done != NULL)
        r->done(r->ctx, r->found);
    else if (r->found != NULL)
        freeaddrinfo(r->found);
    free(r);
    count--;
}

static void
take_answers(unsigned slice_us)
{
    struct resolve *r;

    (void)slice_us;
    loop_task_at(&task, LOOP_NEVER);
    for (struct resolve **at = &all; (r = *at) != NULL;) {
        if (!r->is_answered) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        end(r);
    }
}

/* start_thread: without signals, which are the loop's. */
static int
start_thread(struct resolve *r)
{
    sigset_t every, before;
    int error;

    sigfillset(&every);
    must(pthread_sigmask(SIG_SETMASK, &every, &before) == 0);
    error = pthread_create(&r->thread, NULL, resolve_main, r);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return -error;
}

static struct resolve *
make(const char *host, const char *port)
{
    size_t host_bytes = strlen(host) + 1, port_bytes = strlen(port) + 1;
    struct resolve *r = calloc(1, sizeof *r + host_bytes + port_bytes);

    if (r == NULL)
        return NULL;
    r->source.ready = note_answer;
    r->host = (char *)(r + 1);
    r->port = r->host + host_bytes;
    memcpy(r->host, host, host_bytes);
    memcpy(r->port, port, port_bytes);
    return r;
}

static int
start(struct resolve *r)
{
    int error;

    if ((r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
        return -errno;
    if ((error = loop_add(r->fd, EPOLLIN, &r->source)) < 0)
        goto close_fd;
    if ((error = start_thread(r)) < 0)
        goto remove;
    return 0;
remove:
    loop_remove(r->fd);
close_fd:
    (void)close(r->fd);
    return error;
}

int
resolve_start(const char *host, const char *port, void (*done)(void *ctx, struct addrinfo *found),
              void *ctx, struct addrinfo **ret_found, struct resolve **ret)
{
    struct resolve *r;
    int error;

    *ret = NULL;
    if (ask(host, port, AI_NUMERICHOST, ret_found) == 0)
        return 0;
    if (count == RESOLVES_MAX)
        return -EAGAIN;
    if ((r = make(host, port)) == NULL)
        return -ENOMEM;
    if ((error = start(r)) < 0) {
        free(r);
        return error;
    }
    r->done = done;
    r->ctx = ctx;
    r->next = all;
    all = r;
    count++;
    loop_task_add(&task);
    *ret = r;
    return 0;
}

void
resolve_forget(struct resolve *r)
{
    r->done = NULL;
}
