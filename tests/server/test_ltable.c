/* tests/server/test_ltable.c - linear hash tables, both kinds: of records (ktable) and of pairs (htable).
 * Random tests print their seed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mm/cut.h"
#include "mm/fault.h"
#include "server/data/htable.h"
#include "server/data/keyhash.h"
#include "server/data/ktable.h"
#include "tests/support/runner.h"

/* expect: ck_assert() for loops: that one writes to a pipe each time. */
#define expect(x)                                                                                            \
    do {                                                                                                     \
        if (!(x))                                                                                            \
            ck_abort_msg("%s", #x);                                                                          \
    } while (0)

static uint64_t seed;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* hash_of: not inlined, or the compiler thinks that it sees XXH3 read beyond a short key. */
__attribute__((noinline)) static uint64_t
hash_of(struct slice key)
{
    return keyhash(key);
}

static void
setup(void)
{
    const char *given = getenv("TEST_SEED");

    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)4 << 30}), 0);
    keyhash_init();
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15ULL | 1;
    printf("seed %llu\n", (unsigned long long)seed);
}

static void
teardown(void)
{
    mm_fini();
}

/* ---- a table of records beside a model: element n is there, or is not ---- */

enum { MODEL = 30000, LARGE = 400000 };

struct model {
    struct ktable table;
    const struct record **at;
    unsigned size, count;
};

static struct slice
name_of(unsigned n, char buf[16])
{
    return (struct slice){.ptr = buf, .len = (size_t)snprintf(buf, 16, "k%u", n)};
}

static bool
model_add(struct model *m, unsigned n)
{
    struct record_spec spec = {.expire_at_ms = RECORD_NO_EXPIRE,
                               .value = {.type = TYPE_STRING, .enc = ENC_INT}};
    const struct record *r;
    char buf[16];

    spec.key = name_of(n, buf);
    expect((r = record_new(&spec)) != NULL);
    if (!ktable_add(&m->table, hash_of(spec.key), r)) {
        record_free(r);
        return false;
    }
    m->at[n] = r;
    m->count++;
    return true;
}

static void
model_drop(struct model *m, unsigned n)
{
    uint64_t hash = hash_of(record_key(m->at[n]));
    struct ktable_ref ref;

    ktable_find_record(&m->table, hash, m->at[n], &ref);
    expect(ref.bucket != NULL);
    ktable_drop(&m->table, hash, ref);
    record_free(m->at[n]);
    m->at[n] = NULL;
    m->count--;
}

static struct model
model_new(unsigned size)
{
    struct model m = {.size = size, .at = calloc(size, sizeof *m.at)};

    ck_assert_ptr_nonnull(m.at);
    return m;
}

static void
model_check(const struct model *m)
{
    ktable_verify(&m->table);
    ck_assert_uint_eq(m->table.count, m->count);
    for (unsigned n = 0; n < m->size; n++) {
        struct ktable_ref ref;
        char buf[16];
        struct slice key = name_of(n, buf);

        expect(ktable_find_key(&m->table, hash_of(key), key, &ref) == m->at[n]);
    }
}

static void
count_visits(void *ctx, const void *record)
{
    (void)record;
    ++*(unsigned *)ctx;
}

static void
model_free(struct model *m)
{
    uint64_t next = 0;
    unsigned seen = 0;

    while (!ktable_empty(&m->table, &next, 100, count_visits, &seen))
        ;
    ck_assert_uint_eq(seen, m->count);
    ck_assert_uint_eq(m->table.buckets, 0);
    ck_assert_uint_eq(ktable_bytes(), 0);
    free(m->at);
}

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
    ck_assert_uint_le(full, (m.table.buckets + m.table.children) * sizeof(struct lt_bucket) * 11 / 10);
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

struct seen {
    unsigned *times;
};

static unsigned
number_of(const struct record *r)
{
    char text[16] = {0};
    struct slice key = record_key(r);

    memcpy(text, key.ptr, key.len);
    return (unsigned)strtoul(text + 1, NULL, 10);
}

static void
note_seen(void *ctx, const void *record)
{
    const struct seen *s = ctx;

    s->times[number_of(record)]++;
}

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
            cursor = ktable_walk(&m.table, cursor, note_seen, &(struct seen){times});
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
        cursor = ktable_walk(&m.table, cursor, note_seen, &(struct seen){times});
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
        note_seen(&(struct seen){times}, ktable_draw(&m.table));
    for (unsigned n = 0; n < SIZE; n++) /* 500 expected, sigma 22 */
        ck_assert_msg(times[n] > 350 && times[n] < 650, "%u was drawn %u times", n, times[n]);
    model_free(&m);
}
END_TEST

/* ---- what is removed follows what a walk shows first ---- */

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

static void
count_step(void *ctx, const void *record)
{
    (void)record;
    ++*(unsigned *)ctx;
}

/* crowd: again and again what a walk meets first goes, and as many others come: the hashes of what stays
 * agree in ever more bits.  *next: names of others begin here.  Returns the most that a step met. */
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

