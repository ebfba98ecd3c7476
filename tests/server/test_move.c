/* tests/server/test_move.c - every block of the arena moves, step by step, and nothing changes by
 * it (MV1, MV2).
 *
 * The walks here are those in which every slab leaves (mm_compact_begin_all()): at its end nothing
 * may be left in any of them, so a pointer that a type has forgotten is found by the block that it
 * names. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/compact.h"
#include "server/data/db/db.h"
#include "server/data/db/db_move.h"
#include "server/data/db/move.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"

/* ---- data ---- */

/* put_numbers: the format with numbers in the places of %1$u to %4$u.  printf() under
 * _FORTIFY_SOURCE takes none that leaves one of them out. */
static void
put_numbers(char *to, const char *format, const unsigned numbers[4])
{
    for (; *format != '\0'; format++)
        if (format[0] == '%' && format[1] >= '1' && format[1] <= '4' && format[2] == '$') {
            to += sprintf(to, "%u", numbers[format[1] - '1']);
            format += 3;
        } else {
            *to++ = *format;
        }
    *to = '\0';
}

/* fill: a command for each of many elements: in the format, %1$u is its number, and %2$u to %4$u
 * follow from that. */
static void
fill(const char *format, unsigned count)
{
    char line[256];

    ck_assert_uint_lt(strlen(format), sizeof line / 2);
    for (unsigned i = 0; i < count; i++) {
        put_numbers(line, format, (const unsigned[]){i, i * 7919 % 1000, i % 13, i % 5});
        lab_run(line);
    }
}

static void
strings(void)
{
    lab_run(
        "set int 42;set short abc;set inline @200*x;set outer @3000*y;set huge @40000*z;set roomy @1200000*w;"
        "append raw abc;setrange ranged 100 x;set @300*k v;set @3000*k @3000*v;set @40000*k v;"
        "set expiring v px 1000000;set expiring-outer @3000*v px 1000000;select 3;set other @2000*o;select "
        "0");
    fill("set key:%1$u value:%1$u px 900000", 3000);
    lab_run("bitfield bits set u8 #1000 255;pfadd hll a b c d e f");
}

/* Their hashes agree in ten bits: the tables get junctions (LT5). */
static void
crowds(void)
{
    fill("set ^%1$u v", 300);
    fill("pexpire ^%1$u 1000000", 300);
    fill("hset crowd-of-fields ^%1$u value", 300);
    fill("sadd crowd-of-members ^%1$u", 300);
    fill("zadd crowd-of-scores %1$u ^%1$u", 300);
}

static void
hashes(void)
{
    lab_run("hset small f v;hset listpack f @60*a g @60*b;hset long f @70*x");
    fill("hset outer f%1$u @50*v", 60);
    fill("hset table f%1$u value%1$u", 3000);
    fill("hset values f%1$u @500*v", 100);
    fill("hset huge-values f%1$u @40000*v", 5);
    lab_run("hset expiring f @70*x;pexpire expiring 1000000");
}

static void
timed_hashes(void)
{
    lab_run("hsetex small ex 1000 fields 1 f v;hsetex listpack ex 1000 fields 2 f @60*a g @60*b;"
            "hsetex long ex 1000 fields 1 f @70*x");
    fill("hsetex outer ex 9%1$u fields 1 f%1$u @50*v", 60);
    fill("hsetex table ex 9%2$u fields 1 f%1$u value%1$u", 3000);
    fill("hset table g%1$u value%1$u", 500);
    fill("hsetex same-time exat 9999999999 fields 1 f%1$u @500*v", 300);
    lab_run(
        "hset plain-again f @70*x;hexpire plain-again 100 fields 1 f;hpersist plain-again fields 1 f");
}

static void
sets(void)
{
    lab_run("sadd ints 1 2 3;sadd small a b c;sadd long @70*x");
    fill("sadd outer-ints %1$u", 400);
    fill("sadd table member%1$u", 3000);
    fill("sadd long @70*x@%1$u*y", 300);
}

static void
sorted_sets(void)
{
    lab_run("zadd small 1 a 2 b;zadd long 1 @70*x");
    fill("zadd outer %1$u @40*m%1$u", 60);
    fill("zadd leaf %1$u @70*m%1$u", 25);
    fill("zadd table %2$u member%1$u", 3000);
    fill("zadd same-score 1 member%1$u", 2000);
    fill("zadd in-order %1$u member%1$u", 2000);
}

