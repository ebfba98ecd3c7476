/* tests/server/test_ltable.c - linear hash tables, both kinds: of records (ktable) and of pairs
 * (htable). Random tests print their seed.  Crowded ones: test_ltable_crowd.c. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "mm/cut.h"
#include "server/data/db/ktable.h"
#include "server/data/db/ltable_arena.h"
#include "server/data/hash/htable.h"
#include "tests/support/ltable_model.h"
#include "tests/support/runner.h"

enum { MODEL = 30000, LARGE = 400000 };

START_TEST(a_table_holds_what_its_model_holds)
{
    struct model m = model_new(MODEL);

    for (int phase = 0; phase < 8; phase++) {
        unsigned grow = phase % 2 == 0 ? 80 : 15; /* percent of additions */

        for (int i = 0; i < MODEL; i++) {
            unsigned n = (unsigned)(next_random() % MODEL);

            if (m.at[n] == NULL && next_random() % 100 < grow)
                expect(model_add(&m, n));
            else if (m.at[n] != NULL && next_random() % 100 >= grow)
                model_drop(&m, n);
        }
        model_check(&m);
    }
    for (unsigned n = 0; n < MODEL; n++)
        if (m.at[n] != NULL)
            model_drop(&m, n);
    model_check(&m);
    ck_assert_uint_le(m.table.buckets, 2);
    model_free(&m);
}
END_TEST

/* LT4: beyond 2^16 buckets the bits in the slots say where entries go. */
START_TEST(a_large_table_grows_and_shrinks)
{
    struct model m = model_new(LARGE);

    for (unsigned n = 0; n < LARGE; n++)
        expect(model_add(&m, n));
    ck_assert_uint_gt(m.table.buckets, 1 << 16);
    model_check(&m);
    for (unsigned n = 0; n < LARGE; n++)
        if (n % 16 != 0)
            model_drop(&m, n);
    ck_assert_uint_lt(m.table.buckets, 1 << 16);
    model_check(&m);
    model_free(&m);
}
END_TEST

/* Sizes around those of segments: what was expected, a quarter of it, and more than it. */
START_TEST(a_table_that_expects_its_records_is_not_split)
{
    static const unsigned sizes[] = {0, 3, 4, 7, 8, 9, 1020, 1024, 1028, 1032, 4095, 4100, 30000};
    unsigned expected = sizes[_i];
    struct model m = model_new(2 * expected + 10);
    uint64_t buckets = expected / 4;

    ktable_expect(&m.table, expected);
    ck_assert_uint_eq(m.table.buckets, buckets);
    model_check(&m);
    ktable_expect(&m.table, 2 * expected); /* it has buckets */
    if (buckets > 0)
        ck_assert_uint_eq(m.table.buckets, buckets);
    for (unsigned n = 0; n < expected / 8; n++)
        expect(model_add(&m, n));
    model_check(&m);
    ktable_fit(&m.table);
    ck_assert_uint_le(m.table.buckets, expected / 8 + 1);
    model_check(&m);
    for (unsigned n = expected / 8; n < 2 * expected + 10; n++)
        expect(model_add(&m, n));
    model_check(&m);
    for (unsigned n = 0; n < 2 * expected + 10; n++)
        if (n % 8 != 0)
            model_drop(&m, n);
    model_check(&m);
    model_free(&m);
    ck_assert_uint_eq(ktable_bytes(), 0);
}
END_TEST

/* Its figure follows the buckets in use: a growing table must not look twice as large at once. */
START_TEST(the_figure_of_memory_grows_with_the_buckets)
{
    enum { STEP_BYTES = 12 << 10 };
    struct model m = model_new(LARGE);
    size_t full;

    for (unsigned n = 0; n < LARGE; n++) {
        size_t before = ktable_bytes();

        expect(model_add(&m, n));
        expect(ktable_bytes() <= before + STEP_BYTES);
    }
    full = ktable_bytes();
    ck_assert_uint_ge(full, m.table.buckets * sizeof(struct lt_bucket));
    ck_assert_uint_le(full,
                      (m.table.buckets + m.table.children) * sizeof(struct lt_bucket) * 11 / 10);
    for (unsigned n = 0; n < LARGE; n++)
        if (n % 16 != 0)
            model_drop(&m, n);
    model_check(&m);
    ck_assert_uint_lt(ktable_bytes(), full / 2);
    for (unsigned n = 0; n < LARGE; n++) /* into pages that went back */
        if (m.at[n] == NULL)
            expect(model_add(&m, n));
    model_check(&m);
    model_free(&m);
}
END_TEST

