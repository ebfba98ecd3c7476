/* tool/convert/writer.c - blocks of an output: packed and written, in their order. */
#include "tool/convert/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "tool/base/large.h"

/* write_slot: whose turn it is. */
static int
write_slot(struct writer *w, const struct writer_slot *s)
{
    if (!w->o.lz4) {
        sink_pass(w->o.medium, s->raw, s->len);
        return sink_error(w->o.medium);
    }
    lz4_frame_sum_add(&w->sum, s->raw, s->len);
    sink_pass(w->o.medium, s->packed, s->packed_len);
    return sink_error(w->o.medium);
}

static void
pack_slot(struct writer *w, struct writer_slot *s, void *state)
{
    if (w->o.lz4)
        s->packed_len = lz4_frame_block(state, s->packed, s->raw, s->len, w->o.level, true);
}

/* work: write the oldest block, or pack the next; with the lock, which is not held meanwhile.
 * False: there is nothing to do. */
static bool
work(struct writer *w, void *state)
{
    struct writer_slot *s = &w->slot[w->written % w->slots];
    int r;

    if (!w->is_writing && w->written < w->filled && s->state == SLOT_PACKED) {
        w->is_writing = true;
        pthread_mutex_unlock(&w->lock);
        r = write_slot(w, s);
        pthread_mutex_lock(&w->lock);
        w->is_writing = false;
        w->error = w->error != 0 ? w->error : r;
        w->written++;
        s->state = SLOT_FREE;
    } else if (w->packing < w->filled) {
        s = &w->slot[w->packing++ % w->slots];
        s->state = SLOT_TAKEN;
        pthread_mutex_unlock(&w->lock);
        pack_slot(w, s, state);
        pthread_mutex_lock(&w->lock);
        s->state = SLOT_PACKED;
    } else {
        return false;
    }
    pthread_cond_broadcast(&w->changed);
    return true;
}

struct worker {
    struct writer *writer;
    void *state;
};

static void *
run_worker(void *ctx)
{
    struct worker me = *(struct worker *)ctx;

    free(ctx);
    pthread_mutex_lock(&me.writer->lock);
    while (!me.writer->is_over)
        if (!work(me.writer, me.state))
            pthread_cond_wait(&me.writer->changed, &me.writer->lock);
    pthread_mutex_unlock(&me.writer->lock);
    return NULL;
}

static void *
own_state(const struct writer *w)
{
    return w->states[WRITER_THREADS_MOST];
}

/* await: until no more than `left` blocks are on their way; help meanwhile. */
static int
await(struct writer *w, uint64_t left)
{
    int r;

    pthread_mutex_lock(&w->lock);
    while (w->filled - w->written > left)
        if (!work(w, own_state(w)))
            pthread_cond_wait(&w->changed, &w->lock);
    r = w->error;
    pthread_mutex_unlock(&w->lock);
    return r;
}

/* take: a block: the sink's own buffer, for which it gets another one, or a copy. */
static int
take(struct writer *w, const uint8_t *bytes, size_t len)
{
    struct writer_slot *s;
    uint8_t *own = w->sink.buf;
    int r;

    tool_large_let_go(); /* of what was copied from there */
    if ((r = await(w, w->slots - 1)) < 0)
        return r;
    s = &w->slot[w->filled % w->slots];
    if (bytes == own) {
        w->sink.buf = s->raw;
        s->raw = own;
    } else {
        memcpy(s->raw, bytes, len);
    }
    s->len = len;
    pthread_mutex_lock(&w->lock);
    s->state = SLOT_FULL;
    w->filled++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return w->started > 0 ? 0 : await(w, 0);
}

static int
writer_write(struct sink *s, const void *bytes, size_t len)
{
    struct writer *w = (struct writer *)s;
    const uint8_t *p = bytes;
    int r = 0;

    for (size_t n; len > 0 && r == 0; p += n, len -= n) {
        n = len < w->o.block_bytes ? len : w->o.block_bytes;
        r = take(w, p, n);
    }
    return r;
}

static int
writer_commit(struct sink *s)
{
    return writer_end((struct writer *)s);
}

static void
writer_close_sink(struct sink *s)
{
    writer_close((struct writer *)s);
}

static const struct sink_ops writer_ops = {writer_write, writer_commit, writer_close_sink};

int
writer_end(struct writer *w)
{
    uint8_t tail[LZ4_FRAME_TAIL_BYTES];
    int r;

    if ((r = sink_flush(&w->sink)) < 0 || (r = await(w, 0)) < 0)
        return r;
    if (w->o.lz4)
        sink_put(w->o.medium, tail, lz4_frame_tail(tail, true, lz4_frame_sum_end(&w->sum)));
    return sink_error(w->o.medium);
}

void
writer_close(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_over = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->started; i++)
        pthread_join(w->thread[i], NULL);
    for (unsigned i = 0; i < w->slots; i++) {
        free(w->slot[i].raw);
        free(w->slot[i].packed);
    }
    for (unsigned i = 0; i <= WRITER_THREADS_MOST; i++)
        free(w->states[i]);
    free(w->sink.buf);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
}

/* start_worker: one that cannot be started leaves its work to the others. */
static void
start_worker(struct writer *w)
{
    struct worker *me = malloc(sizeof *me);

    if (me == NULL)
        return;
    *me = (struct worker){w, w->states[w->started]};
    if (pthread_create(&w->thread[w->started], NULL, run_worker, me) == 0)
        w->started++;
    else
        free(me);
}

/* get_memory: false: there is none. */
static bool
get_memory(struct writer *w)
{
    bool ok = (w->sink.buf = malloc(w->o.block_bytes)) != NULL;

    for (unsigned i = 0; i < w->slots; i++) {
        ok = (w->slot[i].raw = malloc(w->o.block_bytes)) != NULL && ok;
        if (w->o.lz4)
            ok =
                (w->slot[i].packed = malloc(lz4_frame_block_bound(w->o.block_bytes))) != NULL && ok;
    }
    for (unsigned i = 0; w->o.lz4 && i <= WRITER_THREADS_MOST; i++)
        if (i < w->o.threads || i == WRITER_THREADS_MOST)
            ok = (w->states[i] = malloc(lz4_frame_state_bytes())) != NULL && ok;
    return ok;
}

int
writer_open(struct writer *w, const struct writer_options *o)
{
    uint8_t head[LZ4_FRAME_HEAD_BYTES];

    must(o->block_bytes > 0 && o->block_bytes <= LZ4_FRAME_BLOCK_BYTES);
    must(o->threads <= WRITER_THREADS_MOST);
    *w = (struct writer){.o = *o, .slots = o->threads > 0 ? WRITER_SLOTS : 1};
    w->sink.ops = &writer_ops;
    w->sink.capacity_bytes = o->block_bytes;
    w->sink.with_crc = !o->lz4; /* a frame has sums of its own */
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (!get_memory(w)) {
        writer_close(w);
        return -ENOMEM;
    }
    lz4_frame_sum_begin(&w->sum);
    if (o->lz4)
        sink_put(o->medium, head, lz4_frame_head(head, true));
    for (unsigned i = 0; i < o->threads; i++)
        start_worker(w);
    return 0;
}
