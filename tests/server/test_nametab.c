/* Named nodes in a hash table that grows and shrinks by one bucket at a time; and the histogram of
 * durations. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/histogram.h"
#include "mm/base/keyhash.h"
#include "mm/base/nametab.h"
#include "tests/support/runner.h"

enum { COUNT = 5000 };

struct thing {
    struct nametab_node node;
    char name[16];
    bool visited;
};

static struct thing things[COUNT];

static void
make(int i)
{
    int n = snprintf(things[i].name, sizeof things[i].name, "name:%d", i);

    things[i].node.name = (struct slice){things[i].name, (size_t)n};
    things[i].node.hash = nametab_hash(things[i].node.name);
    things[i].visited = false;
}

static bool
is_there(const struct nametab *t, int i)
{
    return nametab_find(t, things[i].node.hash, things[i].node.name) == &things[i].node;
}

START_TEST(what_was_added_is_found_until_it_is_removed_at_every_size_of_the_table)
{
    struct nametab t = {.count = 0};

    for (int i = 0; i < COUNT; i++) {
        make(i);
        ck_assert(!is_there(&t, i));
        ck_assert(nametab_add(&t, &things[i].node));
        ck_assert(is_there(&t, i) && is_there(&t, i / 2) && is_there(&t, 0));
    }
    ck_assert_uint_eq(t.count, COUNT);
    ck_assert_uint_ge(t.buckets, COUNT / 4);
    for (int i = 0; i < COUNT; i += 2)
        nametab_remove(&t, &things[i].node);
    for (int i = 0; i < COUNT; i++)
        ck_assert(is_there(&t, i) == (i % 2 == 1));
    for (int i = COUNT - 1; i > 0; i -= 2) {
        nametab_remove(&t, &things[i].node);
        ck_assert(i < 3 || is_there(&t, 1));
    }
    ck_assert_uint_eq(t.count, 0);
    ck_assert_uint_eq(nametab_bytes(&t), 0);
}
END_TEST

static void
visit(void *ctx, struct nametab_node *n)
{
    (void)ctx;
    ((struct thing *)(void *)n)->visited = true;
}

static void
remove_even(void *ctx, struct nametab_node *n)
{
    struct thing *thing = (struct thing *)(void *)n;

    thing->visited = true;
    if ((thing - things) % 2 == 0)
        nametab_remove(ctx, n);
}

START_TEST(each_meets_every_node_also_while_it_removes_some)
{
    struct nametab t = {.count = 0};

    for (int i = 0; i < COUNT; i++) {
        make(i);
        ck_assert(nametab_add(&t, &things[i].node));
    }
    nametab_each(&t, visit, NULL);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(things[i].visited);
        things[i].visited = false;
    }
    nametab_each(&t, remove_even, &t);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(things[i].visited);
        ck_assert(is_there(&t, i) == (i % 2 == 1));
    }
    for (int i = 1; i < COUNT; i += 2)
        nametab_remove(&t, &things[i].node);
}
END_TEST

static void
remove_it(void *ctx, struct nametab_node *n)
{
    visit(ctx, n);
    nametab_remove(ctx, n);
}

/* Three nodes in the last of 32 buckets, and as few in all as these have: with each of the three a
 * bucket goes, so that those before the last are not there any more when their turn comes. */
START_TEST(each_ends_also_where_the_table_shrinks_faster_than_it_is_walked)
{
    enum { BUCKETS = 2 * NAMETAB_FIRST, FEW = BUCKETS / 2, LAST = 3 };
    struct nametab t = {.count = 0};
    int in[COUNT], count = 0, last = 0;

    for (int i = 0; i < COUNT && (count < FEW || t.buckets < BUCKETS); i++) {
        make(i);
        if (things[i].node.hash % BUCKETS == BUCKETS - 1 ? last == LAST : last < LAST)
            continue; /* these three first */
        last += things[i].node.hash % BUCKETS == BUCKETS - 1;
        ck_assert(nametab_add(&t, &things[i].node));
        in[count++] = i;
    }
    while (t.count > FEW)
        nametab_remove(&t, &things[in[--count]].node);
    ck_assert_uint_eq(t.buckets, BUCKETS);
    nametab_each(&t, remove_it, &t);
    for (int i = 0; i < count; i++)
        ck_assert(things[in[i]].visited);
    ck_assert_uint_eq(t.count, 0);
}
END_TEST

START_TEST(another_name_of_the_same_hash_is_not_there)
{
    struct nametab t = {.count = 0};

    ck_assert_ptr_null(nametab_any(&t, 12345));
    make(0);
    ck_assert(nametab_add(&t, &things[0].node));
    ck_assert_ptr_null(nametab_find(&t, things[0].node.hash, SLICE("name:1")));
    ck_assert_ptr_null(nametab_find(&t, ~things[0].node.hash, things[0].node.name));
    ck_assert_ptr_eq(nametab_any(&t, 12345), &things[0].node);
    nametab_remove(&t, &things[0].node);
    ck_assert_ptr_null(nametab_any(&t, 12345));
}
END_TEST

START_TEST(a_bucket_knows_its_values_to_a_thirty_second)
{
    for (uint64_t ns = 0; ns < 1ULL << 35; ns = ns < 100 ? ns + 1 : ns + ns / 37) {
        unsigned bucket = histogram_bucket(ns);
        uint64_t upper = histogram_upper(bucket);
        ck_assert_uint_lt(bucket, HISTOGRAM_BUCKETS);
        ck_assert_uint_ge(upper, ns);
        ck_assert_uint_le(upper - ns, ns / 32);
        ck_assert_uint_eq(histogram_bucket(upper), bucket);
        ck_assert_uint_eq(histogram_bucket(upper + 1), bucket + 1);
    }
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(percentiles_are_those_of_the_values)
{
    static struct histogram h;

    ck_assert_uint_eq(histogram_percentile(&h, 50), 0);
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(&h, i * 1000);
    ck_assert_uint_eq(h.total, 1000);
    ck_assert_uint_eq(histogram_percentile(&h, 0), histogram_upper(histogram_bucket(1000)));
    for (unsigned p = 1; p <= 100; p++) {
        uint64_t exact = p * 10000, told = histogram_percentile(&h, p);
        ck_assert_uint_ge(told, exact);
        ck_assert_uint_le(told, exact + exact / 32);
    }
    ck_assert_uint_eq(histogram_below(&h, 10), 1);  /* 1000 ns */
    ck_assert_uint_eq(histogram_below(&h, 16), 65); /* up to 65,000 of below 65,536 */
    ck_assert_uint_eq(histogram_below(&h, 20), 1000);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("nametab");
    TCase *tc = tcase_create("nametab");

    keyhash_init();
    tcase_add_test(tc, what_was_added_is_found_until_it_is_removed_at_every_size_of_the_table);
    tcase_add_test(tc, each_meets_every_node_also_while_it_removes_some);
    tcase_add_test(tc, each_ends_also_where_the_table_shrinks_faster_than_it_is_walked);
    tcase_add_test(tc, another_name_of_the_same_hash_is_not_there);
    tcase_add_test(tc, a_bucket_knows_its_values_to_a_thirty_second);
    tcase_add_test(tc, percentiles_are_those_of_the_values);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
