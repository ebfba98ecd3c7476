/* server/data/db/save.c - what a snapshot writes of each record; what stands behind the key is the
 * type's business (type.h).  Tables of pairs: save_table.c. */
#include "server/data/db/save.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "mm/base/os.h"
#include "mm/base/spare.h"
#include "mm/base/version.h"
#include "server/data/db/carried.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/lfu.h"
#include "server/data/db/save_filter.h"
#include "server/data/db/save_value.h"
#include "server/data/db/type.h"
#include "snapshot/rdb/rdb.h"

enum { DEAD = -1 };

struct save_size {
    uint64_t keys, expires;
};

/* What is written of a record's access clock: under an LRU policy how long it was not used, under
 * an LFU policy how often, otherwise nothing, as Redis does; either form of a clock says both
 * (lfu.h).  The clock is the one field that is written without a barrier: it is what it was when
 * the sweep, or the barrier, copied the record. */
enum save_use { USE_NOTHING, USE_IDLE, USE_FREQ };

struct save_cut {
    enum save_use use;
    int64_t decay_minutes;
    int64_t time_us, monotonic_us;
    int *logical_of; /* physical number -> logical number at the cut, or -1 */
    uint32_t physical_count;
    int logical_count;
    struct save_size *sizes; /* by logical number */
    size_t used_bytes;
    struct carried *carried;          /* held */
    const struct save_filter *filter; /* [borrowed] NULL: all keys */
    atomic_uint lost; /* [sweep writes] enum save_lost; read when the save has ended */
};

/* [sweep] What one sweeper alone knows. */
struct save_worker {
    struct save_cut *cut;
    int last_db; /* of the record before; DEAD: the next one says its own */
    struct save_work work;
};

/* note_databases: the map and the sizes as they are now. */
static void
note_databases(struct save_cut *cut)
{
    for (uint32_t n = 0; n < cut->physical_count; n++)
        cut->logical_of[n] = db_map.physical[n] == NULL ? DEAD : db_map.physical[n]->index;
    for (int i = 0; i < cut->logical_count; i++)
        cut->sizes[i] =
            (struct save_size){.keys = db_size(db_select(i)), .expires = db_expires(db_select(i))};
}

struct save_cut *
save_cut_new(void)
{
    struct save_cut *cut;
    struct mm_figures f;

    if (fault_point(FAULT_job_alloc) || (cut = calloc(1, sizeof *cut)) == NULL)
        return NULL;
    mm_figures(&f);
    *cut = (struct save_cut){.physical_count = db_map.physical_top,
                             .logical_count = db_count(),
                             .use = (db_state.policy & EVICT_LRU) != 0   ? USE_IDLE
                                    : (db_state.policy & EVICT_LFU) != 0 ? USE_FREQ
                                                                         : USE_NOTHING,
                             .decay_minutes = lfu_rates.decay_minutes,
                             .time_us = clock_now.us,
                             .monotonic_us = os_monotonic_us(),
                             .used_bytes = f.live_bytes + db_table_bytes()};
    cut->logical_of = calloc(cut->physical_count, sizeof *cut->logical_of);
    cut->sizes = calloc((size_t)cut->logical_count, sizeof *cut->sizes);
    if (cut->logical_of == NULL || cut->sizes == NULL) {
        save_cut_free(cut);
        return NULL;
    }
    cut->carried = carried_hold();
    note_databases(cut);
    return cut;
}

void
save_cut_free(struct save_cut *cut)
{
    if (cut == NULL)
        return;
    free(cut->logical_of);
    free(cut->sizes);
    carried_drop(cut->carried);
    free(cut);
}

unsigned
save_cut_lost(const struct save_cut *cut)
{
    return atomic_load_explicit(&cut->lost, memory_order_relaxed);
}

void
save_cut_choose(struct save_cut *cut, const struct save_filter *filter)
{
    cut->filter = filter;
}

int
save_version(int wanted)
{
    int version = wanted;

    for (enum value_type t = 0; t < TYPE_COUNT; t++)
        if (type_of(t)->rdb_version_least > version && db_total_timed() > 0)
            version = type_of(t)->rdb_version_least;
    return version;
}

/* ---- [sweep] from here on ---- */

static void *
worker_new(void *ctx)
{
    struct save_worker *w = fault_point(FAULT_sink_buffer) ? NULL : spare_take(sizeof *w);

    if (w != NULL) {
        w->cut = ctx;
        w->last_db = DEAD;
        w->work.lost = 0;
    }
    return w;
}

