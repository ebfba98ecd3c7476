/* snapshot/joiner.c - lanes, the queue, the turn; and the writer's side of them.  The contract is
 * in joiner.h. */
#include "snapshot/joiner.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "mm/base/crc64.h"
#include "mm/base/fault.h"
#include "mm/base/le.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/spare.h"
#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/rdb.h"

_Static_assert((int)JOINER_CHUNK_BYTES <= (int)LZ4_FRAME_BLOCK_BYTES, "a chunk is a block");

enum {
    CHUNKS_AHEAD = 2, /* with the writer, or on their way, beyond one for each lane (J3) */
    /* A chunk is handed over at the end of a record when no more than this is left of it, so that
     * few records begin in one chunk and end in the next. */
    CHUNK_REST_BYTES = JOINER_CHUNK_BYTES / 16,
    NOBODY = -1
};

/* So much time counts at most when the writer was slower than its rate and may catch up; and how
 * long it sleeps at a time. */
enum { RATE_SLACK_US = 100 * 1000, RATE_SLEEP_US = 20 * 1000 };

struct chunk {
    struct chunk *next;
    size_t raw_bytes, packed_bytes;
    uint64_t crc;                    /* of the raw bytes */
    uint8_t raw[JOINER_CHUNK_BYTES]; /* RDB */
    uint8_t packed[];                /* of RDB_LZ4: the frame's block */
};

static bool
packs(const struct joiner *j)
{
    return j->o.compression == RDB_LZ4;
}

static size_t
chunk_bytes(const struct joiner *j)
{
    return sizeof(struct chunk) + (packs(j) ? lz4_frame_block_bound(JOINER_CHUNK_BYTES) : 0);
}

static struct chunk *
chunk_new(const struct joiner *j)
{
    return fault_point(FAULT_sink_buffer) ? NULL : spare_take(chunk_bytes(j));
}

void
joiner_begin(struct joiner *j, const struct joiner_options *o)
{
    must(o->lanes >= 1 && o->lanes <= JOINER_LANES_MAX);
    must(j->free_chunks == NULL && j->queue == NULL && j->open_lanes == 0); /* the last one ended */
    j->o = *o;
    j->queue_end = &j->queue;
    j->chunks = 0;
    j->open_lanes = o->lanes;
    j->turn = o->lanes > 1 ? 0 : NOBODY; /* J2 */
    j->error = 0;
    j->crc = 0;
    must(j->pack_state == NULL);
    atomic_store_explicit(&j->raw_bytes, 0, memory_order_relaxed);
}

void
joiner_fail(struct joiner *j, int error)
{
    must(error < 0);
    pthread_mutex_lock(&j->lock);
    if (j->error == 0)
        j->error = error;
    pthread_cond_broadcast(&j->chunk_free);
    pthread_cond_broadcast(&j->turn_free);
    pthread_mutex_unlock(&j->lock);
}

/* ---- lanes: [sweep] ---- */

/* lane_wait: with the lock held. */
static void
lane_wait(struct lane *l, pthread_cond_t *c)
{
    const struct joiner_options *o = &l->joiner->o;

    if (o->before_wait != NULL)
        o->before_wait();
    pthread_cond_wait(c, &l->joiner->lock);
    if (o->after_wait != NULL)
        o->after_wait();
}

/* take_chunk: with the lock held: an empty one, or NULL: the stream has failed. */
static struct chunk *
take_chunk(struct lane *l)
{
    struct joiner *j = l->joiner;
    struct chunk *c;

    while (j->free_chunks == NULL && j->error == 0) {
        if (j->chunks < j->o.lanes + CHUNKS_AHEAD) { /* J3 */
            j->chunks++;
            if ((c = chunk_new(j)) != NULL)
                return c;
            j->chunks--;
            if (j->chunks <= j->o.lanes) { /* with fewer somebody might wait for ever */
                j->error = -ENOMEM;
                break;
            }
        }
        lane_wait(l, &j->chunk_free);
    }
    if (j->error != 0)
        return NULL;
    c = j->free_chunks;
    j->free_chunks = c->next;
    return c;
}

/* hold: this is the chunk in hand now; NULL: none, and the lane reports why. */
static int
hold(struct lane *l, struct chunk *c)
{
    l->chunk = c;
    if (c == NULL)
        return l->joiner->error;
    l->sink.buf = c->raw;
    return 0;
}

/* note_turn: a lane that is alone needs none, and is never cut; one that has it gives it back with
 * the record's end. */
static void
note_turn(struct lane *l, bool has_turn)
{
    bool alone = l->joiner->o.lanes == 1;

    l->has_turn = has_turn && !alone;
    l->boundary_fill = alone ? SIZE_MAX : l->has_turn ? 0 : JOINER_CHUNK_BYTES - CHUNK_REST_BYTES;
}

/* pack: what can be done of the writer's work before its turn comes. */
static void
pack(struct lane *l, struct chunk *c)
{
    const struct joiner_options *o = &l->joiner->o;

    if (packs(l->joiner))
        c->packed_bytes =
            lz4_frame_block(l->pack_state, c->packed, c->raw, c->raw_bytes, o->level, o->checksum);
    else if (o->checksum)
        c->crc = crc64(0, c->raw, c->raw_bytes);
}

