/* tests/mm/test_promises.c - what the headers of mm/ ask of their callers: who does not keep to it
 * ends the process, before anything is lost.  Those of debug builds are tested there only. */
#include <check.h>
#include <string.h>

#include "mm/base/histogram.h"
#include "mm/base/nametab.h"
#include "mm/base/printable.h"
#include "mm/base/text.h"
#include "mm/compact.h"
#include "mm/cut.h"
#include "mm/discarder.h"
#include "tests/support/promises.h"

enum { VALUE_BYTES = 100, RUN_BYTES = 200000 };

/* ---- mm/base ---- */

static void
printing_into_too_little(void)
{
    char few[7];

    printable(few, sizeof few, (const uint8_t *)"a", 1);
}

static void
more_than_all_percent(void)
{
    static struct histogram h;

    (void)histogram_percentile(&h, 100.5);
}

static void
a_bucket_that_is_none(void)
{
    (void)histogram_upper(HISTOGRAM_BUCKETS);
}

static void
removing_from_an_empty_table(void)
{
    struct nametab t = {.count = 0};
    struct nametab_node n = {.name = SLICE("a")};

    nametab_remove(&t, &n);
}

static void
removing_what_is_not_there(void)
{
    struct nametab t = {.count = 0};
    struct nametab_node a = {.name = SLICE("a"), .hash = nametab_hash(SLICE("a"))},
                        b = {.name = SLICE("b"), .hash = nametab_hash(SLICE("b"))};

    if (nametab_add(&t, &a))
        nametab_remove(&t, &b);
}

#ifdef STILLFRAME_DEBUG
static void
adding_a_name_twice(void)
{
    struct nametab t = {.count = 0};
    struct nametab_node a = {.name = SLICE("a"), .hash = nametab_hash(SLICE("a"))}, b = a;

    if (nametab_add(&t, &a))
        (void)nametab_add(&t, &b);
}

static void
a_text_without_its_end(void)
{
    struct text t = {.at = NULL};

    text_add(&t, "abc");
    t.at[3] = 'd';
    text_add(&t, "e");
}
#endif

/* ---- mm ---- */

static void
begin_heap(void)
{
    must(mm_init(&(struct mm_options){.arena_bytes = (size_t)64 << 20}) == 0);
}

static void
begin_cut(void)
{
    epoch_t epoch;

    must(mm_cut_begin(&epoch) == 0);
}

static void
allocating_nothing(void)
{
    begin_heap();
    (void)mm_alloc(MM_VALUE, 0);
}

static void
freeing_twice(void)
{
    void *p, *other;

    begin_heap();
    p = mm_alloc(MM_VALUE, VALUE_BYTES);
    other = mm_alloc(MM_VALUE, VALUE_BYTES); /* so that the slab stays */
    mm_free(p);
    mm_free(p);
    (void)other;
}

static void
retiring_twice(void)
{
    void *p;

    begin_heap();
    p = mm_alloc(MM_VALUE, VALUE_BYTES);
    begin_cut();
    mm_free(p);
    mm_free(p);
}

static void
freeing_the_middle_of_a_run(void)
{
    char *p;

    begin_heap();
    p = mm_alloc(MM_VALUE, RUN_BYTES);
    mm_free(p + 8);
}

static void
ending_a_cut_that_is_none(void)
{
    begin_heap();
    mm_cut_end();
}

static void
leaving_with_an_open_cut(void)
{
    begin_heap();
    begin_cut();
    mm_fini();
}

static void
sweeping_without_a_cut(void)
{
    struct mm_sweep s;

    begin_heap();
    mm_sweep_init(&s);
}

static void
choosing_slabs_without_a_pass(void)
{
    begin_heap();
    (void)mm_compact_mark(1);
}

static void
beginning_twice(void)
{
    begin_heap();
    begin_heap();
}

static void
giving_back_more_than_fits_a_job(void)
{
    static struct os_range r[DISCARDER_RANGES + 1];

    if (discarder_start())
        discarder_post(r, DISCARDER_RANGES + 1);
}

static void
taking_a_job_that_is_not_out(void)
{
    if (discarder_start())
        (void)discarder_take();
}

#ifdef STILLFRAME_DEBUG
static void
writing_to_what_is_free(void)
{
    void *p, *other;

    begin_heap();
    p = mm_alloc(MM_VALUE, VALUE_BYTES);
    other = mm_alloc(MM_VALUE, VALUE_BYTES);
    mm_free(p);
    (void)mm_modify(p, 1);
    (void)other;
}

static void
writing_past_a_slot(void)
{
    char *p, *other;

    begin_heap();
    p = mm_alloc(MM_VALUE, VALUE_BYTES);
    other = mm_alloc(MM_VALUE, VALUE_BYTES);
    (void)mm_modify(p, mm_usable(p) + 1);
    (void)other;
}

static void
writing_past_a_run(void)
{
    char *p;

    begin_heap();
    p = mm_alloc(MM_VALUE, RUN_BYTES);
    (void)mm_modify(p + 70000, mm_usable(p) - 70000 + 1);
}

static void
moving_from_the_middle_of_a_slot(void)
{
    char *p;

    begin_heap();
    p = mm_alloc(MM_VALUE, VALUE_BYTES);
    mm_compact_begin_all(1, MM_SLOT_MAX_BYTES);
    (void)mm_move(p + 8);
}
#endif

static const struct broken broken[] = {
    BROKEN(printing_into_too_little),
    BROKEN(more_than_all_percent),
    BROKEN(a_bucket_that_is_none),
    BROKEN(removing_from_an_empty_table),
    BROKEN(removing_what_is_not_there),
    BROKEN(allocating_nothing),
    BROKEN(freeing_twice),
    BROKEN(retiring_twice),
    BROKEN(freeing_the_middle_of_a_run),
    BROKEN(ending_a_cut_that_is_none),
    BROKEN(leaving_with_an_open_cut),
    BROKEN(sweeping_without_a_cut),
    BROKEN(choosing_slabs_without_a_pass),
    BROKEN(beginning_twice),
    BROKEN(giving_back_more_than_fits_a_job),
    BROKEN(taking_a_job_that_is_not_out),
#ifdef STILLFRAME_DEBUG
    BROKEN(adding_a_name_twice),
    BROKEN(a_text_without_its_end),
    BROKEN(writing_to_what_is_free),
    BROKEN(writing_past_a_slot),
    BROKEN(writing_past_a_run),
    BROKEN(moving_from_the_middle_of_a_slot),
#endif
};

/* What is allowed does not look like what is not: the asserts above, from their other side. */
static void
keeping_to_all(void)
{
    char *run, *p, *other;

    begin_heap();
    run = mm_alloc_roomy(RUN_BYTES, 4 * RUN_BYTES);
    p = mm_alloc(MM_VALUE, VALUE_BYTES);
    other = mm_alloc(MM_RECORD, VALUE_BYTES);
    mm_grow(run, mm_usable(run));
    memset(mm_modify(run, mm_usable(run)), 1, mm_usable(run));
    memset(mm_modify(run + 70000, 70000), 2, 70000);
    memset(mm_modify(p, mm_usable(p)), 3, mm_usable(p));
    begin_cut();
    memset(mm_modify(run, mm_usable(run)), 2, mm_usable(run));
    memset(mm_modify(other + 8, 8), 3, 8);
    mm_free(p);
    mm_cut_end();
    while (mm_settle(1))
        ;
    mm_free(run);
    mm_free(other);
    mm_check();
    mm_fini();
}

int
main(void)
{
    return run_promises("mm/promises", broken, sizeof broken / sizeof *broken, keeping_to_all);
}
