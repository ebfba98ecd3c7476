/* tests/server/test_save_filter.c - which keys a partial copy holds: its names, its databases, its
 * sizes, and what a pattern may cost. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/glob.h"
#include "mm/base/os.h"
#include "server/data/db/db.h"
#include "server/data/db/save.h"
#include "server/data/db/save_filter.h"
#include "server/data/db/save_value.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

/* What the copy holds: each key as "number:first eight bytes of its name ", each size as
 * "number=keys/expires ". */
static char found[4096];
static uint64_t total, left_out, selected;

static int
note_db(void *ctx, uint64_t db)
{
    (void)ctx;
    selected = db;
    return 0;
}

static int
note_size(void *ctx, uint64_t keys, uint64_t expires)
{
    size_t len = strlen(found);

    (void)ctx;
    snprintf(found + len, sizeof found - len, "%d=%d/%d ", (int)selected, (int)keys, (int)expires);
    return 0;
}

static int
note_key(void *ctx, const struct rdb_key *k)
{
    size_t len = strlen(found);

    (void)ctx;
    snprintf(found + len, sizeof found - len, "%d:%.*s ", (int)k->db,
             k->name.len < 8 ? (int)k->name.len : 8, k->name.ptr);
    return 0;
}

static void
decode(struct sink *out)
{
    static const struct rdb_events events = {
        .selectdb = note_db, .resizedb = note_size, .key = note_key};
    struct rdb_source *src;
    struct rdb_error err;
    size_t len;
    uint8_t *bytes = sink_memory_take(out, &len);

    ck_assert_int_eq(rdb_source_memory(bytes, len, &src), 0);
    ck_assert_msg(rdb_decode(src, &events, NULL, true, &err) == 0, "%s", err.text);
    rdb_source_close(src);
    free(bytes);
}

/* copy: what a copy of that choice holds, in the order of its records. */
static const char *
copy(const struct save_choice *choice)
{
    struct save_filter *filter = save_filter_new(choice);
    struct save_cut *cut = save_cut_new();
    struct snapshot_request rq = {
        .ops = &save_snapshot_ops, .cut = cut, .rdb_version = RDB_VERSION_DEFAULT};
    struct mm_sweep sweep;
    struct sink *out;
    epoch_t epoch;

    found[0] = '\0';
    rq.keys_total = db_total_keys();
    save_cut_choose(cut, filter);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sweep);
    ck_assert_int_eq(sink_memory_open(&out), 0);
    out->with_crc = true;
    ck_assert_int_eq(snapshot_run_here(&rq, &sweep, out, &total), 0);
    left_out = rq.keys_total - total; /* what was left out was found, or the sweep would say so */
    decode(out);
    sink_close(out);
    mm_cut_end();
    while (mm_settle(3))
        ;
    save_cut_free(cut);
    save_filter_free(filter);
    return found;
}

/* has: is it in what was found?  Records come in no order. */
static bool
has(const char *what)
{
    return strstr(found, what) != NULL;
}

START_TEST(a_copy_of_some_databases_says_how_large_they_are)
{
    talk("set a 1");
    talk("select 3");
    talk("set b 1");
    talk("set c 1 ex 1000");
    talk("select 5");
    talk("set d 1");
    talk("swapdb 5 12"); /* their numbers at the cut */
    copy(&(struct save_choice){.dbs = (int[]){3, 12, 3}, .db_count = 3});
    ck_assert(has("3=2/1 ") && has("3:b ") && has("3:c ") && has("12=1/0 ") && has("12:d "));
    ck_assert(!has("0=") && !has(":a"));
    ck_assert_uint_eq(left_out, 1);
    ck_assert_str_eq(copy(&(struct save_choice){.dbs = (int[]){15}, .db_count = 1}), "");
    ck_assert_uint_eq(left_out, 4);
    copy(&(struct save_choice){.db_count = 0});
    ck_assert(has("0=1/0 ") && has("3=2/1 ") && has("12=1/0 "));
    ck_assert_uint_eq(left_out, 0);
}
END_TEST

/* Nobody knows the size beforehand, and a wrong hint is worse than none. */
START_TEST(a_database_that_is_taken_in_part_comes_without_a_size)
{
    talk("set user:1 1");
    talk("set user:2 1 ex 1000");
    talk("lpush user:3 1");
    talk("set other 1");
    copy(&(struct save_choice){.patterns = (struct slice[]){SLICE("user:*")}, .pattern_count = 1});
    ck_assert(has("0:user:1 ") && has("0:user:2 ") && has("0:user:3 ") && !has("=") && !has("oth"));
    copy(&(struct save_choice){.types = 1u << TYPE_LIST});
    ck_assert_str_eq(found, "0:user:3 ");
    ck_assert_uint_eq(left_out, 3);
}
END_TEST

START_TEST(of_one_kind_one_is_enough_and_all_kinds_are_to_hold)
{
    struct slice patterns[] = {SLICE("h*"), SLICE("?1")};

    talk("set s1 1");
    talk("hset h1 f v");
    talk("hset h22 f v");
    talk("sadd m1 x");
    talk("set z 1");
    talk("select 1");
    talk("set s1 1");
    copy(&(struct save_choice){.dbs = (int[]){0},
                               .db_count = 1,
                               .patterns = patterns,
                               .pattern_count = 2,
                               .types = 1u << TYPE_HASH | 1u << TYPE_STRING});
    ck_assert(has("0:s1 ") && has("0:h1 ") && has("0:h22 "));
    ck_assert(!has("m1") && !has("z") && !has("1:"));
    ck_assert_uint_eq(left_out, 3);
}
END_TEST

