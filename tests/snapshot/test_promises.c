/* tests/snapshot/test_promises.c - what the headers of snapshot/ ask of their callers: who does not
 * keep to it ends the process, before a wrong dump gets its name.  Those of debug builds are tested
 * there only. */
#include <check.h>

#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb_dec.h"
#include "snapshot/rdb/rdb_enc.h"
#include "snapshot/rdb/sink.h"
#include "snapshot/snapshot.h"
#include "snapshot/sweeper.h"
#include "snapshot/view.h"
#include "tests/support/promises.h"

static struct sink *
memory(void)
{
    struct sink *s = NULL;

    must(sink_memory_open(&s) == 0);
    return s;
}

static void
committing_twice(void)
{
    struct sink *s = memory();

    sink_put(s, "a", 1);
    must(sink_commit(s) == 0);
    (void)sink_commit(s);
}

static void
failing_without_an_error(void)
{
    (void)sink_fail(memory(), 0, "write");
}

static void
encoding_for_a_version_that_is_not_written(void)
{
    struct rdb_enc e;

    (void)rdb_enc_init(&e, memory(), 13, false);
}

static void
a_second_magic(void)
{
    struct rdb_enc e;

    if (rdb_enc_init(&e, memory(), 10, false) < 0)
        return;
    rdb_put_magic(&e);
    rdb_put_magic(&e);
}

static void
decoding_a_source_twice(void)
{
    static const struct rdb_events nothing = {.no_values = true};
    static const char bytes[] = "REDIS0010\377\0\0\0\0\0\0\0\0";
    struct rdb_source *src;
    struct rdb_error err;

    if (rdb_source_memory(bytes, sizeof bytes - 1, &src) < 0 ||
        rdb_decode(src, &nothing, NULL, true, &err) != 0)
        return;
    (void)rdb_decode(src, &nothing, NULL, true, &err);
}

static void
adding_a_member_twice(void)
{
    uint8_t s[64];

    (void)intset_init(s);
    (void)intset_add(s, 5);
    (void)intset_add(s, 5);
}

static void
deleting_behind_the_end(void)
{
    uint8_t lp[64];

    (void)lp_init(lp);
    (void)lp_append(lp, "a", 1);
    (void)lp_delete(lp, LP_HEADER_BYTES, 2);
}

static void
inserting_into_the_head(void)
{
    uint8_t lp[64];

    (void)lp_init(lp);
    (void)lp_insert(lp, 2, "a", 1);
}

static void
a_view_of_no_cut(void)
{
    struct view v;

    view_init(&v, 0);
}

static void
sweeping_through_another_cuts_view(void)
{
    static const struct snapshot_ops ops;
    struct snapshot_request rq = {.ops = &ops};
    struct sweep_progress progress = {0};
    struct mm_sweep sweep;
    struct rdb_enc enc;
    struct view view;
    epoch_t epoch;

    if (mm_init(&(struct mm_options){.arena_bytes = (size_t)64 << 20}) < 0 ||
        mm_cut_begin(&epoch) < 0 || rdb_enc_init(&enc, memory(), 10, false) < 0)
        return;
    mm_sweep_init(&sweep);
    view_init(&view, epoch + 1);
    (void)sweep_run(&(struct sweep_options){.rq = &rq,
                                            .sweep = &sweep,
                                            .view = &view,
                                            .enc = &enc,
                                            .is_first = true,
                                            .worker = rq.cut,
                                            .progress = &progress});
}

static void
beginning_before_the_start(void)
{
    static const struct snapshot_ops ops;

    (void)snapshot_begin(&(struct snapshot_request){.ops = &ops, .path = "dump.rdb"});
}

static void
starting_twice(void)
{
    if (snapshot_start() == 0)
        (void)snapshot_start();
}

#ifdef STILLFRAME_DEBUG
static void
stepping_from_the_end_of_a_listpack(void)
{
    uint8_t lp[64];

    (void)lp_next(lp, lp_init(lp) - 1);
}

static void
reading_through_no_view(void)
{
    struct view v = {.epoch = 0};
    char to[1];

    (void)view_read(&v, to, "a", 1);
}
#endif

static const struct broken broken[] = {
    BROKEN(committing_twice),
    BROKEN(failing_without_an_error),
    BROKEN(encoding_for_a_version_that_is_not_written),
    BROKEN(a_second_magic),
    BROKEN(decoding_a_source_twice),
    BROKEN(adding_a_member_twice),
    BROKEN(deleting_behind_the_end),
    BROKEN(inserting_into_the_head),
    BROKEN(a_view_of_no_cut),
    BROKEN(sweeping_through_another_cuts_view),
    BROKEN(beginning_before_the_start),
    BROKEN(starting_twice),
#ifdef STILLFRAME_DEBUG
    BROKEN(stepping_from_the_end_of_a_listpack),
    BROKEN(reading_through_no_view),
#endif
};

int
main(void)
{
    return run_promises("snapshot/promises", broken, sizeof broken / sizeof *broken, NULL);
}