START_TEST(another_record_takes_the_place_of_one)
{
    struct model m = model_new(1000);
    const struct record *fresh;
    struct record_spec spec;
    struct ktable_ref ref;

    for (unsigned n = 0; n < m.size; n++)
        expect(model_add(&m, n));
    for (unsigned n = 0; n < m.size; n += 3) {
        record_spec_of(m.at[n], &spec);
        fresh = record_new(&spec);
        ck_assert_ptr_eq(ktable_find_key(&m.table, hash_of(spec.key), spec.key, &ref), m.at[n]);
        ktable_switch(ref, fresh);
        m.at[n] = fresh;
    }
    model_check(&m);
    model_free(&m);
}
END_TEST

/* ---- walking ---- */

/* The first half stays for the whole walk; the other half comes and goes. */
START_TEST(a_walk_meets_everything_that_stays)
{
    enum { SIZE = 4000, STAY = SIZE / 2 };
    struct model m = model_new(SIZE);
    unsigned times[SIZE];

    for (int round = 0; round < 60; round++) {
        uint64_t cursor = 0;
        unsigned filled = (unsigned)(next_random() % 3), steps = 0, burst;

        for (unsigned n = 0; n < SIZE; n++)
            if (m.at[n] == NULL && (n < STAY / 8 || (n < STAY && filled > 0) || filled > 1))
                expect(model_add(&m, n));
        memset(times, 0, sizeof times);
        do {
            cursor = ktable_walk(&m.table, cursor, note_seen, times);
            steps++;
            burst = (unsigned)(next_random() % 40);
            for (unsigned i = 0; i < burst; i++) {
                unsigned n = STAY + (unsigned)(next_random() % (SIZE - STAY));

                if (m.at[n] == NULL && round % 2 == 0)
                    expect(model_add(&m, n));
                else if (m.at[n] != NULL && round % 2 == 1)
                    model_drop(&m, n);
            }
        } while (cursor != 0);
        ck_assert_uint_le(steps, 4096);
        for (unsigned n = 0; n < STAY / 8; n++)
            ck_assert_msg(times[n] > 0, "round %d: %u was not met", round, n);
        for (unsigned n = 0; n < SIZE; n++)
            if (m.at[n] != NULL && round % 7 == 0)
                model_drop(&m, n);
    }
    model_free(&m);
}
END_TEST

START_TEST(a_walk_of_a_table_at_rest_meets_everything_once)
{
    static const unsigned sizes[] = {0, 1, 2, 5, 6, 11, 100, 1000, 5000};
    struct model m = model_new(sizes[_i] + 1);
    unsigned *times = calloc(m.size, sizeof *times);
    uint64_t cursor = 0;

    for (unsigned n = 0; n < sizes[_i]; n++)
        expect(model_add(&m, n));
    do
        cursor = ktable_walk(&m.table, cursor, note_seen, times);
    while (cursor != 0);
    for (unsigned n = 0; n < sizes[_i]; n++)
        ck_assert_uint_eq(times[n], 1);
    free(times);
    model_free(&m);
}
END_TEST

