/* tests/server/test_ltable_crowd.c - tables from which is removed what a walk shows first, again
 * and again, so that the hashes of what stays agree in ever more bits: junctions (LT5 to LT7).
 * Random tests print their seed. */
#include <check.h>
#include <stdlib.h>

#include "mm/mm.h"
#include "tests/support/ltable_model.h"
#include "tests/support/runner.h"

enum { CROWD = 3000, CROWD_TAKEN = 200 };

struct first_seen {
    const struct record *at[CROWD_TAKEN + LT_CHAIN_MAX];
    unsigned count, most; /* most: in one step */
};

static void
note_first(void *ctx, const void *record)
{
    struct first_seen *f = ctx;

    expect(f->count < CROWD_TAKEN + LT_CHAIN_MAX);
    f->at[f->count++] = record;
}

/* crowd: again and again what a walk meets first goes, and as many others come: the hashes of what
 * stays agree in ever more bits.  *next: names of others begin here.  Returns the most that a step
 * met. */
static unsigned
crowd(struct model *m, unsigned rounds, unsigned *next)
{
    unsigned most = 0;

    for (unsigned round = 0; round < rounds; round++) {
        struct first_seen f = {.count = 0};
        uint64_t cursor = 0;

        while (m->count < CROWD)
            expect(model_add(m, (*next)++));
        do {
            unsigned before = f.count;

            cursor = ktable_walk(&m->table, cursor, note_first, &f);
            most = f.count - before > most ? f.count - before : most;
        } while (cursor != 0 && f.count < CROWD_TAKEN);
        for (unsigned i = 0; i < f.count; i++)
            model_drop(m, number_of(f.at[i]));
    }
    return most;
}

/* No step of a walk, of active expiry, or of freeing meets more than LT5 says, and everything is
 * still found, walked through and drawn. */
START_TEST(what_is_removed_does_not_make_a_step_longer)
{
    enum { ROUNDS = 3000, NAMES = CROWD + ROUNDS * (CROWD_TAKEN + LT_CHAIN_MAX) };
    struct model m = model_new(NAMES);
    struct ktable_place place = {.bucket = 0};
    unsigned next = 0, count = 0, step, *times;
    uint64_t cursor = 0;

    ck_assert_uint_le(crowd(&m, ROUNDS, &next), LT_CHAIN_MAX);
    ck_assert_uint_lt(m.table.children, 2 * CROWD / LT_SLOTS);
    model_check(&m);
    do {
        step = 0;
        cursor = ktable_walk(&m.table, cursor, count_visits, &step);
        ck_assert_uint_le(step, LT_CHAIN_MAX);
        count += step;
    } while (cursor != 0);
    ck_assert_uint_eq(count, m.count);
    count = 0;
    do {
        step = 0;
        ktable_visit_next(&m.table, &place, count_visits, &step);
        ck_assert_uint_le(step, LT_CHAIN_MAX);
        count += step;
    } while (place.bucket < m.table.buckets);
    ck_assert_uint_eq(count, m.count);
    ck_assert_ptr_nonnull(times = calloc(NAMES, sizeof *times));
    for (unsigned n = 0; n < 100 * CROWD; n++)
        note_seen(times, ktable_draw(&m.table));
    count = 0;
    for (unsigned n = 0; n < NAMES; n++)
        count += times[n] > 0;
    /* all, but for who stands alone in a bucket */
    ck_assert_uint_gt(count, m.count - m.count / 100);
    free(times);
    for (cursor = 0, count = 0; m.table.buckets > 0; count += step) {
        step = 0;
        ktable_empty(&m.table, &cursor, 64, count_visits, &step);
        ck_assert_uint_le(step, 64 + LT_CHAIN_MAX);
    }
    ck_assert_uint_eq(count, m.count);
    ck_assert_uint_eq(ktable_bytes(), 0);
    free(m.at);
}
END_TEST

