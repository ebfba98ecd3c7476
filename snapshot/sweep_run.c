/* snapshot/sweep_run.c - from record slabs to RDB, in address order.  Thread: sweep. */
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

static int
save_slot(const struct sweep_options *o, const struct mm_extent *x, uint32_t slot,
          const uint8_t *staged)
{
    size_t bytes = x->slot_bytes < VIEW_CHUNK_BYTES ? x->slot_bytes : VIEW_CHUNK_BYTES;
    int r = o->rq->ops->save_record(o->rq->cut, o->view, o->enc,
                                    x->base + (size_t)slot * x->slot_bytes, staged, bytes);

    debug_check(r <= 1);
    if (r > 0)
        atomic_fetch_add_explicit(o->keys, 1, memory_order_relaxed);
    return r < 0 ? r : 0;
}

static int
save_extent(const struct sweep_options *o, const struct mm_extent *x)
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
        }
    }
    return 0;
}

int
sweep_run(const struct sweep_options *o)
{
    struct mm_extent x;
    int r;

    must(o->view->epoch == o->sweep->epoch); /* or what it reads is of another cut */
    must(atomic_load_explicit(o->keys, memory_order_relaxed) == 0);
    rdb_put_magic(o->enc);
    if ((r = o->rq->ops->save_begin(o->rq->cut, o->enc)) < 0)
        return r;
    while (!is_cancelled(o) && mm_sweep_next(o->sweep, &x)) {
        if ((r = save_extent(o, &x)) < 0)
            return r;
        if (sink_error(o->enc->out) < 0)
            return sink_error(o->enc->out);
        if (mm_cut_is_broken())
            return -ENOMEM;
        if (is_cancelled(o)) /* the sink may have left RCU since the last look (C1) */
            return -ECANCELED;
        mm_sweep_done(o->sweep, &x);
        mm_sweep_warm();
        atomic_store_explicit(o->blocks_done, x.block, memory_order_relaxed);
        atomic_store_explicit(o->bytes_out, o->enc->out->put_bytes + o->enc->out->fill,
                              memory_order_relaxed);
        if (o->between != NULL)
            o->between(o->between_ctx);
    }
    if (is_cancelled(o))
        return -ECANCELED;
    if (atomic_load_explicit(o->keys, memory_order_relaxed) != o->rq->keys_total)
        return -EBADMSG; /* a rule is broken: better no file than a wrong one */
    return 0;
}

int
snapshot_run_here(const struct snapshot_request *rq, struct mm_sweep *sw, struct sink *out,
                  uint64_t *ret_keys)
{
    static uint8_t staging[VIEW_CHUNK_BYTES];
    _Atomic uint64_t keys = 0, bytes = 0, blocks = 0;
    struct rdb_enc enc;
    struct view view;
    int r;

    if ((r = rdb_enc_init(&enc, out, rq->rdb_version, rq->compress)) < 0)
        return r;
    view_init(&view, sw->epoch);
    r = sweep_run(&(struct sweep_options){.rq = rq,
                                          .sweep = sw,
                                          .view = &view,
                                          .enc = &enc,
                                          .staging = staging,
                                          .keys = &keys,
                                          .bytes_out = &bytes,
                                          .blocks_done = &blocks});
    if (r == 0) {
        rdb_put_eof(&enc);
        r = sink_flush(out);
    }
    rdb_enc_fini(&enc);
    *ret_keys = keys;
    return r;
}
