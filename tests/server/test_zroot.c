/* tests/server/test_zroot.c - the structure of large sorted sets against a sorted array: order,
 * ranks, counts, and that nothing changes without memory. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "server/data/zset/zroot.h"
#include "tests/support/runner.h"

enum { MODEL_MAX = 20000, NAME_BYTES = 24 };

struct item {
    double score;
    char name[NAME_BYTES];
};

static struct item model[MODEL_MAX];
static unsigned items;
static uint64_t random_state;

static uint64_t
draw(void)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    uint64_t z = random_state;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static struct slice
text(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static int
by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->score != y->score ? (x->score < y->score ? -1 : 1) : strcmp(x->name, y->name);
}

static int
model_find(const char *name)
{
    for (unsigned i = 0; i < items; i++)
        if (strcmp(model[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void
model_put(double score, const char *name)
{
    int i = model_find(name);
    unsigned at = i < 0 ? items++ : (unsigned)i;

    ck_assert_uint_lt(at, MODEL_MAX);
    model[at].score = score;
    snprintf(model[at].name, NAME_BYTES, "%s", name);
    qsort(model, items, sizeof *model, by_key);
}

static void
model_cut(unsigned from, unsigned count)
{
    memmove(model + from, model + from + count, (items - from - count) * sizeof *model);
    items -= count;
}

static unsigned
model_below(double score, bool or_equal)
{
    unsigned n = 0;

    while (n < items && (model[n].score < score || (or_equal && model[n].score == score)))
        n++;
    return n;
}

static bool
is_item(const struct zpath *p, unsigned i)
{
    return zpath_score(p) == model[i].score &&
           slice_equal(zentry_member(zpath_entry(p)), text(model[i].name));
}

/* compare: every entry forwards and backwards, ranks, counts. */
static void
compare(const struct zroot *z)
{
    struct zpath p, back;

    zroot_verify(z);
    ck_assert_uint_eq(zroot_count(z), items);
    if (items == 0)
        return;
    ztree_seek(&z->tree, 0, &p);
    for (unsigned i = 0; i < items; i++) {
        ck_assert(is_item(&p, i));
        ck_assert_uint_eq(ztree_rank(&p), i);
        ck_assert(ztree_next(&p) == (i + 1 < items));
    }
    ztree_seek(&z->tree, items - 1, &back);
    for (unsigned i = items; i-- > 0;) {
        ck_assert(is_item(&back, i));
        ck_assert(ztree_previous(&back) == (i > 0));
    }
    for (unsigned k = 0; k < 50; k++) {
        unsigned i = (unsigned)(draw() % items);
        double score = model[i].score + (double)(draw() % 3) - 1;

        ztree_seek(&z->tree, i, &p);
        ck_assert(is_item(&p, i));
        ztree_find(&z->tree, (struct zkey){model[i].score, text(model[i].name)}, &p);
        ck_assert_uint_eq(ztree_rank(&p), i);
        ck_assert_uint_eq(ztree_below_score(&z->tree, score, false), model_below(score, false));
        ck_assert_uint_eq(ztree_below_score(&z->tree, score, true), model_below(score, true));
    }
}

static int
put(const struct zroot *z, double score, const char *name)
{
    struct zchange c;
    int r = zroot_put(z, zroot_get(z, text(name)), score, text(name), &c);

    if (r == 0)
        zroot_commit(z, &c, 1);
    return r;
}

static void
open_heap(void)
{
    must(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}) == 0);
    keyhash_init();
    items = 0;
    random_state = 1;
}

static void
close_heap(void)
{
    struct mm_figures f;

    mm_figures(&f);
    ck_assert_uint_eq(f.live_bytes, 0);
    mm_fini();
}

/* How many different scores: 1: the order is the members' alone. */
static const unsigned score_spreads[] = {1, 3, 100, 1000000};

START_TEST(random_changes_give_what_a_sorted_array_gives)
{
    const struct zroot *z = zroot_new();
    unsigned spread = score_spreads[_i];

    for (unsigned step = 0; step < 12000; step++) {
        unsigned phase = step / 3000 % 2; /* growing, shrinking */
        char name[NAME_BYTES];

        snprintf(name, sizeof name, "m%u", (unsigned)(draw() % 3000));
        if (draw() % 10 < (phase == 0 ? 8 : 2)) {
            double score = (double)(draw() % spread) - spread / 2;

            ck_assert_int_eq(put(z, score, name), 0);
            model_put(score, name);
        } else {
            int i = model_find(name);

            ck_assert(zroot_remove(z, text(name)) == (i >= 0));
            if (i >= 0)
                model_cut((unsigned)i, 1);
        }
        if (step % 997 == 0)
            compare(z);
    }
    compare(z);
    zroot_free(z);
}
END_TEST