/* The other way round: all may go but what the first step shows. */
START_TEST(what_a_step_shows_does_not_gather_there)
{
    enum { ROUNDS = 3000, NAMES = CROWD + ROUNDS * CROWD_TAKEN };
    struct model m = model_new(NAMES);
    unsigned next = 0, *shown = calloc(NAMES, sizeof *shown);

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct first_seen f = {.count = 0};

        while (m.count < CROWD)
            expect(model_add(&m, next++));
        (void)ktable_walk(&m.table, 0, note_first, &f);
        expect(f.count <= LT_CHAIN_MAX);
        for (unsigned i = 0; i < f.count; i++)
            shown[number_of(f.at[i])] = round + 1;
        for (unsigned taken = 0; taken < CROWD_TAKEN;) {
            unsigned n = number_of(ktable_draw(&m.table));

            if (shown[n] == round + 1)
                continue;
            model_drop(&m, n);
            taken++;
        }
    }
    model_check(&m);
    free(shown);
    model_free(&m);
}
END_TEST

/* Crowded, then filled evenly, then emptied: buckets with junctions are split and merged, junctions
 * come and go. */
START_TEST(a_crowded_table_grows_and_shrinks)
{
    enum {
        ROUNDS = 300,
        MORE = 20000,
        NAMES = CROWD + ROUNDS * (CROWD_TAKEN + LT_CHAIN_MAX) + MORE
    };
    struct model m = model_new(NAMES);
    unsigned next = 0, first, last;

    for (unsigned cycle = 0; cycle < 2; cycle++) {
        crowd(&m, ROUNDS / 2, &next);
        model_check(&m);
        for (unsigned i = 0; i < MORE / 2; i++)
            expect(model_add(&m, next++));
        model_check(&m);
        for (unsigned left = m.count / 50; m.count > left;) {
            unsigned n = (unsigned)(next_random() % next);

            for (first = n; first < next && m.at[first] == NULL; first++)
                ;
            if (first < next)
                model_drop(&m, first);
        }
        model_check(&m);
    }
    for (last = 0; last < next; last++)
        if (m.at[last] != NULL)
            model_drop(&m, last);
    model_check(&m);
    ck_assert_uint_eq(m.table.children, 0);
    model_free(&m);
}
END_TEST

/* One step after another, while the table is crowded between them: what stays is met. */
START_TEST(a_walk_of_a_table_that_gets_crowded_meets_what_stays)
{
    enum { STAY = 500, ROUNDS = 800, NAMES = STAY + CROWD + ROUNDS * (CROWD_TAKEN + LT_CHAIN_MAX) };
    struct model m = model_new(NAMES);
    struct first_seen f;
    unsigned next = STAY, *times = calloc(NAMES, sizeof *times);
    uint64_t cursor = 0;

    for (unsigned n = 0; n < STAY; n++)
        expect(model_add(&m, n));
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t at = 0;

        while (m.count < CROWD)
            expect(model_add(&m, next++));
        if (round >= ROUNDS / 2) {
            cursor = ktable_walk(&m.table, cursor, note_seen, times);
            if (cursor == 0)
                break;
        }
        do { /* from the other end, too */
            f.count = 0;
            at = ktable_walk(&m.table, at, note_first, &f);
            for (unsigned i = 0; i < f.count; i++) {
                unsigned n = number_of(f.at[i]);

                if (n >= STAY)
                    model_drop(&m, n);
            }
        } while (at != 0 && m.count > CROWD - CROWD_TAKEN);
    }
    while (cursor != 0)
        cursor = ktable_walk(&m.table, cursor, note_seen, times);
    for (unsigned n = 0; n < STAY; n++)
        ck_assert_msg(times[n] > 0, "%u was not met", n);
    model_check(&m);
    free(times);
    model_free(&m);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/ltable_crowd");
    TCase *t = tcase_create("ltable_crowd");

    tcase_add_checked_fixture(t, model_setup, model_teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, what_is_removed_does_not_make_a_step_longer);
    tcase_add_test(t, what_a_step_shows_does_not_gather_there);
    tcase_add_test(t, a_crowded_table_grows_and_shrinks);
    tcase_add_test(t, a_walk_of_a_table_that_gets_crowded_meets_what_stays);
    suite_add_tcase(s, t);
    return run_suite(s);
}