/* As KEYS and SCAN have it: an empty name matches the lone star and the empty pattern. */
START_TEST(the_empty_name_is_taken_by_what_takes_it_elsewhere)
{
    talk("set '' 1");
    ck_assert_str_eq(
        copy(&(struct save_choice){.patterns = (struct slice[]){SLICE("*")}, .pattern_count = 1}),
        "0: ");
    ck_assert_str_eq(
        copy(&(struct save_choice){.patterns = (struct slice[]){SLICE("")}, .pattern_count = 1}),
        "0: ");
    ck_assert_str_eq(
        copy(&(struct save_choice){.patterns = (struct slice[]){SLICE("**")}, .pattern_count = 1}),
        "");
}
END_TEST

/* A record shows 64 KiB at a time: what a name holds behind them counts as well. */
START_TEST(a_name_that_is_longer_than_what_is_staged_is_looked_at_to_its_end)
{
    static char name[3 * VIEW_CHUNK_BYTES + 17];
    struct slice set[] = {SLICE("set"), {name, sizeof name}, SLICE("v")};
    static const struct {
        const char *pattern;
        bool match;
    } tries[] = {{"kk*kk", true},      {"kk*kkx", false}, {"*x*y", true}, {"*y*x*", false},
                 {"*xk*", true},       {"*xx*", false},   {"k*", true},   {"*z", false},
                 {"*k?k[k]k*y", true}, {"*x*x*", false},  {"*", true},    {"?*?*?*x*?y", true}};

    memset(name, 'k', sizeof name);
    ck_assert_str_eq(talk_words(3, set), "+OK\r\n");
    copy(&(struct save_choice){.patterns = (struct slice[]){SLICE("kk*kk")}, .pattern_count = 1});
    ck_assert(has("0:kkkkkkkk "));
    talk_words(2, (struct slice[]){SLICE("del"), {name, sizeof name}});
    name[2 * VIEW_CHUNK_BYTES + 5] = 'x';
    name[sizeof name - 1] = 'y';
    talk_words(3, set);
    for (unsigned i = 1; i < sizeof tries / sizeof tries[0]; i++) {
        struct slice pattern = {tries[i].pattern, strlen(tries[i].pattern)};

        copy(&(struct save_choice){.patterns = &pattern, .pattern_count = 1});
        ck_assert_msg((found[0] != '\0') == tries[i].match, "%s", tries[i].pattern);
        ck_assert(glob_match(pattern, (struct slice){name, sizeof name}, false) == tries[i].match);
    }
}
END_TEST

static int breaths;

static int
give_up_at_the_third(void *ctx)
{
    (void)ctx;
    return ++breaths == 3 ? -ECANCELED : 0;
}

/* The worst of patterns on a long name takes long: the sweep looks up on the way.  The name is
 * staged as a whole, since each read would be a look up, too. */
START_TEST(a_pattern_that_takes_long_can_be_cancelled_on_its_way)
{
    enum { LEN = 1 << 20 };
    char *name = malloc(LEN), pattern[SAVE_PATTERN_BYTES_MAX];
    struct slice slice = {pattern, sizeof pattern};
    struct save_filter *filter;
    struct save_work *work = malloc(sizeof *work);
    struct view view;
    const struct record *r;
    int64_t begin = os_monotonic_us();

    memset(name, 'a', LEN);
    memset(pattern, 'a', sizeof pattern);
    pattern[0] = '*';
    pattern[sizeof pattern - 1] = 'b';
    talk_words(3, (struct slice[]){SLICE("set"), {name, LEN}, SLICE("v")});
    r = db_peek(talk_db(), (struct slice){name, LEN});
    ck_assert_ptr_nonnull(r);
    filter = save_filter_new(&(struct save_choice){.patterns = &slice, .pattern_count = 1});
    view_init_live(&view);
    view.poll = give_up_at_the_third;
    work->view = &view;
    breaths = 0;
    ck_assert_int_eq(save_filter_takes(filter, 0, work,
                                       &(struct save_item){.rec = r,
                                                           .live = (const char *)r,
                                                           .bytes = record_key_at(r) + LEN}),
                     -ECANCELED);
    ck_assert_int_eq(breaths, 3);
    ck_assert_int_lt(os_monotonic_us() - begin, 5000000);
    save_filter_free(filter);
    free(work);
    free(name);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/save_filter");
    TCase *t = tcase_create("save_filter");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_copy_of_some_databases_says_how_large_they_are);
    tcase_add_test(t, a_database_that_is_taken_in_part_comes_without_a_size);
    tcase_add_test(t, of_one_kind_one_is_enough_and_all_kinds_are_to_hold);
    tcase_add_test(t, the_empty_name_is_taken_by_what_takes_it_elsewhere);
    tcase_add_test(t, a_name_that_is_longer_than_what_is_staged_is_looked_at_to_its_end);
    tcase_add_test(t, a_pattern_that_takes_long_can_be_cancelled_on_its_way);
    suite_add_tcase(s, t);
    return run_suite(s);
}
