/* snapshot/sweep_run.c - from record slabs to RDB, in address order.  Threads: sweepers. */
#include <errno.h>

#include "mm/base/must.h"
#include "mm/base/step.h"
#include "mm/cut.h"
#include "snapshot/sweeper.h"

/* A slab with fewer used bytes than this part of it is read slot by slot. */
enum { SPARSE_PART = 4 };
enum { SLOTS_MAX = MM_BLOCK_BYTES / 16 }; /* the smallest slot has 16 bytes */

static bool
is_cancelled(const struct sweep_options *o)
{
    /* C1 */
    return o->view->cancel != NULL && atomic_load_explicit(o->view->cancel, memory_order_acquire);
}

/* copy_used: the bitmap as the walk below uses it.  A copy, because the walk passes quiescent
 * states (the sink leaves RCU around a write), and after a cancel the slab's own may be gone by
 * then (C1).  Returns the number of set bits. */
static uint32_t
copy_used(const struct mm_extent *x, uint64_t *ret_used)
{
    uint32_t n = 0;

    must(x->slots <= SLOTS_MAX);
    for (uint32_t w = 0; w * 64 < x->slots; w++) {
        ret_used[w] = x->used[w];
        n += (uint32_t)__builtin_popcountll(ret_used[w]);
    }
    return n;
}

/* hand_over: between two records. */
static void
hand_over(const struct sweep_options *o)
{
    if (lane_boundary(o->lane) && o->rq->ops->worker_break != NULL)
        o->rq->ops->worker_break(o->worker);
}

static int
save_slot(const struct sweep_options *o, const struct mm_extent *x, uint32_t slot,
          const uint8_t *staged)
{
    size_t bytes = x->slot_bytes < VIEW_CHUNK_BYTES ? x->slot_bytes : VIEW_CHUNK_BYTES;
    int r = o->rq->ops->save_record(o->worker, o->view, o->enc,
                                    x->base + (size_t)slot * x->slot_bytes, staged, bytes);

    debug_check(r <= SAVE_LEFT_OUT);
    if (r < 0)
        return r;
    if (o->lane != NULL && o->lane->sink.fill >= o->lane->boundary_fill)
        hand_over(o);
    return r;
}

/* What a block gave: added to the sweep's figures once, as other sweepers write them, too. */
struct found {
    uint64_t keys, left_out;
};

static void
note_found(const struct sweep_options *o, const struct found *f)
{
    if (f->keys != 0)
        atomic_fetch_add_explicit(&o->progress->keys, f->keys, memory_order_relaxed);
    if (f->left_out != 0)
        atomic_fetch_add_explicit(&o->progress->left_out, f->left_out, memory_order_relaxed);
}

static int
save_extent(const struct sweep_options *o, const struct mm_extent *x, struct found *f)
{
    size_t staged = x->bytes < VIEW_CHUNK_BYTES ? x->bytes : VIEW_CHUNK_BYTES;
    uint64_t used[SLOTS_MAX / 64];
    uint32_t count = copy_used(x, used);
    bool sparse = x->slots > 1 && (size_t)count * x->slot_bytes < x->bytes / SPARSE_PART;
    int r;

    if (count == 0)
        return 0;
    if (!sparse && (r = view_read(o->view, o->staging, x->base, staged)) < 0)
        return r;
    for (uint32_t w = 0; w * 64 < x->slots; w++) {
        uint64_t bits = used[w];

        for (; bits != 0; bits &= bits - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(bits);
            const uint8_t *at = sparse ? o->staging : o->staging + (size_t)slot * x->slot_bytes;

            if (sparse &&
                (r = view_read(o->view, o->staging, x->base + (size_t)slot * x->slot_bytes,
                               x->slot_bytes)) < 0)
                return r;
            if ((r = save_slot(o, x, slot, at)) < 0)
                return r;
            f->keys += r != SAVE_NO_KEY;
            f->left_out += r == SAVE_LEFT_OUT;
        }
    }
    return 0;
}

static bool
has_failed(const struct sweep_options *o)
{
    return o->failed != NULL && atomic_load_explicit(o->failed, memory_order_relaxed);
}

/* sweep_block: 0 or -errno. */
static int
sweep_block(const struct sweep_options *o, const struct mm_extent *x)
{
    struct found f = {0};
    int r = save_extent(o, x, &f);

    note_found(o, &f);
    if (r < 0)
        return r;
    if (sink_error(o->enc->out) < 0)
        return sink_error(o->enc->out);
    if (mm_cut_is_broken())
        return -ENOMEM;
    if (is_cancelled(o)) /* the sink may have left RCU since the last look (C1) */
        return -ECANCELED;
    mm_sweep_done(o->sweep, x);
    if (o->is_first)
        mm_sweep_warm();
    if (o->between != NULL)
        o->between(o->between_ctx);
    return 0;
}

/* next_extent: of the stretch in hand, or of the next one (S4). */
static bool
next_extent(const struct sweep_options *o, struct mm_extent *ret)
{
    while (!mm_sweep_next(o->sweep, ret))
        if (o->area == NULL || !mm_sweep_claim(o->area, o->sweep))
            return false;
    return true;
}

/* begin: the file's head. */
static int
begin(const struct sweep_options *o)
{
    int r;

    rdb_put_magic(o->enc);
    if ((r = o->rq->ops->save_begin(o->rq->cut, o->enc)) < 0)
        return r;
    if (o->lane != NULL && o->lane->has_turn)
        hand_over(o); /* J2: the others wait for it */
    return 0;
}

int
sweep_run(const struct sweep_options *o)
{
    struct mm_extent x;
    int r = 0;

    must(o->view->epoch == o->sweep->epoch); /* or what it reads is of another cut */
    if (o->is_first && (r = begin(o)) < 0)
        return r;
    while (r == 0 && !is_cancelled(o) && !has_failed(o) && next_extent(o, &x))
        r = sweep_block(o, &x);
    if (r == 0 && is_cancelled(o))
        return -ECANCELED;
    return r;
}

int
sweep_check(const struct snapshot_request *rq, const struct sweep_progress *p)
{
    /* Otherwise a rule is broken: better no file than a wrong one. */
    return atomic_load_explicit(&p->keys, memory_order_relaxed) == rq->keys_total ? 0 : -EBADMSG;
}

int
snapshot_run_here(const struct snapshot_request *rq, struct mm_sweep *sw, struct sink *out,
                  uint64_t *ret_keys)
{
    static uint8_t staging[VIEW_CHUNK_BYTES];
    struct sweep_progress progress = {0};
    void *worker = rq->cut;
    struct rdb_enc enc;
    struct view view;
    int r;

    if (rq->ops->worker_new != NULL && (worker = rq->ops->worker_new(rq->cut)) == NULL)
        return -ENOMEM;
    if ((r = rdb_enc_init(&enc, out, rq->rdb_version, rq->compression == RDB_LZF)) == 0) {
        view_init(&view, sw->epoch);
        r = sweep_run(&(struct sweep_options){.rq = rq,
                                              .sweep = sw,
                                              .is_first = true,
                                              .worker = worker,
                                              .view = &view,
                                              .enc = &enc,
                                              .staging = staging,
                                              .progress = &progress});
        if (r == 0 && (r = sweep_check(rq, &progress)) == 0) {
            rdb_put_eof(&enc);
            r = sink_flush(out);
        }
        rdb_enc_fini(&enc);
    }
    if (rq->ops->worker_free != NULL)
        rq->ops->worker_free(worker);
    *ret_keys = progress.keys - progress.left_out;
    return r;
}