static void
lists(void)
{
    lab_run("rpush small a b c;rpush one @900*a @900*b;rpush plain a @9000*b @40000*c d");
    lab_run("rpush two @5000*a @5000*b");
    fill("rpush nodes @500*a%1$u", 200);
    lab_run("config set list-max-listpack-size 4");
    fill("rpush levels element%1$u", 6000);
    fill("lpush levels element%1$u", 600);
    lab_run("config set list-max-listpack-size 1");
    fill("rpush high e%1$u", 2500);
}

static void
streams(void)
{
    lab_run("xadd one 1-1 f v;xgroup create one g 0;xgroup create empty g $ mkstream");
    lab_run("config set stream-node-max-entries 3");
    fill("xadd nodes %1$u-1 field value%1$u", 6000);
    fill("xgroup create nodes group%1$u 0", 9);
    fill("xreadgroup group group%3$u consumer%4$u count 40 streams nodes >", 0);
    fill("xreadgroup group group%4$u consumer%3$u count 31 streams nodes >", 400);
    fill("xgroup createconsumer nodes group1 idle%1$u", 40);
    fill("xgroup create many-groups g%1$u 0 mkstream", 3000);
}

static const struct shape {
    const char *name;
    void (*make)(void);
    unsigned keys_in_runs; /* and with nothing elsewhere: they do not move */
} shapes[] = {{"strings", strings, 1}, {"crowds", crowds, 0},
              {"hashes", hashes, 0},   {"timed hashes", timed_hashes, 0},
              {"sets", sets, 0},       {"sorted sets", sorted_sets, 0},
              {"lists", lists, 0},     {"streams", streams, 0}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const char *
digest(void)
{
    static char kept[64];

    snprintf(kept, sizeof kept, "%s", lab_reply("debug digest"));
    return kept;
}

/* ---- nothing changes ---- */

static void
move_all(int64_t work, unsigned check_each)
{
    unsigned step = 0;

    while (lab_move(work, false))
        if (++step % check_each == 0) {
            db_verify();
            mm_check();
        }
    db_verify();
    mm_check();
}

START_TEST(every_block_moves_and_nothing_changes)
{
    struct lab_digest want;
    char before[64];
    uint64_t moved;

    lab_open();
    shapes[_i].make();
    want = lab_quiet();
    strcpy(before, digest());
    db_move_reset_figures();
    move_all(1000, 5);
    moved = db_move_figures.moved;
    ck_assert_uint_gt(moved, 300);
    ck_assert_str_eq(digest(), before);
    move_all(37, 50);
    ck_assert_str_eq(digest(), before);
    move_all(1, 3000);
    ck_assert_str_eq(digest(), before);
    ck_assert(lab_same(lab_quiet(), want));
    /* each of them once in each of the three walks */
    ck_assert_uint_eq(db_move_figures.moved, 3 * moved);
    ck_assert_uint_eq(db_move_figures.keys_moved, 3 * (db_total_keys() - shapes[_i].keys_in_runs));
    ck_assert_uint_eq(db_move_figures.keys_stayed, 3 * shapes[_i].keys_in_runs);
    lab_close();
}
END_TEST

/* A consumer for whom very much is pending stays; all else moves, and the next walk finds it as
 * well. */
START_TEST(a_consumer_with_many_entries_stays_where_it_is)
{
    static char before[4096];

    lab_open();
    lab_run("config set stream-node-max-entries 10");
    fill("xadd s %1$u-1 f v", 3000);
    lab_run("xgroup create s g 0;xreadgroup group g busy count 2000 streams s >;"
            "xreadgroup group g lazy count 900 streams s >");
    strcpy(before, lab_reply("xinfo stream s full count 3"));
    while (lab_move(50, true))
        db_verify();
    ck_assert_str_eq(lab_reply("xinfo stream s full count 3"), before);
    lab_run("xack s g 500-1;xclaim s g lazy 0 3-1");
    db_verify();
    lab_close();
}
END_TEST

/* ---- while commands run ---- */

enum { KEYS = 18, COMMANDS = 4000 };

static uint64_t random_state;

static unsigned
draw_below(unsigned n)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(random_state >> 33) % n;
}

