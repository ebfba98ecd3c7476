/* tests/server/test_idtree.c - the trees of streams, beside an array. */
#include <check.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/data/db/idtree.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

enum { IDS = 3000 };

static const struct idtree *
tree_new(uint32_t value_bytes)
{
    struct idtree *t = mm_alloc(MM_VALUE, sizeof *t);

    *t = (struct idtree){.value_bytes = value_bytes};
    return t;
}

static struct stream_id
nth(unsigned i)
{
    return (struct stream_id){i / 7, i % 7};
}

static unsigned
number_of(struct stream_id id)
{
    return (unsigned)(id.ms * 7 + id.seq);
}

static void
check_walk(const struct idtree *t, const bool *is_in)
{
    struct idcursor c;
    unsigned seen = 0;
    bool more = idcursor_from(&c, t, nth(0));

    for (unsigned i = 0; i < IDS; i++) {
        if (!is_in[i])
            continue;
        ck_assert(more);
        ck_assert_uint_eq(number_of(idcursor_id(&c)), i);
        more = idcursor_next(&c);
        seen++;
    }
    ck_assert(!more);
    ck_assert_uint_eq(t->count, seen);
}

/* check_ends: from and up to an id, in both directions. */
static void
check_ends(const struct idtree *t, const bool *is_in, unsigned i)
{
    struct idcursor c;
    unsigned up = i, down = i;
    bool found;

    while (up < IDS && !is_in[up])
        up++;
    found = idcursor_from(&c, t, nth(i));
    ck_assert(found == (up < IDS));
    ck_assert(!found || number_of(idcursor_id(&c)) == up);
    while (down > 0 && !is_in[down])
        down--;
    found = idcursor_upto(&c, t, nth(i));
    ck_assert(found == is_in[down]);
    ck_assert(!found || number_of(idcursor_id(&c)) == down);
    if (found && idcursor_prev(&c))
        ck_assert_uint_lt(number_of(idcursor_id(&c)), down);
}

static void
change_at_random(const struct idtree *t, bool *is_in, unsigned i)
{
    uint64_t value[3] = {i, i, i};
    const uint64_t *found = idtree_find(t, nth(i));

    ck_assert((found != NULL) == is_in[i]);
    if (is_in[i]) {
        if (t->value_bytes > 0)
            ck_assert_uint_eq(found[0], i);
        ck_assert(idtree_remove(t, nth(i)));
        ck_assert(!idtree_remove(t, nth(i)));
    } else {
        ck_assert_int_eq(idtree_put(t, nth(i), value), 0);
    }
    is_in[i] = !is_in[i];
}

/* The phases: it fills, from the front on or anywhere; it is half full; it empties. */
START_TEST(a_tree_holds_what_a_simple_array_holds)
{
    static bool is_in[IDS];
    const struct idtree *t = tree_new((uint32_t)_i);
    uint64_t path[IDTREE_LEVELS + 1] = {0}, budget = UINT64_MAX;

    memset(is_in, 0, sizeof is_in);
    srand(7);
    for (unsigned phase = 0; phase < 4; phase++) {
        for (unsigned step = 0; step < 4 * IDS; step++) {
            unsigned i = phase == 0 ? step % IDS : (unsigned)rand() % IDS;

            if ((phase == 0 && is_in[i]) || (phase == 1 && is_in[i] && step % 3 != 0) ||
                (phase == 3 && !is_in[i] && step % 7 != 0))
                continue;
            change_at_random(t, is_in, i);
            if (step % 97 == 0) {
                idtree_verify(t);
                check_ends(t, is_in, (unsigned)rand() % IDS);
            }
        }
        check_walk(t, is_in);
    }
    for (unsigned i = 0; i < IDS; i++)
        if (is_in[i] && i % 5 != 0)
            change_at_random(t, is_in, i);
    check_walk(t, is_in);
    ck_assert(idtree_drop(t, path, &budget, NULL));
    mm_free(t);
}
END_TEST

/* Ids that come below all others, into the first children: what an inner node's first entry says
 * counts not. */
