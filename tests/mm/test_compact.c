/* tests/mm/test_compact.c - sparse slabs are emptied by moving what is in them (CP1, CP2). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mm/compact.h"
#include "mm/cut.h"
#include "mm/heap_impl.h"
#include "tests/support/runner.h"

enum { OBJECTS = 40000 };

static struct object {
    const unsigned char *p; /* NULL: not there */
    uint32_t bytes;
} objects[OBJECTS];

static void
put(uint32_t i)
{
    unsigned char *p;

    objects[i].bytes = 1 + (uint32_t)rand() % (rand() % 8 == 0 ? 5000 : 300);
    p = mm_alloc(i % 2 == 0 ? MM_RECORD : MM_VALUE, objects[i].bytes);
    must(p != NULL);
    memset(p, (int)(i % 251), objects[i].bytes);
    objects[i].p = p;
}

static void
take(uint32_t i)
{
    if (objects[i].p != NULL)
        mm_free(objects[i].p);
    objects[i].p = NULL;
}

static void
setup(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    srand(7);
    for (uint32_t i = 0; i < OBJECTS; i++)
        put(i);
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (rand() % 10 != 0)
            take(i);
}

static void
teardown(void)
{
    mm_fini();
}

static unsigned
damaged(void)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < OBJECTS; i++)
        for (uint32_t k = 0; objects[i].p != NULL && k < objects[i].bytes; k++)
            n += objects[i].p[k] != i % 251;
    return n;
}

/* move_all: one pass over everything; some is written and freed meanwhile. */
static unsigned
move_all(unsigned changes)
{
    unsigned moved = 0;

    ck_assert(mm_compact_begin());
    ck_assert(!mm_compact_begin());
    while (mm_compact_mark(10))
        ;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const void *to;

        if (objects[i].p == NULL)
            continue;
        to = mm_move(objects[i].p);
        moved += to != objects[i].p;
        objects[i].p = to;
        for (unsigned c = 0; c < changes; c++) {
            uint32_t other = (uint32_t)rand() % OBJECTS;

            if (objects[other].p != NULL) {
                take(other);
                put(other);
            }
        }
        if (i % 1000 == 0)
            mm_check();
    }
    mm_compact_end();
    mm_check();
    return moved;
}

/* classes_in_use: each needs a slab, however little is in it. */
static size_t
classes_in_use(void)
{
    size_t n = 0;

    for (unsigned i = 0; i < 2 * size_class_count; i++)
        n += heap.classes[i % 2][i / 2].cur != 0 || heap.classes[i % 2][i / 2].bands != 0;
    return n;
}

START_TEST(what_is_left_of_many_fits_into_few_slabs)
{
    uint32_t before = heap.used_blocks;
    size_t gain = mm_compact_gain();

    ck_assert_uint_gt(gain, (size_t)before * MM_BLOCK_BYTES / 3);
    ck_assert_uint_gt(move_all(0), 1000);
    ck_assert_uint_eq(damaged(), 0);
    ck_assert_uint_le(heap.used_blocks, before - gain / MM_BLOCK_BYTES * 9 / 10);
    for (int i = 0; i < 5 && mm_compact_gain() > 0; i++)
        (void)move_all(0);
    ck_assert_uint_eq(damaged(), 0);
    ck_assert_uint_le((size_t)heap.used_blocks * MM_BLOCK_BYTES,
                      heap.live_bytes * 115 / 100 + classes_in_use() * MM_BLOCK_BYTES);
}
END_TEST

START_TEST(writes_go_on_during_a_pass)
{
    uint32_t before = heap.used_blocks;

    (void)move_all(1);
    ck_assert_uint_eq(damaged(), 0);
    ck_assert_uint_lt(heap.used_blocks, before * 2 / 3);
}
END_TEST

/* What moves while a cut is open stays readable where it was until the sweep has passed. */
START_TEST(a_pass_may_go_on_while_a_cut_is_open)
{
    struct object at_cut[OBJECTS];
    struct mm_sweep s;
    struct mm_extent x;
    epoch_t epoch;
    unsigned moved, differing = 0;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&s);
    memcpy(at_cut, objects, sizeof at_cut);
    moved = move_all(1);
    ck_assert_uint_gt(moved, 100);
    for (uint32_t i = 0; i < OBJECTS; i++)
        for (uint32_t k = 0; at_cut[i].p != NULL && k < at_cut[i].bytes; k++)
            differing += at_cut[i].p[k] != i % 251;
    ck_assert_uint_eq(differing, 0);
    while (mm_sweep_next(&s, &x))
        mm_sweep_done(&s, &x);
    mm_cut_end();
    while (mm_settle(64))
        ;
    mm_check();
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

/* Slabs of a band are taken to be as full as its middle.  Where all are a little fuller, fewer stay
 * than the room is needed of: a new one takes the rest, so that one pass empties what it has
 * chosen. */
