/* server/commands/hyperloglog/hll.c - HyperLogLogs: PFADD, PFCOUNT, PFMERGE.  Sketches are strings;
 * hll.h has their form. */
#include <errno.h>

#include "server/commands/hyperloglog/hll.h"
#include "server/commands/string/string.h"
#include "server/config/config.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/string/hll.h"
#include "server/exec/changed.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/hyperloglog/hyperloglog.def"

static struct hll sketch; /* the one that a command changes */

void
hll_reply_corrupt(struct client *c)
{
    reply_error(c, "INVALIDOBJ Corrupted HLL object detected");
}

bool
hll_find(struct client *c, int i, unsigned flags, struct db_ref *ref, struct slice *ret)
{
    if (!string_find_key(c, i, flags, ref))
        return false;
    if (ref->rec == NULL)
        return true;
    if (record_encoding(ref->rec) != ENC_INT && hll_is_one(*ret = record_blob(ref->rec)))
        return true;
    reply_error(c, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

void
hll_make_raw(struct db_ref *ref, struct slice *s)
{
    if (record_encoding(ref->rec) == ENC_OUTER || record_has(ref->rec, RECORD_RAW))
        return;
    if (blob_write(ref, 0, (struct slice){.ptr = s->ptr, .len = 1}) == 0)
        *s = record_blob(ref->rec);
}

/* store_sketch: 0 or -ENOMEM */
static int
store_sketch(struct db_ref *ref)
{
    return blob_store(ref, TYPE_STRING, (struct slice){.ptr = sketch.bytes, .len = sketch.len});
}

/* ---- PFADD ---- */

/* add_in_place: to a dense sketch; the bytes of the registers that rise change, and the cache's
 * flag.  It is in a block of its own and keeps its length, so that nothing can fail. */
static uint64_t
add_in_place(struct client *c, struct db_ref *ref)
{
    struct slice s = record_blob(ref->rec);
    uint64_t raised = 0;
    char group[HLL_GROUP_BYTES], flag;

    for (int i = 2; i < c->argc; i++) {
        struct hll_place place = hll_place_of(c->argv[i]);
        size_t at = HLL_HEADER_BYTES + place.reg / HLL_GROUP * HLL_GROUP_BYTES;

        if (hll_dense_get(s.ptr + HLL_HEADER_BYTES, place.reg) >= place.rank)
            continue;
        memcpy(group, s.ptr + at, sizeof group);
        hll_dense_put(group, place.reg % HLL_GROUP, place.rank);
        must(blob_write(ref, at, (struct slice){.ptr = group, .len = sizeof group}) == 0);
        raised++;
    }
    flag = (char)((uint8_t)s.ptr[HLL_CACHE_FLAG_AT] | HLL_CACHE_INVALID);
    if (raised > 0 && flag != s.ptr[HLL_CACHE_FLAG_AT])
        must(blob_write(ref, HLL_CACHE_FLAG_AT, (struct slice){.ptr = &flag, .len = 1}) == 0);
    return raised;
}

/* add_apart: to a copy that becomes the value.  0, -ENOMEM or -EILSEQ; *raised counts on. */
static int
add_apart(struct client *c, struct db_ref *ref, struct slice old, uint64_t *raised)
{
    if (ref->rec == NULL)
        hll_new(&sketch);
    else if (!hll_load(&sketch, old))
        return -EILSEQ;
    for (int i = 2; i < c->argc; i++) {
        int r = hll_raise(&sketch, hll_place_of(c->argv[i]), config.hll_sparse_max_bytes);

        if (r < 0) { /* as in Redis, what was added up to here stays, and nobody hears of it */
            if (*raised > 0)
                (void)store_sketch(ref);
            return -EILSEQ;
        }
        *raised += (uint64_t)r;
    }
    if (*raised == 0)
        return 0;
    hll_drop_cache(&sketch);
    return store_sketch(ref);
}

static void
reply_failure(struct client *c, int r)
{
    if (r == -ENOMEM)
        reply_no_memory(c);
    else
        hll_reply_corrupt(c);
}

void
cmd_pfadd(struct client *c)
{
    struct slice old = {.ptr = NULL, .len = 0};
    struct db_ref ref;
    uint64_t raised;
    int r = 0;

    if (!hll_find(c, 1, DB_WRITE, &ref, &old))
        return;
    raised = ref.rec == NULL; /* the key itself is a change */
    if (ref.rec != NULL)
        hll_make_raw(&ref, &old);
    if (ref.rec != NULL && hll_is_dense(old))
        raised = add_in_place(c, &ref);
    else
        r = add_apart(c, &ref, old, &raised);
    if (r < 0) {
        reply_failure(c, r);
        return;
    }
    if (raised > 0)
        changed(c, c->argv[1], KEY_EVENT_STRING, "pfadd", raised);
    reply_int(c, raised > 0);
}

/* ---- PFCOUNT ---- */

/* count_one: the count is kept in the sketch: a change of eight bytes that nobody asked for.
 * Without memory it is not kept. */
static void
count_one(struct client *c)
{
    struct db_ref ref;
    struct slice s = {.ptr = NULL, .len = 0};
    uint64_t n;
    bool is_new;

    if (!hll_find(c, 1, DB_READ, &ref, &s))
        return;
    if (ref.rec == NULL) {
        reply_int(c, 0);
        return;
    }
    hll_make_raw(&ref, &s);
    is_new = !hll_cached(s, &n);
    if (is_new && !hll_count(s, &n)) {
        hll_reply_corrupt(c);
        return;
    }
    if (is_new && blob_write(&ref, HLL_CACHE_AT,
                             (struct slice){.ptr = (const char *)&n, .len = sizeof n}) == 0)
        changed_silently(c, c->argv[1], 1);
    reply_int(c, (int64_t)n);
}

static uint8_t registers[HLL_REGISTERS]; /* of several sketches merged, one a byte */

/* merge_all: the sketches at the arguments from `first` on.  False, and an error was replied. */
static bool
merge_all(struct client *c, int first, bool *ret_any_dense)
{
    memset(registers, 0, sizeof registers);
    for (int i = first; i < c->argc; i++) {
        struct slice s = {.ptr = NULL, .len = 0};
        struct db_ref ref;

        if (!hll_find(c, i, DB_READ, &ref, &s))
            return false;
        if (ref.rec == NULL)
            continue;
        *ret_any_dense |= hll_is_dense(s);
        if (!hll_merge(registers, s)) {
            hll_reply_corrupt(c);
            return false;
        }
    }
    return true;
}

void
cmd_pfcount(struct client *c)
{
    bool any_dense = false;

    if (c->argc == 2)
        count_one(c);
    else if (merge_all(c, 1, &any_dense))
        reply_int(c, (int64_t)hll_count_registers(registers));
}

/* ---- PFMERGE ---- */

/* raise_all: the sketch's registers to those merged.  False: it is corrupt. */
static bool
raise_all(bool dense)
{
    if (dense && !hll_to_dense(&sketch))
        return false;
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        if (registers[i] > 0 &&
            hll_raise(&sketch, (struct hll_place){.reg = i, .rank = registers[i]},
                      config.hll_sparse_max_bytes) < 0)
            return false;
    hll_drop_cache(&sketch);
    return true;
}

void
cmd_pfmerge(struct client *c)
{
    struct slice old = {.ptr = NULL, .len = 0};
    bool any_dense = false;
    struct db_ref ref;

    if (!merge_all(c, 1, &any_dense) || !hll_find(c, 1, DB_WRITE | DB_QUIET, &ref, &old))
        return;
    if (ref.rec == NULL)
        hll_new(&sketch);
    if ((ref.rec != NULL && !hll_load(&sketch, old)) || !raise_all(any_dense)) {
        hll_reply_corrupt(c);
        return;
    }
    if (store_sketch(&ref) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_STRING, "pfadd", 1);
    reply_ok(c);
}