START_TEST(a_tree_grows_at_its_front)
{
    const struct idtree *t = tree_new(24);
    uint64_t value[3] = {0}, path[IDTREE_LEVELS + 1] = {0}, budget;

    for (unsigned i = 20000; i-- > 0;)
        ck_assert_int_eq(idtree_put(t, nth(i), value), 0);
    idtree_verify(t);
    for (unsigned i = 0; i < 20000; i++)
        ck_assert_ptr_nonnull(idtree_find(t, nth(i)));
    for (budget = 64; !idtree_drop(t, path, &budget, NULL); budget = 64)
        ;
    mm_free(t);
}
END_TEST

/* check_cut: of so many ids, those below number i leave. */
static void
check_cut(uint32_t value_bytes, unsigned ids, unsigned i)
{
    const struct idtree *t = tree_new(value_bytes), *front = tree_new(value_bytes);
    uint64_t value[3] = {0};
    struct idtree cut = {.value_bytes = value_bytes};
    static bool is_in[IDS];

    for (unsigned n = 0; n < ids; n++)
        ck_assert_int_eq(idtree_put(t, nth(n), value), 0);
    ck_assert_int_eq(idtree_cut(t, nth(i), i, &cut), 0);
    memcpy(mm_modify(front, sizeof *front), &cut, sizeof cut);
    for (unsigned n = 0; n < IDS; n++)
        is_in[n] = n < i;
    idtree_verify(front);
    check_walk(front, is_in);
    for (unsigned n = 0; n < IDS; n++)
        is_in[n] = n >= i && n < ids;
    idtree_verify(t);
    check_walk(t, is_in);
    for (unsigned n = 0; n < ids; n++)
        ck_assert(idtree_remove(n < i ? front : t, nth(n)));
    mm_free(t);
    mm_free(front);
}

START_TEST(the_front_of_a_tree_leaves_whole)
{
    static const unsigned sizes[] = {1, 2, 24, 25, 26, 60, 700, IDS};

    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned i = 0; i < sizes[s];
             i += sizes[s] < 100 ? 1 : 1 + (unsigned)rand() % (sizes[s] / 10)) {
            check_cut(0, sizes[s], i);
            check_cut(24, sizes[s], i);
        }
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(a_tree_stays_whole_when_a_cut_finds_no_memory)
{
    static bool is_in[IDS];
    uint64_t value[3] = {0}, path[IDTREE_LEVELS + 1] = {0}, budget = UINT64_MAX;
    const struct idtree *t = tree_new(24);
    unsigned refused = 0;

    for (unsigned n = 0; n < IDS; n++) {
        is_in[n] = true;
        ck_assert_int_eq(idtree_put(t, nth(n), value), 0);
    }
    /* the first ids of leaves and of inner nodes are among them */
    for (unsigned i = 5; i < IDS; i += 5)
        for (unsigned n = 1; n <= 1 + t->height; n++) {
            struct idtree cut = {.value_bytes = 24};

            fault_arm(FAULT_mm_alloc, n, false);
            if (idtree_cut(t, nth(i), i, &cut) == 0) {
                (void)fault_disarm();
                for (unsigned k = 0; k < i; k++) /* fewer nodes than that are needed */
                    ck_assert_int_eq(idtree_put(t, nth(k), value), 0);
                memset(path, 0, sizeof path);
                budget = UINT64_MAX;
                ck_assert(idtree_drop(&cut, path, &budget, NULL));
                continue;
            }
            ck_assert_uint_eq(fault_disarm(), 1);
            refused++;
            ck_assert_ptr_null(cut.root);
            idtree_verify(t);
        }
    check_walk(t, is_in);
    ck_assert_uint_gt(refused, IDS / 6);
    memset(path, 0, sizeof path);
    budget = UINT64_MAX;
    ck_assert(idtree_drop(t, path, &budget, NULL));
    mm_free(t);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/idtree");
    TCase *t = tcase_create("idtree");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, a_tree_holds_what_a_simple_array_holds, 0, 1);
    tcase_add_loop_test(t, a_tree_holds_what_a_simple_array_holds, 24, 25);
    tcase_add_test(t, a_tree_grows_at_its_front);
    tcase_add_test(t, the_front_of_a_tree_leaves_whole);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, a_tree_stays_whole_when_a_cut_finds_no_memory);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