START_TEST(every_record_is_drawn_about_as_often)
{
    enum { SIZE = 200, DRAWS = 200 * 500 };
    struct model m = model_new(SIZE);
    unsigned times[SIZE] = {0};

    for (unsigned n = 0; n < SIZE; n++)
        expect(model_add(&m, n));
    for (unsigned drawn = 0; drawn < DRAWS; drawn++)
        note_seen(times, ktable_draw(&m.table));
    for (unsigned n = 0; n < SIZE; n++) /* 500 expected, sigma 22 */
        ck_assert_msg(times[n] > 350 && times[n] < 650, "%u was drawn %u times", n, times[n]);
    model_free(&m);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_memory_a_table_expects_nothing)
{
    struct ktable t = {.count = 0};

    for (unsigned n = 1; t.buckets == 0; n++) {
        fault_arm(FAULT_side_alloc, n, false);
        ktable_expect(&t, 5000);
        ck_assert_uint_eq(t.buckets, fault_disarm() == 0 ? 1250 : 0);
        ck_assert_uint_eq(ktable_bytes() == 0, t.buckets == 0);
    }
    ktable_fit(&t);
    ck_assert_uint_eq(t.buckets, 1);
    ck_assert(ktable_empty(&t, &(uint64_t){0}, 1, count_visits, &(unsigned){0}));
    ck_assert_uint_eq(ktable_bytes(), 0);
}
END_TEST

START_TEST(without_memory_a_table_stays_fuller_or_refuses)
{
    struct model m = model_new(MODEL);
    unsigned refused = 0;

    for (int round = 0; round < 40; round++) {
        fault_arm(FAULT_side_alloc, 1 + next_random() % 5, true);
        for (int i = 0; i < 200; i++) {
            unsigned n = (unsigned)(next_random() % MODEL);

            if (m.at[n] == NULL)
                refused += !model_add(&m, n);
            else
                model_drop(&m, n);
        }
        fault_disarm();
        model_check(&m);
        for (int i = 0; i < 50; i++) {
            unsigned n = (unsigned)(next_random() % MODEL);

            if (m.at[n] == NULL)
                expect(model_add(&m, n));
        }
        model_check(&m);
    }
    ck_assert_uint_gt(refused, 0);
    model_free(&m);
}
END_TEST

/* Only segments fail: all is in one bucket, behind junctions, and every split of it still works out
 * (LT2, LT7). */
START_TEST(a_table_without_segments_has_junctions_and_recovers)
{
    struct model m = model_new(4000);

    for (unsigned n = 0; n < 1000; n++) {
        /* What it needs, up to two buckets at a time, and no more: a segment would come last. */
        for (unsigned fails = 1;; fails = fails % 3 + 1) {
            fault_arm(FAULT_side_alloc, fails + (m.table.buckets == 0), true);
            if (model_add(&m, n))
                break;
        }
        fault_disarm();
    }
    ck_assert_uint_eq(m.table.buckets, 1);
    model_check(&m);
    for (unsigned n = 1000; n < 4000; n++)
        expect(model_add(&m, n));
    model_check(&m);
    ck_assert_uint_ge(m.table.buckets, 800);
    model_free(&m);
}
END_TEST
#endif

/* ---- tables of pairs ---- */

static size_t
live_bytes(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.live_bytes;
}

static void
set_field(const struct htable *t, unsigned n, unsigned version)
{
    char name[16], value[80];
    int len = snprintf(value, sizeof value, "%u:%0*u", version, (int)(version % 50) + 1, n);
    struct slice field = name_of(n, name), v = {value, (size_t)len};
    const struct hash_pair *p = htable_get(t, field), *old;

    if (p != NULL && hash_pair_set(p, v))
        return;
    expect((p = hash_pair_new(field, v)) != NULL);
    expect(htable_put(t, p, &old));
    if (old != NULL)
        hash_pair_free(old);
}

static void
check_field(const struct htable *t, unsigned n, unsigned version)
{
    char name[16], value[80];
    int len = snprintf(value, sizeof value, "%u:%0*u", version, (int)(version % 50) + 1, n);
    const struct hash_pair *p = htable_get(t, name_of(n, name));

    if (version == 0) {
        expect(p == NULL);
        return;
    }
    expect(p != NULL);
    expect(slice_equal(hash_pair_value(p), (struct slice){value, (size_t)len}));
}

