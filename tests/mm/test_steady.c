/* tests/mm/test_steady.c - S3: a cut leaves no trace in memory.  Counted are blocks of the arena,
 * whatever the system makes of them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/cut.h"
#include "mm/heap_impl.h"
#include "tests/support/runner.h"

enum { CUTS = 500, SIZES = 23 };

static void
setup(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    srand(20);
}

static void
teardown(void)
{
    mm_fini();
}

static const void *
make(enum mm_kind kind, size_t bytes)
{
    char *p = mm_alloc(kind, bytes);

    must(p != NULL); /* Check writes to a pipe at each assertion; these are millions */
    memset(p, 7, bytes < 64 ? bytes : 64);
    return p;
}

/* sweep_some: the sweep passes so many record blocks.  False: there is none left. */
static bool
sweep_some(struct mm_sweep *s, unsigned blocks)
{
    struct mm_extent x;

    for (; blocks > 0; blocks--) {
        if (!mm_sweep_next(s, &x))
            return false;
        mm_sweep_done(s, &x);
    }
    return true;
}

static void
begin(struct mm_sweep *s)
{
    epoch_t epoch;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    mm_sweep_init(s);
}

static void
end(struct mm_sweep *s)
{
    (void)sweep_some(s, UINT32_MAX);
    mm_cut_end();
    while (mm_settle(64))
        ;
    mm_check();
}

/* A queue that is filled and emptied beside a cut, in every size: before, each cut left a slab of
 * each size behind, and two thousand blocks were in use in the end. */
START_TEST(slabs_of_a_cut_go_when_they_are_empty)
{
    const void *p[2][SIZES];
    struct mm_sweep s;
    uint32_t first = 0;

    for (int i = 0; i < 2000; i++)
        (void)make(MM_RECORD, 100);
    for (int cut = 0; cut < CUTS; cut++) {
        begin(&s);
        for (unsigned i = 0; i < 2 * SIZES; i++)
            p[i % 2][i / 2] = make(i % 2 == 0 ? MM_RECORD : MM_VALUE, 500 + i / 2 * 1000);
        if (cut % 2 == 0)
            end(&s);
        for (unsigned i = 0; i < 2 * SIZES; i++)
            mm_free(p[i % 2][i / 2]);
        if (cut % 2 != 0)
            end(&s);
        if (cut == 1)
            first = heap.used_blocks;
    }
    ck_assert_uint_le(heap.used_blocks, first);
    begin(&s); /* what allocation held on to goes as well */
    end(&s);
    ck_assert_uint_le(heap.used_blocks, 2000 * 112 / MM_BLOCK_BYTES + 2);
}
END_TEST

#ifndef STILLFRAME_BARRIER
struct load {
    size_t most_bytes;  /* of one object */
    uint32_t objects;   /* half of them records */
    unsigned per_sweep; /* writes while the sweep passes a block */
    unsigned between;   /* writes between two cuts */
};

static const struct load loads[] = {
    {.most_bytes = 6000, .objects = 20000, .per_sweep = 5, .between = 4000},
    {.most_bytes = 6000, .objects = 20000, .per_sweep = 20, .between = 100},
    {.most_bytes = 90, .objects = 300000, .per_sweep = 100, .between = 0},
    {.most_bytes = 200, .objects = 3000, .per_sweep = 50, .between = 500},
};

static size_t
random_size(const struct load *l)
{
    size_t bytes = 1 + (size_t)rand() % l->most_bytes;

    return rand() % 4 == 0 ? bytes : 1 + bytes % (l->most_bytes / 8);
}

static void
write_some(const void **objects, const struct load *l, unsigned n)
{
    for (; n > 0; n--) {
        uint32_t i = (uint32_t)rand() % l->objects;
        const void *old = objects[i];

        objects[i] = make(i % 2 == 0 ? MM_RECORD : MM_VALUE, random_size(l));
        mm_free(old);
    }
}

/* Random objects are replaced, as SET does it: 500 cuts need no more memory than the same writes
 * without. */
START_TEST(cuts_under_a_steady_load_leave_no_trace)
{
    const struct load *l = &loads[_i];
    const void **objects = calloc(l->objects, sizeof *objects);
    uint32_t alone = 0, with_cuts = 0;

    for (uint32_t i = 0; i < l->objects; i++)
        objects[i] = make(i % 2 == 0 ? MM_RECORD : MM_VALUE, random_size(l));
    for (int i = 0; i < 100; i++) {
        write_some(objects, l, l->objects / 10);
        if (heap.used_blocks > alone)
            alone = heap.used_blocks;
    }
    for (int cut = 0; cut < CUTS; cut++) {
        struct mm_sweep s;

        begin(&s);
        while (sweep_some(&s, 1)) {
            write_some(objects, l, l->per_sweep);
            (void)mm_settle(4);
            if (heap.used_blocks > with_cuts)
                with_cuts = heap.used_blocks;
        }
        end(&s);
        write_some(objects, l, l->between);
    }
    printf("objects up to %zu bytes: %u blocks, with cuts %u\n", l->most_bytes, alone, with_cuts);
    ck_assert_uint_le(with_cuts, alone + alone * 15 / 100 + 2);
    free(objects);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("mm/steady");
    TCase *t = tcase_create("steady");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, slabs_of_a_cut_go_when_they_are_empty);
#ifndef STILLFRAME_BARRIER /* there births need slabs of their own, off pages of the cut */
    tcase_add_loop_test(t, cuts_under_a_steady_load_leave_no_trace, 0,
                        (int)(sizeof loads / sizeof loads[0]));
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