static void
worker_free(void *worker)
{
    spare_give(worker, sizeof(struct save_worker));
}

/* worker_break: a reader is somewhere in another sweeper's records. */
static void
worker_break(void *ctx)
{
    struct save_worker *w = ctx;

    w->last_db = DEAD;
}

/* note_lost: for save_cut_lost(), which is asked when all sweepers are done. */
static void
note_lost(struct save_cut *cut, unsigned lost)
{
    if (unlikely(lost != 0))
        atomic_fetch_or_explicit(&cut->lost, lost, memory_order_relaxed);
}

/* put_sizes: of all databases, before the first key: a reader that listens can make its tables at
 * once.  Of a database that is taken in part nobody knows yet how much that is. */
static void
put_sizes(const struct save_cut *cut, struct rdb_enc *e)
{
    for (int i = 0; i < cut->logical_count; i++) {
        if (cut->sizes[i].keys == 0 || !save_filter_takes_db(cut->filter, i) ||
            !save_filter_takes_whole(cut->filter))
            continue;
        rdb_put_selectdb(e, (uint64_t)i);
        rdb_put_resizedb(e, cut->sizes[i].keys, cut->sizes[i].expires);
    }
}

/* put_head: the AUX fields that each file has.  [any] */
static void
put_head(struct rdb_enc *e, int64_t time_us, size_t used_bytes)
{
    rdb_put_aux(e, "redis-ver", STILLFRAME_REDIS_VERSION);
    rdb_put_aux_int(e, "redis-bits", 8 * (int)sizeof(void *));
    rdb_put_aux_int(e, "ctime", time_us / 1000000);
    rdb_put_aux_int(e, "used-mem", (int64_t)used_bytes);
    rdb_put_aux_int(e, "aof-base", 0);
}

static int
save_begin(void *ctx, struct rdb_enc *e)
{
    struct save_cut *cut = ctx;

    put_head(e, cut->time_us, cut->used_bytes);
    if (!carried_save(cut->carried, e))
        note_lost(cut, SAVE_LOST_LIBRARIES);
    put_sizes(cut, e);
    return 0;
}

/* A piece of the arena, the first bytes of which are staged already, as a source for
 * rdb_put_string_stream(). */
struct stream {
    struct view *view;
    const char *live;
    const uint8_t *staged;
    size_t staged_bytes;
};

static int
read_stream(void *ctx, uint64_t offset, void *dst, size_t n)
{
    const struct stream *s = ctx;

    if (offset + n <= s->staged_bytes) {
        memcpy(dst, s->staged + offset, n);
        return 0;
    }
    return view_read(s->view, dst, s->live + offset, n);
}

int
save_string(struct save_work *w, const char *live, size_t len, bool is_text)
{
    struct stream s = {.view = w->view, .live = live};
    int r;

    if (len > SAVE_BUFFER_BYTES)
        return rdb_put_string_stream(w->enc, len, read_stream, &s);
    if ((r = view_read(w->view, w->buffer, live, len)) != 0)
        return r;
    if (is_text)
        rdb_put_string(w->enc, w->buffer, len);
    else
        rdb_put_blob(w->enc, w->buffer, len);
    return 0;
}

static void
save_db(struct save_worker *w, struct rdb_enc *e, int db)
{
    if (db == w->last_db)
        return;
    w->last_db = db;
    rdb_put_selectdb(e, (uint64_t)db);
}

static int
save_key(struct save_work *w, const struct save_item *s)
{
    struct slice key = record_key(s->rec);
    size_t at = record_key_at(s->rec);
    struct stream stream = {.view = w->view,
                            .live = s->live + at,
                            .staged = (const uint8_t *)key.ptr,
                            .staged_bytes = s->bytes - at};

    if (key.len > stream.staged_bytes)
        return rdb_put_string_stream(w->enc, key.len, read_stream, &stream);
    rdb_put_string(w->enc, key.ptr, key.len);
    return 0;
}

/* inline_at: where the inline blob stands in its record: behind a huge key it may not be staged. */
static size_t
inline_at(const struct save_item *s)
{
    return record_key_at(s->rec) + record_key_len(s->rec);
}

int
save_blob(struct save_work *w, const struct save_item *s, bool is_text)
{
    struct slice blob = record_blob(s->rec);

    if (record_encoding(s->rec) == ENC_OUTER)
        return save_string(w, blob.ptr, blob.len, is_text);
    if (inline_at(s) + blob.len > s->bytes)
        return save_string(w, s->live + inline_at(s), blob.len, is_text);
    if (is_text)
        rdb_put_string(w->enc, blob.ptr, blob.len);
    else
        rdb_put_blob(w->enc, blob.ptr, blob.len);
    return 0;
}