/* draw_aside: what the commands are does not depend on it. */
static unsigned
draw_aside(unsigned n)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(state >> 33) % n;
}

/* random_command: of a type's own kind, on one of its three keys; now and then one of those for any
 * key. */
static void
random_command(char *line, size_t room)
{
    static const char *const any[] = {
        "del k%1$u",
        "rename k%1$u k%2$u",
        "copy k%1$u k%2$u replace",
        "pexpire k%1$u %3$u000",
        "persist k%1$u",
        "unlink k%1$u",
        "swapdb 0 1",
        "move k%1$u 2",
        "flushdb",
        "copy k%1$u k%1$u db 1",
        "pass 3",
        "rename k%1$u k%1$u",
        "debug sleep 0",
        "type k%1$u",
        "swapdb 1 0",
    };
    static const char *const own[6][8] = {
        {"set k%1$u @%3$u*x", "append k%1$u @%4$u*y", "setrange k%1$u %3$u abc", "set k%1$u %3$u",
         "incr k%1$u", "getrange k%1$u 0 5", "set k%1$u @%3$u0*x", "getdel k%1$u"},
        {"rpush k%1$u a%3$u @%4$u*b", "lpush k%1$u @%3$u*c @%4$u*d e", "lpop k%1$u %4$u",
         "rpop k%1$u", "lset k%1$u %4$u x%3$u", "linsert k%1$u before e y%3$u",
         "ltrim k%1$u %4$u -%4$u", "lrem k%1$u 3 e"},
        {"sadd k%1$u m%3$u m%4$u @%4$u*x", "sadd k%1$u %3$u %4$u", "srem k%1$u m%3$u",
         "spop k%1$u %4$u", "smove k%1$u k%2$u m%3$u", "sunionstore k%1$u k%1$u k%2$u",
         "sadd k%1$u 1 2 3", "sinterstore k%1$u k%1$u k%2$u"},
        {"zadd k%1$u %3$u m%4$u %4$u @%4$u*x", "zadd k%1$u %3$u m%3$u", "zrem k%1$u m%3$u m%4$u",
         "zincrby k%1$u %4$u m%3$u", "zremrangebyrank k%1$u %4$u 90", "zpopmin k%1$u %4$u",
         "zunionstore k%1$u 2 k%1$u k%2$u", "zremrangebyscore k%1$u %4$u %3$u"},
        {"hset k%1$u f%3$u v%4$u g%4$u @%4$u*x", "hset k%1$u f%3$u @%4$u0*v",
         "hdel k%1$u f%3$u g%4$u", "hincrby k%1$u n %3$u",
         "hexpire k%1$u 9%3$u fields 2 f%3$u f%4$u", "hdel k%1$u f%4$u",
         "hset k%1$u a%3$u 1 b%3$u 2", "hsetex k%1$u ex 9%4$u fields 2 a%3$u v f%4$u w"},
        {"xadd k%1$u * f%3$u @%4$u*v", "xadd k%1$u * a 1 b 2", "xtrim k%1$u maxlen %3$u",
         "xgroup create k%1$u g%4$u 0 mkstream",
         "xreadgroup group g%4$u c%3$u count %4$u streams k%1$u >", "xgroup destroy k%1$u g%4$u",
         "xautoclaim k%1$u g%4$u c1 0 0 count 7", "xgroup delconsumer k%1$u g%4$u c%3$u"}};
    unsigned key = draw_below(KEYS), other = draw_below(3) * 6 + key % 6;
    const char *format = draw_below(20) == 0 ? any[draw_below(sizeof any / sizeof *any)]
                                             : own[key % 6][draw_below(8)];

    ck_assert_uint_lt(strlen(format), room / 2);
    put_numbers(line, format,
                (const unsigned[]){key, other, 1 + (unsigned)draw_below(400),
                                   1 + (unsigned)draw_below(40)});
}

struct run {
    bool moves, in_a_cut;
    unsigned left;
};