START_TEST(slabs_fuller_than_was_reckoned_run_dry_too)
{
    uint32_t before;

    for (uint32_t i = 0; i < OBJECTS; i++) {
        unsigned char *p;

        take(i);
        objects[i].bytes = 64;
        p = mm_alloc(MM_VALUE, objects[i].bytes);
        must(p != NULL);
        memset(p, (int)(i % 251), objects[i].bytes);
        objects[i].p = p;
    }
    before = heap.used_blocks;
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (i % 9 != 0) /* 0.11 of each: the middle of the band is 0.06 */
            take(i);
    ck_assert_uint_gt(move_all(0), OBJECTS / 18);
    ck_assert_uint_eq(damaged(), 0);
    ck_assert_uint_le(heap.used_blocks, before / 6);
    ck_assert_uint_le(mm_compact_gain(), 2 * MM_BLOCK_BYTES);
}
END_TEST

/* The pass over all that tests use: everything moves, full slabs too, and what has not when it ends
 * stays. */
START_TEST(a_pass_over_all_moves_everything)
{
    unsigned moved = 0, there = 0, wanted = 0;

    mm_compact_begin_all(0, SIZE_MAX);
    ck_assert(!mm_compact_mark(1));
    mm_check();
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const void *to;

        if (objects[i].p == NULL)
            continue;
        there++;
        wanted += mm_wants_move(objects[i].p);
        to = mm_move(objects[i].p);
        must(!mm_wants_move(to));
        moved += to != objects[i].p;
        objects[i].p = to;
    }
    ck_assert_uint_eq(moved, there);
    ck_assert_uint_eq(wanted, there);
    ck_assert(!mm_compact_leave(1)); /* nothing is left in any of them */
    mm_check();
    mm_compact_begin_all(0, SIZE_MAX);
    while (mm_compact_leave(1))
        mm_check();
    mm_check();
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

/* No more of them leave than there is room for in those that stay. */
START_TEST(slabs_that_are_half_full_make_room_for_each_other)
{
    enum { BYTES = 1024, A_SLAB = MM_BLOCK_BYTES / BYTES, SLABS = 64 };
    uint32_t before;

    for (uint32_t i = 0; i < OBJECTS; i++)
        take(i);
    ck_assert(!mm_compact_begin()); /* what is empty goes, and is no gain below */
    for (uint32_t i = 0; i < SLABS * A_SLAB; i++) {
        unsigned char *p = mm_alloc(MM_VALUE, BYTES);

        must(p != NULL);
        memset(p, (int)(i % 251), BYTES);
        objects[i] = (struct object){p, BYTES};
    }
    for (uint32_t i = 0; i < SLABS * A_SLAB; i++)
        if (i % 16 < 9)
            take(i);
    before = heap.used_blocks;
    ck_assert_uint_ge(before, SLABS);
    ck_assert_uint_le(mm_compact_gain(), (size_t)SLABS * MM_BLOCK_BYTES * 9 / 16);
    ck_assert_uint_gt(move_all(0), 100);
    ck_assert_uint_le(heap.used_blocks, before - SLABS / 2);
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

START_TEST(with_nothing_to_gain_no_pass_begins)
{
    for (uint32_t i = 0; i < OBJECTS; i++)
        take(i);
    /* one of each class is kept to allocate from, though it is empty: these go at once */
    ck_assert_uint_eq(mm_compact_gain(), (size_t)heap.used_blocks * MM_BLOCK_BYTES);
    ck_assert(!mm_compact_begin());
    ck_assert_uint_eq(heap.used_blocks, 0);
    ck_assert_uint_eq(mm_compact_gain(), 0);
    ck_assert(!mm_compact_is_open());
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const void *p;

        put(i);
        p = objects[i].p;
        must(mm_move(p) == p);
    }
    mm_check();
}
END_TEST

/* ---- slabs that are made to be so ---- */

enum { SLOT_BYTES = 1000 };

static unsigned slots; /* of such a slab */
static enum mm_kind slots_kind;

static void
put_slot(uint32_t i)
{
    unsigned char *p = mm_alloc(slots_kind, SLOT_BYTES);

    ck_assert_ptr_nonnull(p);
    memset(p, (int)(i % 251), SLOT_BYTES);
    objects[i] = (struct object){.p = p, .bytes = SLOT_BYTES};
}

/* fill: so many slabs, full: object i is in slab i / slots; the last one is the one in use. */
static void
fill(unsigned slabs)
{
    slots = size_class_slots[size_class_of(SLOT_BYTES)];
    ck_assert_uint_le(slabs * slots, OBJECTS);
    for (uint32_t i = 0; i < slabs * slots; i++) {
        put_slot(i);
        ck_assert_uint_eq(block_of(objects[i].p), block_of(objects[i - i % slots].p));
    }
}