START_TEST(a_table_of_pairs_holds_what_its_model_holds)
{
    enum { FIELDS = 5000 };
    const struct htable *t = htable_new(), *copy;
    unsigned version[FIELDS] = {0};
    size_t before = live_bytes();
    uint64_t count = 0;

    for (int i = 0; i < 60000; i++) {
        unsigned n = (unsigned)(next_random() % FIELDS);

        if (next_random() % 100 < (i / 20000 == 1 ? 20U : 70U)) {
            count += version[n] == 0;
            set_field(t, n, version[n] = 1 + (unsigned)(next_random() % 1000));
        } else {
            char name[16];
            const struct hash_pair *p = htable_take(t, name_of(n, name));

            expect(version[n] == 0 ? p == NULL : p != NULL);
            if (p != NULL)
                hash_pair_free(p);
            count -= version[n] != 0;
            version[n] = 0;
        }
    }
    htable_verify(t);
    ck_assert_uint_eq(htable_count(t), count);
    copy = htable_copy(t);
    for (unsigned n = 0; n < FIELDS; n++) {
        check_field(t, n, version[n]);
        check_field(copy, n, version[n]);
    }
    htable_free(t);
    htable_verify(copy);
    htable_free(copy);
    ck_assert_uint_lt(live_bytes(), before);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

/* No more at a time than a few buckets, though segments double the table. */
START_TEST(the_memory_of_a_table_of_pairs_grows_with_it)
{
    /* the largest segment that counts as a whole */
    enum { FIELDS = 200000, STEP_BYTES = 66 << 10 };
    const struct htable *t = htable_new();
    unsigned large = 0;

    for (unsigned n = 0; n < FIELDS; n++) {
        size_t before = live_bytes();

        set_field(t, n, 1);
        expect(live_bytes() <= before + STEP_BYTES);
        large += live_bytes() > before + 5000;
    }
    ck_assert_uint_le(large, 10);
    ck_assert_uint_ge(live_bytes(), t->buckets * sizeof(struct lt_bucket));
    ck_assert_uint_le(live_bytes(),
                      (t->buckets + t->children) * sizeof(struct lt_bucket) * 11 / 10 +
                          FIELDS * 32);
    htable_free(t);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

/* Sizes around those of segments, of runs, and of the most that is prepared. */
START_TEST(a_table_of_pairs_expects_some_of_them)
{
    static const uint64_t sizes[] = {0, 7, 8, 4096, 4100, 9000, 20000, 524287, 524292, 1 << 30};
    const struct htable *t = htable_new();
    uint64_t buckets = sizes[_i] < 8 ? 1 : sizes[_i] / 4;
    size_t grown;

    htable_expect(t, sizes[_i]);
    if (buckets > ARENA_EXPECT_MOST)
        buckets = ARENA_EXPECT_MOST;
    ck_assert_uint_eq(t->buckets, buckets);
    ck_assert_uint_ge(live_bytes(), buckets * sizeof(struct lt_bucket));
    ck_assert_uint_le(live_bytes(), buckets * sizeof(struct lt_bucket) * 11 / 10 + (66 << 10));
    htable_verify(t);
    for (unsigned n = 0; n < 30000; n++)
        set_field(t, n, 1);
    htable_verify(t);
    grown = t->buckets;
    ck_assert_uint_eq(grown, buckets < 7500 ? 7500 : buckets);
    for (unsigned n = 0; n < 30000; n++)
        check_field(t, n, 1);
    htable_free(t);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

START_TEST(a_pair_is_entered_once)
{
    const struct hash_pair *p = hash_pair_new(SLICE("a"), SLICE("1")),
                           *q = hash_pair_new(SLICE("a"), SLICE("2"));
    const struct htable *t = htable_new();
    uint64_t hash = hash_of(SLICE("a"));

    htable_warm(t, hash);
    ck_assert_int_eq(htable_enter(t, hash, p), 0);
    ck_assert_int_eq(htable_enter(t, hash, q), -EEXIST);
    ck_assert_ptr_eq(htable_get(t, SLICE("a")), p);
    hash_pair_free(q);
    htable_free(t);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

START_TEST(a_pair_changes_in_place_only_where_its_block_fits)
{
    const struct hash_pair *p = hash_pair_new(SLICE("field"), SLICE("0123456789"));

    ck_assert(hash_pair_set(p, SLICE("abcdefghij")));
    ck_assert(slice_equal(hash_pair_value(p), SLICE("abcdefghij")));
    ck_assert(hash_pair_set(p, SLICE("abcdefghijk")));
    ck_assert(slice_equal(hash_pair_value(p), SLICE("abcdefghijk")));
    ck_assert(slice_equal(hash_pair_field(p), SLICE("field")));
    ck_assert(!hash_pair_set(p, SLICE("a")));
    ck_assert(!hash_pair_set(p, SLICE("0123456789012345678901234567890123456789")));
    ck_assert(slice_equal(hash_pair_value(p), SLICE("abcdefghijk")));
    hash_pair_free(p);
}
END_TEST

/* One changed field of a large table: a handful of pages. */
START_TEST(a_write_into_a_large_table_preserves_few_pages)
{
    const struct htable *t = htable_new();
    struct mm_figures f;
    epoch_t epoch;

    for (unsigned n = 0; n < 300000; n++)
        set_field(t, n, 1);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    set_field(t, 5, 1);
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 2);
    set_field(t, 300001, 3);
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 8);
    mm_cut_end();
    while (mm_settle(1000))
        ;
    htable_verify(t);
    htable_free(t);
}
END_TEST

START_TEST(a_dead_table_goes_in_steps)
{
    const struct htable *t = htable_new();
    uint64_t next = 0;
    unsigned steps = 1;

    for (unsigned n = 0; n < 10000; n++)
        set_field(t, n, 1);
    for (; !htable_drop(t, &next, 100); steps++)
        ;
    ck_assert_uint_ge(steps, 80);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(without_memory_a_table_of_pairs_is_as_before)
{
    const struct htable *t = htable_new();
    unsigned failed = 0;

    for (unsigned n = 0; n < 3000; n++) {
        char name[16];
        struct slice field = name_of(n, name);
        const struct hash_pair *p = hash_pair_new(field, SLICE("v")), *old;
        bool done;

        fault_arm(FAULT_mm_alloc, 1 + next_random() % 2, false);
        done = htable_put(t, p, &old);
        fault_disarm();
        if (!done) {
            failed++;
            ck_assert_uint_eq(htable_count(t), n);
            ck_assert_ptr_null(htable_get(t, field));
            expect(htable_put(t, p, &old));
        }
    }
    ck_assert_uint_gt(failed, 0);
    htable_verify(t);
    htable_free(t);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/ltable");
    TCase *t = tcase_create("ltable");

    tcase_add_checked_fixture(t, model_setup, model_teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, a_table_holds_what_its_model_holds, 0, 2);
    tcase_add_test(t, a_large_table_grows_and_shrinks);
    tcase_add_loop_test(t, a_table_that_expects_its_records_is_not_split, 0, 13);
    tcase_add_test(t, the_figure_of_memory_grows_with_the_buckets);
    tcase_add_test(t, another_record_takes_the_place_of_one);
    tcase_add_test(t, a_walk_meets_everything_that_stays);
    tcase_add_loop_test(t, a_walk_of_a_table_at_rest_meets_everything_once, 0, 9);
    tcase_add_test(t, every_record_is_drawn_about_as_often);
    tcase_add_test(t, a_table_of_pairs_holds_what_its_model_holds);
    tcase_add_test(t, the_memory_of_a_table_of_pairs_grows_with_it);
    tcase_add_loop_test(t, a_table_of_pairs_expects_some_of_them, 0, 10);
    tcase_add_test(t, a_pair_is_entered_once);
    tcase_add_test(t, a_pair_changes_in_place_only_where_its_block_fits);
    tcase_add_test(t, a_write_into_a_large_table_preserves_few_pages);
    tcase_add_test(t, a_dead_table_goes_in_steps);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_a_table_expects_nothing);
    tcase_add_test(t, without_memory_a_table_stays_fuller_or_refuses);
    tcase_add_test(t, a_table_without_segments_has_junctions_and_recovers);
    tcase_add_test(t, without_memory_a_table_of_pairs_is_as_before);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