/* some_commands: so many of those that are left, with steps of a walk between them. */
static void
some_commands(struct run *r, unsigned count)
{
    char line[256];

    for (; count > 0 && r->left > 0; count--, r->left--) {
        random_command(line, sizeof line);
        lab_try(line);
        if (!r->moves)
            continue;
        /* all of them, or half of the sizes: what points to them stays */
        if (!mm_compact_is_open()) {
            size_t size = draw_aside(3) == 0 ? 0 : (size_t)16 << draw_aside(9);

            lab_move_sizes(size / 2, size == 0 ? SIZE_MAX : size * 2);
        }
        (void)lab_move(1 + r->left % 40, true);
        if (r->left % 50 == 0)
            db_verify();
    }
}

static void
between_blocks(void *ctx)
{
    some_commands(ctx, 60);
}

/* run: all commands; in_a_cut: half of them while a cut is open, and the snapshot must be that of
 * the cut. */
static void
run(struct run r, unsigned seed, char ret_digest[64])
{
    lab_open();
    random_state = seed;
    r.left = COMMANDS;
    lab_run("config set list-max-listpack-size 5;config set zset-max-listpack-entries 20;"
            "config set set-max-intset-entries 30;config set hash-max-listpack-entries 20;"
            "config set set-max-listpack-entries 20;config set stream-node-max-entries 6");
    some_commands(&r, COMMANDS / 2);
    if (r.in_a_cut) {
        struct lab_digest want, got;

        mm_compact_end();
        want = lab_quiet();
        lab_cut();
        some_commands(&r, COMMANDS / 8);
        got = lab_sweep_with(NULL, between_blocks, &r);
        some_commands(&r, COMMANDS / 8);
        mm_check();
        lab_end();
        ck_assert_msg(lab_same(want, got), "seed %u: the snapshot is not of its cut", seed);
    }
    some_commands(&r, COMMANDS);
    db_verify();
    mm_check();
    snprintf(ret_digest, 64, "%s", digest());
    lab_close();
}