int
save_blob_behind(struct save_work *w, const struct save_item *s, size_t skip)
{
    struct slice blob = record_blob(s->rec);
    size_t at = inline_at(s);

    if (blob.len < skip)
        return -EBADMSG;
    if (record_encoding(s->rec) == ENC_OUTER)
        return save_string(w, blob.ptr + skip, blob.len - skip, false);
    if (at + blob.len > s->bytes)
        return save_string(w, s->live + at + skip, blob.len - skip, false);
    rdb_put_blob(w->enc, blob.ptr + skip, blob.len - skip);
    return 0;
}

int
save_read_blob(struct save_work *w, const struct save_item *s, size_t at, void *dst, size_t len)
{
    struct slice blob = record_blob(s->rec);

    if (at + len > blob.len)
        return -EBADMSG;
    if (record_encoding(s->rec) == ENC_OUTER)
        return view_read(w->view, dst, blob.ptr + at, len);
    if (inline_at(s) + at + len > s->bytes)
        return view_read(w->view, dst, s->live + inline_at(s) + at, len);
    memcpy(dst, blob.ptr + at, len);
    return 0;
}

int
save_breath(struct save_work *w)
{
    return w->view->poll == NULL ? 0 : w->view->poll(w->view->poll_ctx);
}

uint8_t
save_rdb_type(const struct record *r, int rdb_version)
{
    return type_of(record_type(r))->rdb_type(r, rdb_version);
}

int
save_value(struct save_work *w, const struct save_item *s)
{
    return type_of(record_type(s->rec))->save(w, s);
}

static void
save_use(const struct save_cut *cut, struct rdb_enc *e, const struct record *r)
{
    /* Looked at for each record: the one before may have been written for minutes. */
    int64_t now_s = (cut->time_us + os_monotonic_us() - cut->monotonic_us) / 1000000;

    if (cut->use == USE_IDLE)
        rdb_put_idle(e, lfu_idle_at(record_clock(r), now_s));
    else
        rdb_put_freq(e, lfu_counter_at(record_clock(r), now_s, cut->decay_minutes));
}

static int
save_record(void *ctx, struct view *v, struct rdb_enc *e, const void *live, const uint8_t *staged,
            size_t staged_bytes)
{
    struct save_item s = {
        .rec = (const struct record *)(const void *)staged, .live = live, .bytes = staged_bytes};
    struct save_worker *w = ctx;
    const struct save_cut *cut = w->cut;
    uint16_t number = record_db(s.rec);
    int r;

    if (number >= cut->physical_count)
        return -EBADMSG; /* no such record was there at the cut: better no file than a wrong one */
    if (cut->logical_of[number] == DEAD)
        return SAVE_NO_KEY; /* S1 */
    w->work.view = v;
    w->work.enc = e;
    if ((r = save_filter_takes(cut->filter, cut->logical_of[number], &w->work, &s)) <= 0)
        return r < 0 ? r : SAVE_LEFT_OUT;
    save_db(w, e, cut->logical_of[number]);
    if (record_has(s.rec, RECORD_HAS_EXPIRE))
        rdb_put_expire_ms(e, record_expire(s.rec));
    if (cut->use != USE_NOTHING)
        save_use(cut, e, s.rec);
    rdb_put_byte(e, save_rdb_type(s.rec, e->version));
    if ((r = save_key(&w->work, &s)) != 0 || (r = save_value(&w->work, &s)) != 0)
        return r;
    note_lost(w->cut, w->work.lost);
    w->work.lost = 0;
    return SAVE_WRITTEN;
}

/* ---- [mutator] ---- */

int
save_without_keys(struct sink *out, int rdb_version, bool with_libraries)
{
    struct mm_figures f;
    struct rdb_enc e;
    int r;

    if ((r = rdb_enc_init(&e, out, rdb_version, false)) < 0)
        return r;
    mm_figures(&f);
    rdb_put_magic(&e);
    put_head(&e, clock_now.us, f.live_bytes + db_table_bytes());
    if (with_libraries)
        carried_save_libraries(&e);
    rdb_put_eof(&e);
    rdb_enc_fini(&e);
    return sink_flush(out);
}

const struct snapshot_ops save_snapshot_ops = {.worker_new = worker_new,
                                               .worker_free = worker_free,
                                               .worker_break = worker_break,
                                               .save_begin = save_begin,
                                               .save_record = save_record};