START_TEST(small_changes_of_scores_keep_the_order)
{
    const struct zroot *z = zroot_new();

    for (unsigned i = 0; i < 2000; i++) {
        char name[NAME_BYTES];

        snprintf(name, sizeof name, "m%u", i);
        ck_assert_int_eq(put(z, i, name), 0);
        model_put(i, name);
    }
    for (unsigned i = 0; i < 5000; i++) {
        unsigned at = (unsigned)(draw() % items);
        char name[NAME_BYTES];
        double score = model[at].score + ((double)(draw() % 5) - 2) / 2;

        snprintf(name, sizeof name, "%s", model[at].name);
        ck_assert_int_eq(put(z, score, name), 0);
        model_put(score, name);
        if (i % 499 == 0)
            compare(z);
    }
    compare(z);
    zroot_free(z);
}
END_TEST

START_TEST(keys_in_order_fill_the_nodes)
{
    enum { COUNT = 10000 };
    const struct zroot *z = zroot_new();

    for (int i = 0; i < COUNT; i++) {
        char name[NAME_BYTES];

        snprintf(name, sizeof name, "m%d", i);
        ck_assert_int_eq(zroot_add(z, _i == 0 ? i : -i, text(name)), 0);
    }
    zroot_verify(z);
    ck_assert_uint_lt(ztree_bytes(&z->tree), COUNT * 18);
    zroot_free(z);
}
END_TEST

START_TEST(ranges_are_cut)
{
    const struct zroot *z = zroot_new();

    for (unsigned round = 0; round < 30; round++) {
        while (items < 3000) {
            char name[NAME_BYTES];
            double score = (double)(draw() % 500);

            snprintf(name, sizeof name, "m%u", (unsigned)(draw() % 100000));
            ck_assert_int_eq(put(z, score, name), 0);
            model_put(score, name);
        }
        for (unsigned k = 0; k < 5 && items > 0; k++) {
            unsigned from = (unsigned)(draw() % items),
                     count = (unsigned)(draw() % (items - from) + 1);

            if (draw() % 2 == 0 && count > 40)
                count = 40;
            zroot_cut(z, from, count);
            model_cut(from, count);
            compare(z);
        }
    }
    zroot_cut(z, 0, items);
    items = 0;
    compare(z);
    ck_assert_int_eq(put(z, 1, "again"), 0);
    model_put(1, "again");
    compare(z);
    zroot_free(z);
}
END_TEST

START_TEST(a_copy_is_equal_and_stands_alone)
{
    const struct zroot *z = zroot_new(), *copy;

    copy = zroot_copy(z);
    compare(copy);
    zroot_free(copy);
    for (unsigned i = 0; i < 5000; i++) {
        char name[NAME_BYTES];
        double score = (double)(draw() % 100);

        snprintf(name, sizeof name, "m%u", (unsigned)(draw() % 4000));
        ck_assert_int_eq(put(z, score, name), 0);
        if (model_find(name) < 0 || items < MODEL_MAX)
            model_put(score, name);
    }
    copy = zroot_copy(z);
    zroot_free(z);
    compare(copy);
    ck_assert_uint_gt(zroot_weigh(copy, 0), items * 40);
    ck_assert_uint_lt(zroot_weigh(copy, 0), items * 80);
    ck_assert_uint_lt(zroot_weigh(copy, 100), items * 90);
    ck_assert_uint_gt(zroot_weigh(copy, 100), items * 40);
    zroot_free(copy);
}
END_TEST