START_TEST(commands_between_two_steps_find_what_they_expect)
{
    char want[64], got[64];
    unsigned seed = 1 + (unsigned)_i;

    run((struct run){.moves = false}, seed, want);
    run((struct run){.moves = true}, seed, got);
    ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(a_snapshot_beside_which_everything_moves_is_of_its_cut)
{
    char want[64], got[64];
    unsigned seed = 100 + (unsigned)_i;

    run((struct run){.moves = false}, seed, want);
    run((struct run){.moves = true, .in_a_cut = true}, seed, got);
    ck_assert_str_eq(got, want);
}
END_TEST

/* Every shape as a whole: each block moves while the sweep is somewhere, and what has moved is
 * written to. */
static void
move_between_blocks(void *ctx)
{
    (void)ctx;
    (void)lab_move(300, true);
}

START_TEST(a_snapshot_of_each_shape_while_it_moves)
{
    struct lab_digest want, got;

    lab_open();
    shapes[_i].make();
    want = lab_quiet();
    for (unsigned round = 0; round < 3; round++) {
        lab_cut();
        if (round == 1)
            while (lab_move(100, true))
                ;
        got = lab_sweep_with(NULL, move_between_blocks, NULL);
        while (round == 2 && lab_move(100, true))
            ;
        db_verify();
        mm_check();
        lab_end();
        ck_assert(lab_same(want, got));
    }
    mm_compact_end();
    ck_assert(lab_same(want, lab_quiet()));
    lab_close();
}
END_TEST

/* ---- a step is short ---- */

/* A key of very many elements takes very many steps, none of which does more than it was asked to:
 * counted, not timed. */
START_TEST(no_step_of_a_huge_key_is_long)
{
    /* beyond the work asked for: the last thing may be a chain, or a node's whole way down */
    enum { WORK = 100, MORE = 100, ELEMENTS = 60000 };
    static const char *const adds[] = {"hset k %1$u v%1$u", "sadd k m%1$u", "zadd k %2$u m%1$u",
                                       "rpush k @30*e%1$u", "xadd k %1$u-1 f v"};
    uint64_t steps = 0;

    lab_open();
    lab_run("config set list-max-listpack-size 2;config set stream-node-max-entries 1");
    fill(adds[_i], ELEMENTS);
    mm_compact_end();
    for (bool more = true; more; steps++) {
        uint64_t before = db_move_figures.moved + db_move_figures.stayed;

        more = lab_move(WORK, false);
        ck_assert_uint_le(db_move_figures.moved + db_move_figures.stayed - before, WORK + MORE);
    }
    ck_assert_uint_gt(steps, ELEMENTS / 2 / WORK / 4);
    db_verify();
    lab_close();
}
END_TEST

/* ---- keys that go while their structure is being walked through ---- */

START_TEST(a_key_that_goes_between_two_steps_ends_its_walk)
{
    static const char *const ends[] = {
        "del k",
        "rename k other",
        "flushall",
        "swapdb 0 5",
        "del k;set k v",
        "del k;rpush k a",
        "unlink k;hset k a @70*b",
        "debug sleep 0",
        "del k;zadd k 1 @70*a",
        "move k 7",
    };
    static const char *const adds[] = {"hset k f%1$u v", "sadd k m%1$u", "zadd k %2$u m%1$u",
                                       "rpush k @300*e%1$u", "xadd k %1$u-1 f @50*v"};

    for (unsigned a = 0; a < sizeof adds / sizeof *adds; a++)
        for (unsigned e = 0; e < sizeof ends / sizeof *ends; e++) {
            lab_open();
            lab_run("config set stream-node-max-entries 2");
            fill(adds[a], 500);
            fill("set some-key:%1$u v", 20);
            for (unsigned i = 0; i < 25; i++)
                (void)lab_move(9, true);
            lab_run(ends[e]);
            while (db_work(1000))
                ;
            db_verify();
            while (lab_move(9, true))
                ;
            db_verify();
            mm_check();
            while (lab_move(9, false))
                ;
            lab_close();
        }
}
END_TEST

/* ---- what grows faster than it is walked through ---- */

START_TEST(what_grows_faster_than_the_walk_ends_it)
{
    static const char *const adds[] = {"hset k f%1$u v",        "sadd k m%1$u",
                                       "zadd k %1$u m%1$u",     "rpush k @300*e%1$u",
                                       "xadd k %1$u-1 f @50*v", "set k%1$u v"};
    unsigned steps = 0, n = 1;
    char line[64];

    lab_open();
    lab_run("config set stream-node-max-entries 1;config set list-max-listpack-size 1");
    fill(adds[_i], 600);
    for (n = 600; lab_move(5, true); steps++) {
        ck_assert_uint_lt(steps, 10000);
        for (unsigned end = n + 40; n < end; n++) {
            snprintf(line, sizeof line, adds[_i], n);
            lab_run(line);
        }
    }
    ck_assert_uint_gt(steps, 50);
    db_verify();
    lab_close();
}
END_TEST

/* ---- without memory ---- */

#ifdef STILLFRAME_FAULTS
START_TEST(without_memory_what_cannot_move_stays)
{
    char before[64];

    lab_open();
    shapes[_i].make();
    strcpy(before, digest());
    for (unsigned long n = 1; n < 60; n++) {
        struct lab_digest got;
        bool in_a_cut = n % 2 == 0;

        if (in_a_cut)
            lab_cut();
        if (!mm_compact_is_open())
            (void)lab_move(1, true);
        fault_arm(n % 3 == 0 ? FAULT_mm_alloc : FAULT_mm_bitmap, 1 + n / 3, n % 5 == 0);
        for (unsigned i = 0; i < 40; i++)
            (void)lab_move(50, true);
        (void)fault_disarm();
        db_verify();
        mm_check();
        if (!in_a_cut)
            continue;
        got = lab_sweep();
        lab_end();
        ck_assert_int_eq(got.error, 0);
    }
    ck_assert_str_eq(digest(), before);
    lab_close();
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/data/move");
    TCase *t = tcase_create("moves");

    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, every_block_moves_and_nothing_changes, 0, SHAPES);
    tcase_add_test(t, a_consumer_with_many_entries_stays_where_it_is);
    tcase_add_loop_test(t, commands_between_two_steps_find_what_they_expect, 0, 6);
    tcase_add_loop_test(t, a_snapshot_beside_which_everything_moves_is_of_its_cut, 0, 6);
    tcase_add_loop_test(t, a_snapshot_of_each_shape_while_it_moves, 0, SHAPES);
    tcase_add_loop_test(t, no_step_of_a_huge_key_is_long, 0, 5);
    tcase_add_loop_test(t, what_grows_faster_than_the_walk_ends_it, 0, 6);
    tcase_add_test(t, a_key_that_goes_between_two_steps_ends_its_walk);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, without_memory_what_cannot_move_stays, 0, SHAPES);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
