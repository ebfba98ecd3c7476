/* tests/server/test_value_promises.c - what the headers of the data types ask of their callers, and
 * what db_verify() finds in the bytes of small values.  Of the rest of server/: test_promises.c. */
#include <check.h>

#include "server/data/db/blob.h"
#include "server/data/set/set_combine.h"
#include "server/data/string/bits.h"
#include "server/data/zset/zset_small.h"
#include "tests/support/promises.h"
#include "tests/support/talk.h"

static struct db_ref
find(const char *fill, struct slice key)
{
    struct db_ref ref;

    talk_open();
    (void)talk("%s", fill);
    (void)db_lookup(talk_db(), key, DB_WRITE, &ref);
    return ref;
}

static bool
want_none(void *ctx, struct set_batch *b, uint32_t which)
{
    (void)ctx, (void)b, (void)which;
    return false;
}

static void
popping_a_whole_set(void)
{
    struct db_ref ref = find("sadd k a b", SLICE("k"));

    (void)set_pop(&ref, 2, want_none, NULL);
}

static void
intersecting_no_sets(void)
{
    set_inter(NULL, 0, want_none, NULL);
}

static void
cutting_more_than_there_is(void)
{
    struct db_ref ref = find("zadd k 1 a 2 b 3 c", SLICE("k"));

    (void)zset_cut(&ref, 1, 3);
}

static void
the_opposite_of_two(void)
{
    struct slice in[] = {SLICE("a"), SLICE("b")};
    char out[1];

    bits_combine(out, sizeof out, BITS_NOT, in, 2);
}

static void
store_listpack(enum value_type type, const uint8_t *lp)
{
    struct db_ref ref = find("ping", SLICE("k"));

    must(blob_store(&ref, type, (struct slice){(const char *)lp, lp_bytes(lp)}) == 0);
    db_verify();
}

static void
a_field_without_a_value(void)
{
    uint8_t lp[64];

    lp_init(lp);
    lp_append(lp, "f", 1);
    store_listpack(TYPE_HASH, lp);
}

static void
a_field_that_is_there_twice(void)
{
    uint8_t lp[64];

    lp_init(lp);
    for (int i = 0; i < 4; i++)
        lp_append(lp, "f", 1);
    store_listpack(TYPE_HASH, lp);
}

static void
a_member_that_is_there_twice(void)
{
    uint8_t lp[64];

    lp_init(lp);
    lp_append(lp, "17", 2);
    lp_append(lp, "17", 2);
    store_listpack(TYPE_SET, lp);
}

static void
scores_in_no_order(void)
{
    uint8_t lp[64];

    lp_init(lp);
    zsmall_append(lp, 2, SLICE("a"));
    zsmall_append(lp, 1, SLICE("b"));
    store_listpack(TYPE_ZSET, lp);
}

static const struct broken broken[] = {
    BROKEN(popping_a_whole_set),          BROKEN(intersecting_no_sets),
    BROKEN(cutting_more_than_there_is),   BROKEN(the_opposite_of_two),
    BROKEN(a_field_without_a_value),      BROKEN(a_field_that_is_there_twice),
    BROKEN(a_member_that_is_there_twice), BROKEN(scores_in_no_order),
};

/* What is allowed does not look like what is not. */
static void
keeping_to_all(void)
{
    static const char *const lines[] = {"hset h f v 17 18", "zadd z 1 b 1 c 0.5 a -inf d",
                                        "sadd ints 1 5 3",  "sadd words a 17 b c",
                                        "spop words 2",     "zremrangebyrank z 1 2",
                                        "bitop not n h2",   "zadd z 7 e",
                                        "sadd ints 4",      "hdel h f"};

    talk_open();
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        (void)talk("%s", lines[i]);
        db_verify();
    }
}

int
main(void)
{
    return run_promises("server/value_promises", broken, sizeof broken / sizeof *broken,
                        keeping_to_all);
}