/* submit: queue the chunk in hand, and take another.  keep: the record goes on in the next one
 * (J1). */
static int
submit(struct lane *l, size_t len, bool keep)
{
    struct joiner *j = l->joiner;
    struct chunk *c = l->chunk;
    int r;

    if (c == NULL)
        return l->sink.error;
    c->raw_bytes = len;
    c->next = NULL;
    pack(l, c);
    atomic_fetch_add_explicit(&j->raw_bytes, len, memory_order_relaxed);
    pthread_mutex_lock(&j->lock);
    while (j->turn != NOBODY && j->turn != (int)l->index && j->error == 0)
        lane_wait(l, &j->turn_free);
    *j->queue_end = c; /* O-11 */
    j->queue_end = &c->next;
    pthread_cond_signal(&j->chunk_queued);
    j->turn = keep && j->o.lanes > 1 ? (int)l->index : NOBODY;
    if (j->turn == NOBODY)
        pthread_cond_broadcast(&j->turn_free);
    r = hold(l, take_chunk(l));
    pthread_mutex_unlock(&j->lock);
    note_turn(l, keep);
    return r;
}

/* lane_write: the sink's buffer is full, or bytes come that fill it at once. */
static int
lane_write(struct sink *s, const void *bytes, size_t len)
{
    struct lane *l = (struct lane *)s;
    const uint8_t *p = bytes;
    int r = 0;

    while (len > 0 && r == 0) {
        size_t n = len < JOINER_CHUNK_BYTES ? len : JOINER_CHUNK_BYTES;

        if (l->chunk == NULL)
            return -ECANCELED; /* the error was told already */
        if (p != l->chunk->raw)
            memcpy(l->chunk->raw, p, n);
        r = submit(l, n, true);
        p += n;
        len -= n;
    }
    return r;
}

static int
lane_commit(struct sink *s)
{
    (void)s;
    must(!"a lane has no file of its own");
    return -EINVAL;
}

static void
lane_sink_close(struct sink *s)
{
    (void)s;
    must(!"lane_close() closes a lane");
}

static const struct sink_ops lane_ops = {lane_write, lane_commit, lane_sink_close};

int
lane_open(struct lane *l, struct joiner *j, unsigned index)
{
    int r = 0;

    must(index < j->o.lanes);
    *l = (struct lane){.joiner = j, .index = index};
    l->sink.ops = &lane_ops;
    note_turn(l, index == 0); /* J2 */
    if (packs(j) && (l->pack_state = spare_take(lz4_frame_state_bytes())) == NULL) {
        joiner_fail(j, -ENOMEM);
        return sink_fail(&l->sink, -ENOMEM, "start");
    }
    pthread_mutex_lock(&j->lock);
    r = hold(l, take_chunk(l));
    pthread_mutex_unlock(&j->lock);
    if (r < 0)
        return sink_fail(&l->sink, r, "start");
    l->sink.capacity_bytes = JOINER_CHUNK_BYTES;
    return 0;
}

/* hand_over: what was put since the last chunk, and the turn. */
static void
hand_over(struct lane *l)
{
    size_t len = l->sink.fill;
    int r;

    l->sink.fill = 0;
    if (l->sink.error != 0)
        return;
    l->sink.put_bytes += len;
    if ((r = submit(l, len, false)) < 0)
        sink_fail(&l->sink, r, "write");
}

bool
lane_boundary(struct lane *l)
{
    if (l->sink.fill < l->boundary_fill || l->sink.fill == 0)
        return false;
    hand_over(l);
    return true;
}

int
lane_close(struct lane *l)
{
    struct joiner *j = l->joiner;
    int r;

    if (l->sink.fill > 0)
        hand_over(l);
    r = l->sink.error;
    spare_give(l->pack_state, lz4_frame_state_bytes());
    pthread_mutex_lock(&j->lock);
    if (l->chunk != NULL) {
        l->chunk->next = j->free_chunks;
        j->free_chunks = l->chunk;
    }
    if (j->turn == (int)l->index) {
        j->turn = NOBODY;
        pthread_cond_broadcast(&j->turn_free);
    }
    pthread_cond_broadcast(&j->chunk_free);
    must(j->open_lanes > 0);
    if (--j->open_lanes == 0)
        pthread_cond_signal(&j->chunk_queued);
    pthread_mutex_unlock(&j->lock);
    return r;
}

/* ---- the writer ---- */

/* What was written is a debt, which time pays at the rate that holds at that time. */
struct pace {
    double debt_bytes;
    int64_t paid_us; /* when it was last paid; 0: nothing was written yet */
};

static void
sleep_us(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&t, NULL);
}

