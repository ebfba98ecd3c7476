/* server/data/db/dump_slices.c - see dump_slices.h.
 *
 *     loop    post(go) wait(back) ........................ post(go) wait(back)
 *     thread           encodes until the time is over  post(back) wait(go) encodes ...
 *
 * The semaphores order all that both look at. */
#include "server/data/db/dump_slices.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/data/db/db.h"
#include "server/data/db/dump.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"
#include "snapshot/rdb/sink.h"

enum {
    LONG_BYTES = 1024 * 1024, /* of a value in one block */
    LONG_ELEMENTS = 4096,     /* of a structure: each takes some tenths of a microsecond */
    STACK_BYTES = 256 * 1024
};

struct dump_slices {
    pthread_t thread;
    sem_t go, back;
    const struct record *record;
    struct sink *out;
    int64_t until_us; /* the end of the slice */
    bool is_given_up, is_done;
    int result;
};

bool
dump_is_long(const struct record *r)
{
    struct value v = value_of(r);

    if (v.enc == ENC_ROOT)
        return type_of(v.type)->elements(v.root) > LONG_ELEMENTS;
    return (v.enc == ENC_OUTER || v.enc == ENC_INLINE) && v.blob.len > LONG_BYTES;
}

static void
wait_for(sem_t *s)
{
    while (sem_wait(s) < 0)
        must(errno == EINTR);
}

/* ---- the thread ---- */

static int
poll_slice(void *ctx)
{
    struct dump_slices *d = ctx;

    if (!d->is_given_up && os_monotonic_us() >= d->until_us) {
        must(sem_post(&d->back) == 0);
        wait_for(&d->go);
    }
    return d->is_given_up ? -ECANCELED : 0;
}

static void *
dump_main(void *arg)
{
    struct dump_slices *d = arg;

    os_thread_name("dump");
    wait_for(&d->go);
    d->result = d->is_given_up ? -ECANCELED : dump_encode(d->out, d->record, poll_slice, d);
    d->is_done = true;
    must(sem_post(&d->back) == 0);
    return NULL;
}

/* ---- the loop ---- */

/* start_thread: without signals, which are the loop's. */
static int
start_thread(struct dump_slices *d)
{
    pthread_attr_t attributes;
    sigset_t every, before;
    int error;

    if (pthread_attr_init(&attributes) != 0)
        return -ENOMEM;
    must(pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    sigfillset(&every);
    must(pthread_sigmask(SIG_SETMASK, &every, &before) == 0);
    error = pthread_create(&d->thread, &attributes, dump_main, d);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    (void)pthread_attr_destroy(&attributes);
    return error == 0 ? 0 : -ENOMEM;
}

int
dump_slices_begin(const struct record *r, struct dump_slices **ret)
{
    struct dump_slices *d;

    if (db_state.sliced_dumps == DUMP_SLICES_MAX)
        return -EAGAIN;
    if ((d = calloc(1, sizeof *d)) == NULL)
        return -ENOMEM;
    d->record = r;
    must(sem_init(&d->go, 0, 0) == 0 && sem_init(&d->back, 0, 0) == 0);
    if (sink_memory_open(&d->out) < 0)
        goto free_dump;
    if (start_thread(d) < 0)
        goto close_sink;
    db_state.sliced_dumps++;
    *ret = d;
    return 0;
close_sink:
    sink_close(d->out);
free_dump:
    (void)sem_destroy(&d->go);
    (void)sem_destroy(&d->back);
    free(d);
    return -ENOMEM;
}

int
dump_slices_go_on(struct dump_slices *d, unsigned budget_us)
{
    must(!d->is_done);
    d->until_us = os_monotonic_us() + budget_us;
    must(sem_post(&d->go) == 0);
    wait_for(&d->back);
    return d->is_done ? d->result : 1;
}

uint8_t *
dump_slices_take(struct dump_slices *d, size_t *ret_len)
{
    must(d->is_done && d->result == 0);
    return sink_memory_take(d->out, ret_len);
}

void
dump_slices_end(struct dump_slices *d)
{
    if (d == NULL)
        return;
    if (!d->is_done) {
        d->is_given_up = true;
        must(sem_post(&d->go) == 0);
        wait_for(&d->back);
    }
    must(pthread_join(d->thread, NULL) == 0);
    must(db_state.sliced_dumps > 0);
    db_state.sliced_dumps--;
    sink_close(d->out);
    (void)sem_destroy(&d->go);
    (void)sem_destroy(&d->back);
    free(d);
}