/* No step of a walk, of active expiry, or of freeing meets more than LT5 says, and everything is still found,
 * walked through and drawn. */
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
        cursor = ktable_walk(&m.table, cursor, count_step, &step);
        ck_assert_uint_le(step, LT_CHAIN_MAX);
        count += step;
    } while (cursor != 0);
    ck_assert_uint_eq(count, m.count);
    count = 0;
    do {
        step = 0;
        ktable_visit_next(&m.table, &place, count_step, &step);
        ck_assert_uint_le(step, LT_CHAIN_MAX);
        count += step;
    } while (place.bucket < m.table.buckets);
    ck_assert_uint_eq(count, m.count);
    ck_assert_ptr_nonnull(times = calloc(NAMES, sizeof *times));
    for (unsigned n = 0; n < 100 * CROWD; n++)
        note_seen(&(struct seen){times}, ktable_draw(&m.table));
    count = 0;
    for (unsigned n = 0; n < NAMES; n++)
        count += times[n] > 0;
    ck_assert_uint_gt(count, m.count - m.count / 100); /* all, but for who stands alone in a bucket */
    free(times);
    for (cursor = 0, count = 0; m.table.buckets > 0; count += step) {
        step = 0;
        ktable_empty(&m.table, &cursor, 64, count_step, &step);
        ck_assert_uint_le(step, 64 + LT_CHAIN_MAX);
    }
    ck_assert_uint_eq(count, m.count);
    ck_assert_uint_eq(ktable_bytes(), 0);
    free(m.at);
}
END_TEST

/* Crowded, then filled evenly, then emptied: buckets with junctions are split and merged, junctions come and
 * go. */
START_TEST(a_crowded_table_grows_and_shrinks)
{
    enum { ROUNDS = 300, MORE = 20000, NAMES = CROWD + ROUNDS * (CROWD_TAKEN + LT_CHAIN_MAX) + MORE };
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
            cursor = ktable_walk(&m.table, cursor, note_seen, &(struct seen){times});
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
        cursor = ktable_walk(&m.table, cursor, note_seen, &(struct seen){times});
    for (unsigned n = 0; n < STAY; n++)
        ck_assert_msg(times[n] > 0, "%u was not met", n);
    model_check(&m);
    free(times);
    model_free(&m);
}
END_TEST

#ifdef STILLFRAME_FAULTS
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

/* Only segments fail: all is in one bucket, behind junctions, and every split of it still works out (LT2,
 * LT7). */
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
    const struct pair *p = htable_get(t, field), *old;

    if (p != NULL && pair_set(p, v))
        return;
    expect((p = pair_new(field, v)) != NULL);
    expect(htable_put(t, p, &old));
    if (old != NULL)
        pair_free(old);
}

static void
check_field(const struct htable *t, unsigned n, unsigned version)
{
    char name[16], value[80];
    int len = snprintf(value, sizeof value, "%u:%0*u", version, (int)(version % 50) + 1, n);
    const struct pair *p = htable_get(t, name_of(n, name));

    if (version == 0) {
        expect(p == NULL);
        return;
    }
    expect(p != NULL);
    expect(slice_equal(pair_value(p), (struct slice){value, (size_t)len}));
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
            const struct pair *p = htable_take(t, name_of(n, name));

            expect(version[n] == 0 ? p == NULL : p != NULL);
            if (p != NULL)
                pair_free(p);
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
    enum { FIELDS = 200000, STEP_BYTES = 66 << 10 }; /* the largest segment that counts as a whole */
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
                      (t->buckets + t->children) * sizeof(struct lt_bucket) * 11 / 10 + FIELDS * 32);
    htable_free(t);
    ck_assert_uint_eq(live_bytes(), 0);
}
END_TEST

START_TEST(a_pair_changes_in_place_only_where_its_block_fits)
{
    const struct pair *p = pair_new(SLICE("field"), SLICE("0123456789"));

    ck_assert(pair_set(p, SLICE("abcdefghij")));
    ck_assert(slice_equal(pair_value(p), SLICE("abcdefghij")));
    ck_assert(pair_set(p, SLICE("abcdefghijk")));
    ck_assert(slice_equal(pair_value(p), SLICE("abcdefghijk")));
    ck_assert(slice_equal(pair_field(p), SLICE("field")));
    ck_assert(!pair_set(p, SLICE("a")));
    ck_assert(!pair_set(p, SLICE("0123456789012345678901234567890123456789")));
    ck_assert(slice_equal(pair_value(p), SLICE("abcdefghijk")));
    pair_free(p);
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
        const struct pair *p = pair_new(field, SLICE("v")), *old;
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

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, a_table_holds_what_its_model_holds, 0, 2);
    tcase_add_test(t, a_large_table_grows_and_shrinks);
    tcase_add_test(t, the_figure_of_memory_grows_with_the_buckets);
    tcase_add_test(t, another_record_takes_the_place_of_one);
    tcase_add_test(t, a_walk_meets_everything_that_stays);
    tcase_add_loop_test(t, a_walk_of_a_table_at_rest_meets_everything_once, 0, 9);
    tcase_add_test(t, every_record_is_drawn_about_as_often);
    tcase_add_test(t, what_is_removed_does_not_make_a_step_longer);
    tcase_add_test(t, a_crowded_table_grows_and_shrinks);
    tcase_add_test(t, a_walk_of_a_table_that_gets_crowded_meets_what_stays);
    tcase_add_test(t, a_table_of_pairs_holds_what_its_model_holds);
    tcase_add_test(t, the_memory_of_a_table_of_pairs_grows_with_it);
    tcase_add_test(t, a_pair_changes_in_place_only_where_its_block_fits);
    tcase_add_test(t, a_write_into_a_large_table_preserves_few_pages);
    tcase_add_test(t, a_dead_table_goes_in_steps);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, without_memory_a_table_stays_fuller_or_refuses);
    tcase_add_test(t, a_table_without_segments_has_junctions_and_recovers);
    tcase_add_test(t, without_memory_a_table_of_pairs_is_as_before);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
