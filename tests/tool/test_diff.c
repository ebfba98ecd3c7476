/* What diff is built of: marks in order, more of them than are held in memory; and the fewest edits
 * from one list to another. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/diff/edits.h"
#include "tool/diff/sorter.h"

static uint64_t state;

static uint64_t
next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void
seed(void)
{
    const char *given = getenv("TEST_SEED");

    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
    printf("TEST_SEED=%llu\n", (unsigned long long)state);
    fflush(stdout);
}

static int
by_all(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;

    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->second != y->second)
        return x->second < y->second ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* few: distinct values of `first`, 0: any. */
static void
sorts(size_t count, uint64_t few)
{
    struct mark *all = malloc((count + 1) * sizeof *all), got;
    struct sorter s;
    size_t failures = 0; /* ck_assert() is too dear for each mark */

    sorter_init(&s);
    for (unsigned round = 0; round < 2; round++) { /* and once more in the same memory */
        sorter_clear(&s);
        for (size_t i = 0; i < count; i++) {
            uint64_t first = next_random();

            all[i] = (struct mark){few == 0 ? first : first % few, next_random() % 3, i, i};
            failures += sorter_add(&s, &all[i]) != 0;
        }
        qsort(all, count, sizeof *all, by_all);
        ck_assert_int_eq(sorter_begin(&s), 0);
        for (size_t i = 0; i < count; i++)
            failures += !sorter_next(&s, &got) || memcmp(&got, &all[i], sizeof got) != 0;
        ck_assert_uint_eq(failures, 0);
        ck_assert(!sorter_next(&s, &got));
        ck_assert_int_eq(s.error, 0);
    }
    sorter_fini(&s);
    free(all);
}

START_TEST(marks_come_in_order)
{
    static const size_t counts[] = {
        0, 1, 2, 33, 1000, SORTER_RUN, SORTER_RUN + 1, 3 * SORTER_RUN - 1, 4 * SORTER_RUN};

    sorts(counts[_i], 0);
    sorts(counts[_i], 1 + next_random() % 5);
}
END_TEST

START_TEST(no_room_for_runs_is_an_error)
{
    struct mark m = {0};
    struct sorter s;
    int r = 0;

    setenv("TMPDIR", "/nonexistent", 1);
    sorter_init(&s);
    for (size_t i = 0; r == 0 && i <= SORTER_RUN; i++)
        r = sorter_add(&s, &m);
    ck_assert_int_lt(r, 0);
    ck_assert_int_eq(sorter_begin(&s), r);
    ck_assert(!sorter_next(&s, &m));
    sorter_fini(&s);
}
END_TEST

/* ---- edits ---- */

enum { LIST = 600 };

struct result {
    size_t removed[2 * LIST], added[2 * LIST];
    size_t removed_count, added_count;
};

static int
is_removed(void *ctx, size_t at)
{
    struct result *r = ctx;

    r->removed[r->removed_count++] = at;
    return 0;
}

static int
is_added(void *ctx, size_t at)
{
    struct result *r = ctx;

    r->added[r->added_count++] = at;
    return 0;
}

/* common: the longest common subsequence, by the table that everybody knows. */
static size_t
common(const struct mark *a, size_t n, const struct mark *b, size_t m)
{
    static size_t row[2][LIST + 1];

    memset(row, 0, sizeof row);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++) {
            size_t *now = row[(i + 1) % 2], *last = row[i % 2];

            now[k + 1] = a[i].rest == b[k].rest ? last[k] + 1
                         : now[k] > last[k + 1] ? now[k]
                                                : last[k + 1];
        }
    return row[n % 2][m];
}

/* is_in: among those that come falling. */
static bool
is_in(const size_t *of, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || of[i] < of[i - 1]);
        if (of[i] == at)
            return true;
    }
    return false;
}

/* leads: a without what is removed is b without what was added. */
static void
leads(const struct mark *a, size_t n, const struct mark *b, size_t m, const struct result *r)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_in(r->removed, r->removed_count, i))
            continue;
        while (k < m && is_in(r->added, r->added_count, k))
            k++;
        ck_assert_uint_lt(k, m);
        ck_assert_uint_eq(a[i].rest, b[k].rest);
        k++;
    }
    while (k < m && is_in(r->added, r->added_count, k))
        k++;
    ck_assert_uint_eq(k, m);
}

START_TEST(edits_are_right_and_the_fewest)
{
    static struct mark a[LIST], b[LIST];
    static struct result r;

    for (unsigned round = 0; round < 400; round++) {
        size_t n = next_random() % 40, m = next_random() % 40, letters = 1 + next_random() % 12;

        for (size_t i = 0; i < n; i++)
            a[i].rest = next_random() % letters;
        for (size_t i = 0; i < m; i++)
            b[i].rest = next_random() % letters;
        r.removed_count = r.added_count = 0;
        ck_assert_int_eq(edits_find(a, n, b, m, is_removed, is_added, &r), 0);
        leads(a, n, b, m, &r);
        ck_assert_uint_eq(r.removed_count + r.added_count, n + m - 2 * common(a, n, b, m));
    }
}
END_TEST

START_TEST(where_too_much_differs_all_in_the_middle_does)
{
    static struct mark a[LIST], b[LIST];
    static struct result r;

    for (size_t i = 0; i < LIST; i++) {
        a[i].rest = i;
        b[i].rest = i < 10 || i >= LIST - 20 ? i : i + 100000;
    }
    r.removed_count = r.added_count = 0;
    ck_assert_int_eq(edits_find(a, LIST, b, LIST, is_removed, is_added, &r), 0);
    ck_assert_uint_eq(r.removed_count, LIST - 30);
    ck_assert_uint_eq(r.added_count, LIST - 30);
    leads(a, LIST, b, LIST, &r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("diff");
    TCase *tc = tcase_create("diff");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, seed, NULL);
    tcase_add_loop_test(tc, marks_come_in_order, 0, 9);
    tcase_add_test(tc, no_room_for_runs_is_an_error);
    tcase_add_test(tc, edits_are_right_and_the_fewest);
    tcase_add_test(tc, where_too_much_differs_all_in_the_middle_does);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