/* pay: true: nothing is owed. */
static bool
pay(struct pace *p, uint64_t rate)
{
    int64_t now = os_monotonic_us();

    p->debt_bytes -= (double)rate * (double)(now - p->paid_us) / 1e6;
    p->paid_us = now;
    if (rate == 0)
        p->debt_bytes = 0;
    if (p->debt_bytes < -(double)rate * RATE_SLACK_US / 1e6)
        p->debt_bytes = -(double)rate * RATE_SLACK_US / 1e6;
    return p->debt_bytes <= 0;
}

static void
keep_pace(struct pace *p, const _Atomic uint64_t *rate, size_t len, const _Atomic bool *cancel)
{
    if (p->paid_us == 0)
        p->paid_us = os_monotonic_us();
    (void)pay(p, atomic_load_explicit(rate, memory_order_relaxed));
    p->debt_bytes += (double)len;
    while (!pay(p, atomic_load_explicit(rate, memory_order_relaxed)) &&
           !atomic_load_explicit(cancel, memory_order_relaxed))
        sleep_us(RATE_SLEEP_US);
}

/* next_chunk: with the lock held.  NULL: all lanes are closed, and there is no more. */
static struct chunk *
next_chunk(struct joiner *j)
{
    struct chunk *c;

    while (j->queue == NULL && j->open_lanes > 0)
        pthread_cond_wait(&j->chunk_queued, &j->lock);
    if ((c = j->queue) == NULL)
        return NULL;
    j->queue = c->next;
    if (j->queue == NULL)
        j->queue_end = &j->queue;
    return c;
}

static size_t
chunk_file_bytes(const struct joiner *j, const struct chunk *c)
{
    return packs(j) ? c->packed_bytes : c->raw_bytes;
}

static int
write_chunk(struct joiner *j, const struct chunk *c, struct sink *out)
{
    if (packs(j)) {
        if (j->o.checksum)
            lz4_frame_sum_add(&j->content, c->raw, c->raw_bytes);
        sink_pass(out, c->packed, c->packed_bytes);
    } else {
        if (j->o.checksum)
            j->crc = crc64_joined(j->crc, c->crc, c->raw_bytes);
        sink_pass(out, c->raw, c->raw_bytes);
    }
    return sink_error(out);
}

/* begin_frame: 0 or -errno. */
static int
begin_frame(struct joiner *j, struct sink *out)
{
    uint8_t head[LZ4_FRAME_HEAD_BYTES];

    if ((j->pack_state = spare_take(lz4_frame_state_bytes())) == NULL)
        return -ENOMEM;
    lz4_frame_sum_begin(&j->content);
    sink_put(out, head, lz4_frame_head(head, j->o.checksum));
    return sink_error(out);
}

int
joiner_write(struct joiner *j, struct sink *out, const _Atomic uint64_t *rate,
             const _Atomic bool *cancel, _Atomic uint64_t *done)
{
    struct pace pace = {0};
    struct chunk *c;
    int r = packs(j) && out != NULL ? begin_frame(j, out) : 0;

    if (r < 0)
        joiner_fail(j, r);
    pthread_mutex_lock(&j->lock);
    while ((c = next_chunk(j)) != NULL) {
        if (j->error == 0) {
            must(out != NULL);
            pthread_mutex_unlock(&j->lock);
            os_thread_give_way();
            r = write_chunk(j, c, out);
            atomic_store_explicit(done, out->put_bytes, memory_order_relaxed);
            keep_pace(&pace, rate, chunk_file_bytes(j, c), cancel);
            if (r < 0)
                joiner_fail(j, r);
            pthread_mutex_lock(&j->lock);
        }
        c->next = j->free_chunks;
        j->free_chunks = c;
        pthread_cond_broadcast(&j->chunk_free);
    }
    r = j->error;
    pthread_mutex_unlock(&j->lock);
    return r;
}

/* The RDB's own checksum is zero in a frame, which has its own. */
int
joiner_finish(struct joiner *j, struct sink *out)
{
    uint8_t end[9] = {RDB_OP_EOF}, packed[sizeof end + LZ4_FRAME_BLOCK_EXTRA_BYTES];
    uint8_t tail[LZ4_FRAME_TAIL_BYTES];

    must(j->open_lanes == 0 && j->queue == NULL);
    if (!packs(j)) {
        if (j->o.checksum)
            le_store(end + 1, crc64(j->crc, end, 1), 8);
        sink_put(out, end, sizeof end);
        return sink_flush(out);
    }
    lz4_frame_sum_add(&j->content, end, sizeof end);
    sink_put(out, packed,
             lz4_frame_block(j->pack_state, packed, end, sizeof end, 0, j->o.checksum));
    sink_put(out, tail, lz4_frame_tail(tail, j->o.checksum, lz4_frame_sum_end(&j->content)));
    return sink_flush(out);
}

void
joiner_end(struct joiner *j)
{
    must(j->open_lanes == 0 && j->queue == NULL);
    while (j->free_chunks != NULL) {
        struct chunk *c = j->free_chunks;

        j->free_chunks = c->next;
        spare_give(c, chunk_bytes(j));
        j->chunks--;
    }
    must(j->chunks == 0);
    spare_give(j->pack_state, lz4_frame_state_bytes());
    j->pack_state = NULL;
}
