/* tool/input/ahead.c - reading, unpacking and the checksums of packed forms, while the decoder is
 * at what came before. */
#include "tool/input/ahead_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "tool/base/large.h"

/* A piece is large enough that handing it over costs nothing, and small enough for a processor's
 * cache. */
enum { PIECES = 4, PIECE_BYTES = 512 * 1024 };

struct piece {
    uint8_t *bytes; /* behind their headroom */
    size_t len;     /* 0: the end */
    uint64_t place; /* stage_place() behind it */
    int error;
};

struct ahead {
    struct stage *top;         /* [owned; the thread's, while it runs] */
    struct stage_waits *waits; /* NULL: no stream */
    bool has_thread;           /* [const while it runs] */
    pthread_t thread;
    uint8_t *memory; /* [owned] of all pieces */
    struct piece piece[PIECES];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled; /* [lock] pieces so far */
    uint64_t taken;  /* [lock] those that the decoder has or had; it holds the last one */
    bool is_waiting; /* [lock] the decoder, for the next one */
    bool stop;       /* [lock] nobody wants more */
    uint64_t place;  /* the decoder's: behind what it holds */
};

/* wants_it_now: what has come so far of a pipe is better than nothing. */
static bool
wants_it_now(struct ahead *a)
{
    bool is_waiting;

    if (!a->has_thread || a->waits == NULL)
        return !a->has_thread;
    pthread_mutex_lock(&a->lock);
    is_waiting = a->is_waiting || a->stop;
    pthread_mutex_unlock(&a->lock);
    return is_waiting;
}

/* fill: all of it, but of a stream what is there. */
static void
fill(struct ahead *a, struct piece *p)
{
    size_t got = 1;
    int r = 0;

    p->len = 0;
    while (p->len < PIECE_BYTES && got > 0) {
        if (a->waits != NULL)
            a->waits->no_wait = p->len > 0;
        if ((r = stage_read(a->top, p->bytes + p->len, PIECE_BYTES - p->len, &got)) != 0)
            break;
        p->len += got;
        if (wants_it_now(a))
            break;
    }
    /* an error comes behind what came before it: the stage will say it again */
    p->error = p->len > 0 ? 0 : r;
    p->place = stage_place(a->top);
}

static void *
run(void *ctx)
{
    struct ahead *a = ctx;
    struct piece *p;
    bool go_on = true;

    os_thread_name("rdb input");
    while (go_on) {
        pthread_mutex_lock(&a->lock);
        /* one is the decoder's, until it asks for the next */
        while (!a->stop && a->filled - a->taken >= PIECES - 1)
            pthread_cond_wait(&a->changed, &a->lock);
        go_on = !a->stop;
        p = &a->piece[a->filled % PIECES];
        pthread_mutex_unlock(&a->lock);
        if (!go_on)
            break;
        fill(a, p);
        go_on = p->len > 0;
        pthread_mutex_lock(&a->lock);
        a->filled++;
        pthread_cond_signal(&a->changed);
        pthread_mutex_unlock(&a->lock);
    }
    return NULL;
}

/* next_piece: the one behind the last, when it is filled. */
static const struct piece *
next_piece(struct ahead *a)
{
    const struct piece *p;

    pthread_mutex_lock(&a->lock);
    a->is_waiting = true;
    while (a->filled == a->taken)
        pthread_cond_wait(&a->changed, &a->lock);
    a->is_waiting = false;
    p = &a->piece[a->taken % PIECES];
    if (p->len > 0) /* the last one, the end or an error, comes again and again */
        a->taken++;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return p;
}

static int
next(void *ctx, uint8_t **ret, size_t *ret_len)
{
    struct ahead *a = ctx;
    const struct piece *p = &a->piece[0];

    if (a->has_thread)
        p = next_piece(a);
    else
        fill(a, &a->piece[0]);
    a->place = p->place;
    if (p->error != 0)
        return p->error;
    *ret = p->bytes;
    *ret_len = p->len;
    return 0;
}

static const char *
wrong(void *ctx)
{
    return stage_wrong(((const struct ahead *)ctx)->top);
}

static uint64_t
consumed(void *ctx)
{
    return ((const struct ahead *)ctx)->place;
}

/* stop_thread: also one that waits for a pipe. */
static void
stop_thread(struct ahead *a)
{
    const uint64_t one = 1;
    uint64_t none;

    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (a->waits != NULL)
        must(write(a->waits->wake_fd, &one, sizeof one) == sizeof one);
    must(pthread_join(a->thread, NULL) == 0);
    if (a->waits != NULL)
        must(read(a->waits->wake_fd, &none, sizeof none) == sizeof none);
}

static void
close_all(void *ctx)
{
    struct ahead *a = ctx;

    if (a->has_thread)
        stop_thread(a);
    if (a->waits != NULL)
        a->waits->no_wait = false;
    stage_close(a->top);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->memory);
    free(a);
}

const struct rdb_reader ahead_reader = {
    .next = next, .wrong = wrong, .consumed = consumed, .close = close_all, .large = tool_large};

int
ahead_open(struct stage *top, struct stage_waits *waits, bool with_thread, struct ahead **ret)
{
    enum { EACH = RDB_READER_HEADROOM + PIECE_BYTES };
    struct ahead *a = calloc(1, sizeof *a);
    unsigned pieces = with_thread ? PIECES : 1;

    if (a == NULL || (a->memory = malloc(pieces * (size_t)EACH)) == NULL) {
        free(a);
        stage_close(top);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < pieces; i++)
        a->piece[i].bytes = a->memory + i * (size_t)EACH + RDB_READER_HEADROOM;
    a->top = top;
    a->waits = waits;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    a->has_thread = with_thread; /* the thread reads it */
    if (with_thread && pthread_create(&a->thread, NULL, run, a) != 0)
        a->has_thread = false; /* without one it goes on all the same */
    *ret = a;
    return 0;
}
