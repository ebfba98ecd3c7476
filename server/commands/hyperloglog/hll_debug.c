/* server/commands/hyperloglog/hll_debug.c - a look into HyperLogLogs: PFDEBUG, PFSELFTEST. */
#include <errno.h>
#include <math.h>

#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/commands/hyperloglog/hll.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/string/hll.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/hyperloglog/hyperloglog.def"

static struct hll sketch;

/* make_dense: the sketch at ref.  True: it is one now, *ret its bytes; false: an error was
 * replied. */
static bool
make_dense(struct client *c, struct db_ref *ref, struct slice *ret)
{
    if (!hll_is_dense(*ret)) {
        if (!hll_load(&sketch, *ret) || !hll_to_dense(&sketch)) {
            hll_reply_corrupt(c);
            return false;
        }
        if (blob_store(ref, TYPE_STRING, (struct slice){.ptr = sketch.bytes, .len = sketch.len}) <
            0) {
            reply_no_memory(c);
            return false;
        }
        changed_unheard(c, c->argv[2], 1);
        *ret = record_blob(ref->rec);
    }
    return true;
}

static void
reply_registers(struct client *c, struct slice s)
{
    reply_array(c, HLL_REGISTERS);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        reply_int(c, hll_dense_get(s.ptr + HLL_HEADER_BYTES, i));
}

static void
reply_runs(struct client *c, struct slice s)
{
    struct text out = {.at = NULL};

    if (hll_is_dense(s))
        reply_error(c, "ERR HLL encoding is not sparse");
    else if (!hll_describe(s, &out))
        hll_reply_corrupt(c);
    else if (out.failed)
        reply_no_memory(c);
    else
        reply_bulk(c, text_str(&out), out.len);
    text_free(&out);
}

void
cmd_pfdebug(struct client *c)
{
    struct slice s = {.ptr = NULL, .len = 0};
    struct db_ref ref;
    bool was_sparse;

    if (db_lookup(c->db, c->argv[2], DB_WRITE, &ref) == NULL) {
        reply_error(c, "ERR The specified key does not exist");
        return;
    }
    if (!hll_find(c, 2, DB_WRITE, &ref, &s))
        return;
    hll_make_raw(&ref, &s);
    was_sparse = !hll_is_dense(s);
    if (arg_is(c, 1, "getreg")) {
        if (make_dense(c, &ref, &s))
            reply_registers(c, s);
    } else if (arg_is(c, 1, "decode")) {
        reply_runs(c, s);
    } else if (arg_is(c, 1, "encoding")) {
        reply_status(c, was_sparse ? "sparse" : "dense");
    } else if (arg_is(c, 1, "todense")) {
        if (make_dense(c, &ref, &s))
            reply_int(c, was_sparse);
    } else {
        reply_errorf(c, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)c->argv[1].len,
                     c->argv[1].ptr);
    }
}

/* ---- PFSELFTEST ---- */

/* registers_hold: what is put into a dense sketch comes out, and disturbs no neighbour. */
static bool
registers_hold(void)
{
    hll_new(&sketch);
    if (!hll_to_dense(&sketch))
        return false;
    for (unsigned round = 0; round < 64; round++)
        for (unsigned i = 0; i < HLL_REGISTERS; i++)
            hll_dense_put(sketch.bytes + HLL_HEADER_BYTES, i, (i * 7 + round) % 64);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        if (hll_dense_get(sketch.bytes + HLL_HEADER_BYTES, i) != (i * 7 + 63) % 64)
            return false;
    return true;
}

/* counts_hold: sparse at first, then dense, a sketch's estimate stays within six standard
 * errors. */
static bool
counts_hold(void)
{
    enum { ELEMENTS = 200000, SPARSE_MAX = 3000 };
    const double standard_error = 1.04 / sqrt(HLL_REGISTERS);
    char text[NUM_MAX_BYTES];

    hll_new(&sketch);
    for (int64_t n = 1, next = 10; n <= ELEMENTS; n++) {
        struct slice element = {.ptr = text, .len = (size_t)(num_put(text, n) - text)};
        uint64_t seen;

        if (hll_raise(&sketch, hll_place_of(element), SPARSE_MAX) < 0)
            return false;
        if (n < next)
            continue;
        next = n * 2;
        if (!hll_count((struct slice){.ptr = sketch.bytes, .len = sketch.len}, &seen) ||
            fabs((double)seen - (double)n) > 6 * standard_error * (double)n + 1)
            return false;
    }
    return hll_is_dense((struct slice){.ptr = sketch.bytes, .len = sketch.len});
}

void
cmd_pfselftest(struct client *c)
{
    if (!registers_hold())
        reply_error(c, "ERR TESTFAILED a register does not hold what was put into it");
    else if (!counts_hold())
        reply_error(c, "ERR TESTFAILED an estimate is too far from the truth");
    else
        reply_ok(c);
}