/* leave: of a slab, its first objects. */
static void
leave(unsigned slab, unsigned count)
{
    for (uint32_t i = slab * slots + count; i < (slab + 1) * slots; i++)
        take(i);
}

static void
mark_all(void)
{
    ck_assert(mm_compact_begin());
    while (mm_compact_mark(1))
        ;
}

static void
empty_setup(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    memset(objects, 0, sizeof objects);
    slots_kind = MM_VALUE;
}

/* Thirteen slabs with one object each fill what is free of themselves and of one more, reckoned in
 * sixteenths: for that one no room is left. */
START_TEST(a_slab_for_whose_objects_there_is_no_room_stays)
{
    enum { SPARSE = 13 };

    fill(SPARSE + 2);
    for (unsigned i = 0; i < SPARSE; i++)
        leave(i, 1);
    leave(SPARSE, slots / 8 + 1); /* of the next band; the last slab stays full */
    ck_assert_uint_eq(mm_compact_gain(), (size_t)SPARSE << MM_BLOCK_SHIFT);
    mark_all();
    ck_assert(!mm_wants_move(objects[(size_t)SPARSE * slots].p));
    for (unsigned i = 0; i < SPARSE; i++)
        ck_assert(mm_wants_move(objects[(size_t)i * slots].p));
    mm_compact_end();
    mm_check();
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

/* Where no other slab has room a new one would be needed: one for one is nothing. */
START_TEST(one_slab_does_not_leave_for_a_new_one)
{
    const unsigned char *p;

    fill(2);
    leave(0, 1);
    leave(1, slots / 2);
    mark_all();
    p = objects[0].p;
    ck_assert(mm_wants_move(p));
    for (uint32_t i = slots + slots / 2; i < 2 * slots; i++) {
        put_slot(i); /* the slab in use becomes full meanwhile */
        ck_assert_uint_eq(block_of(objects[i].p), block_of(objects[slots].p));
    }
    ck_assert_ptr_eq(mm_move(p), p);
    take(2 * slots - 1); /* and has room again */
    objects[0].p = mm_move(p);
    ck_assert_ptr_ne(objects[0].p, p);
    mm_compact_end();
    mm_check();
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

START_TEST(one_slab_does_not_leave_where_none_is_in_use)
{
    uint32_t stays;

    fill(3);
    leave(0, 1);
    leave(1, 1);
    leave(2, 0); /* the one in use goes as the pass begins */
    mark_all();
    stays = mm_wants_move(objects[0].p) ? slots : 0;
    ck_assert(mm_wants_move(objects[slots - stays].p) && !mm_wants_move(objects[stays].p));
    take(stays);
    ck_assert_ptr_eq(mm_move(objects[slots - stays].p), objects[slots - stays].p);
    mm_compact_end();
    mm_check();
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

/* What was in it at the cut goes when the sweep has been there, what came since goes as well: it is
 * empty, and waits until it is settled. */
START_TEST(an_empty_slab_that_waits_for_a_cut_is_not_marked)
{
    struct mm_sweep sweep;
    struct mm_extent x;
    epoch_t epoch;
    uint32_t there = 0;

    slots_kind = MM_RECORD;
    put_slot(there++);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(&sweep);
    do
        put_slot(there);
    while (block_of(objects[there++].p) == block_of(objects[0].p));
    while (mm_sweep_next(&sweep, &x))
        mm_sweep_done(&sweep, &x);
    for (uint32_t i = 0; i < there - 1; i++)
        take(i);
    mm_check();
    mark_all();
    ck_assert_uint_eq(heap.leaving.head, 0);
    mm_check();
    mm_compact_end();
    mm_cut_end();
    while (mm_settle(64))
        ;
    mm_check();
    ck_assert_uint_eq(heap.used_blocks, 1);
    ck_assert_uint_eq(damaged(), 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/compact");
    TCase *t = tcase_create("compact"), *made = tcase_create("made");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_is_left_of_many_fits_into_few_slabs);
    tcase_add_test(t, writes_go_on_during_a_pass);
    tcase_add_test(t, a_pass_may_go_on_while_a_cut_is_open);
    tcase_add_test(t, slabs_fuller_than_was_reckoned_run_dry_too);
    tcase_add_test(t, a_pass_over_all_moves_everything);
    tcase_add_test(t, slabs_that_are_half_full_make_room_for_each_other);
    tcase_add_test(t, with_nothing_to_gain_no_pass_begins);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(made, empty_setup, teardown);
    tcase_set_timeout(made, 120);
    tcase_add_test(made, a_slab_for_whose_objects_there_is_no_room_stays);
    tcase_add_test(made, one_slab_does_not_leave_for_a_new_one);
    tcase_add_test(made, one_slab_does_not_leave_where_none_is_in_use);
    tcase_add_test(made, an_empty_slab_that_waits_for_a_cut_is_not_marked);
    suite_add_tcase(s, made);
    return run_suite(s);
}