START_TEST(entries_are_sorted_as_the_tree_sorts_them)
{
    static const double special[] = {0.0,     -0.0,  INFINITY, -INFINITY, 1e-310,
                                     -1e-310, 1e308, -1e308,   1,         -1};
    const struct zroot *z = zroot_new();
    const struct zentry *sorted[2000];
    struct zpath p;
    unsigned count = _i;

    for (unsigned i = 0; i < count; i++) {
        char name[NAME_BYTES];

        snprintf(name, sizeof name, "m%u", i);
        ck_assert_int_eq(
            zroot_add(z, draw() % 2 == 0 ? special[draw() % 10] : (double)(int64_t)draw() / 7,
                      text(name)),
            0);
        sorted[i] = zroot_get(z, text(name));
    }
    ck_assert(zentry_sort(sorted, count));
    ztree_seek(&z->tree, 0, &p);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_ptr_eq(zpath_entry(&p), sorted[i]);
        ztree_next(&p);
    }
    zroot_verify(z);
    zroot_free(z);
}
END_TEST

START_TEST(a_drop_goes_in_small_steps)
{
    const struct zroot *z = zroot_new();
    uint64_t where[16] = {0}, steps = 0;

    for (unsigned i = 0; i < 20000; i++) {
        char name[NAME_BYTES];

        snprintf(name, sizeof name, "m%u", i);
        ck_assert_int_eq(zroot_add(z, (double)(draw() % 1000), text(name)), 0);
    }
    while (!zroot_drop(z, where, 64))
        steps++;
    ck_assert_uint_gt(steps, 20000 / 64);
}
END_TEST

#ifdef STILLFRAME_FAULTS
/* Several changes, each refused memory at its n-th allocation: all that was done is taken back. */
START_TEST(without_memory_changes_are_taken_back)
{
    enum { CHANGES = 60 };
    const struct zroot *z = zroot_new();
    struct zchange done[CHANGES];
    unsigned refused = 0;

    for (unsigned i = 0; i < 1500; i++) {
        char name[NAME_BYTES];
        double score = (double)(draw() % 200);

        snprintf(name, sizeof name, "m%u", (unsigned)(draw() % 2000));
        ck_assert_int_eq(put(z, score, name), 0);
        model_put(score, name);
    }
    for (unsigned n = 1; n < 400; n++) {
        unsigned i;
        int r = 0;

        fault_arm(FAULT_ANY, draw() % 100 + 1, true);
        for (i = 0; i < CHANGES; i++) {
            char name[NAME_BYTES];

            snprintf(name, sizeof name, "m%u", (unsigned)(draw() % 2100));
            if ((r = zroot_put(z, zroot_get(z, text(name)), (double)(draw() % 400) / 2, text(name),
                               &done[i])) < 0)
                break;
        }
        fault_disarm();
        refused += r < 0;
        zroot_take_back(z, done, i);
        if (n % 10 == 0)
            compare(z);
        zroot_verify(z);
    }
    ck_assert_uint_gt(refused, 100);
    zroot_free(z);
}
END_TEST

START_TEST(without_memory_there_is_no_copy)
{
    const struct zroot *z = zroot_new(), *copy = NULL;
    unsigned refused = 0;

    for (unsigned i = 0; i < 1200; i++) {
        char name[NAME_BYTES];

        snprintf(name, sizeof name, "m%u", i);
        ck_assert_int_eq(put(z, i % 7, name), 0);
    }
    for (unsigned long n = 1; copy == NULL; n++) {
        fault_arm(FAULT_ANY, n, true);
        copy = zroot_copy(z);
        fault_disarm();
        refused += copy == NULL;
    }
    ck_assert_uint_gt(refused, 1200);
    zroot_verify(copy);
    zroot_free(copy);
    zroot_free(z);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/zroot");
    TCase *t = tcase_create("zroot");

    tcase_add_checked_fixture(t, open_heap, close_heap);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, random_changes_give_what_a_sorted_array_gives, 0, 4);
    tcase_add_test(t, small_changes_of_scores_keep_the_order);
    tcase_add_loop_test(t, keys_in_order_fill_the_nodes, 0, 2);
    tcase_add_test(t, ranges_are_cut);
    tcase_add_test(t, a_copy_is_equal_and_stands_alone);
    tcase_add_loop_test(t, entries_are_sorted_as_the_tree_sorts_them, 60, 70);
    tcase_add_loop_test(t, entries_are_sorted_as_the_tree_sorts_them, 1999, 2000);
    tcase_add_test(t, a_drop_goes_in_small_steps);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_changes_are_taken_back);
    tcase_add_test(t, without_memory_there_is_no_copy);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
