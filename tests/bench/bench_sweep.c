/* tests/bench/bench_sweep.c - what a sweep costs the mutator, in process: one thread writes at full
 * speed, the other sweeps; against a window in which a plain reader of the same memory takes the
 * sweep's place.
 *
 *   bench_sweep [records] [record bytes] [rounds]
 *
 * Writes: "replace" (a new record for an old one, as SET does), "in place" (mm_modify of 16 bytes
 * in a record), "value" (mm_modify of 16 bytes somewhere in large values).  The page size is the
 * build's (EXTRA_CFLAGS=-DMM_PAGE_SHIFT=n). A turn is 64 writes; its time is the thread's CPU time,
 * so that other load on the machine does not show.  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/base/os.h"
#include "mm/cut.h"
#include "mm/page.h"
#include "snapshot/view.h"
#include "tests/bench/measure.h"

enum write_kind { REPLACE, IN_PLACE, IN_VALUE };
static const char *const kind_names[] = {"replace", "in place", "value"};
enum { TURN_WRITES = 64, VALUE_BYTES = 1 << 20 };

static const unsigned char **records;
static size_t record_count = 5000000, record_bytes = 128;

static void
write_once(enum write_kind kind)
{
    size_t i = next_random() % record_count;
    unsigned char *p;

    if (kind == REPLACE) {
        p = mm_alloc(MM_RECORD, record_bytes);
        memset(p, (int)i, record_bytes);
        mm_free(records[i]);
        records[i] = p;
    } else if (kind == IN_PLACE) {
        p = mm_modify(records[i] + 16, 16);
        memset(p, (int)i, 16);
    } else {
        p = mm_modify(records[i % (record_count * record_bytes / VALUE_BYTES)] +
                          next_random() % (VALUE_BYTES - 16),
                      16);
        memset(p, (int)i, 16);
    }
}

struct reader {
    struct mm_sweep sw;
    size_t bytes;
    bool plain, values;
    double seconds;
    _Atomic bool done;
};

static void
read_plain(struct reader *r, unsigned char *staging)
{
    struct mm_figures f;
    size_t have;

    mm_figures(&f);
    have = f.resident_bytes < record_count * record_bytes ? f.resident_bytes
                                                          : record_count * record_bytes;
    for (size_t at = 65536; at + 65536 <= have; at += 65536, r->bytes += 65536) {
        memcpy(staging, page_state.base + at, 65536);
        __asm__ volatile("" ::"r"(staging) : "memory");
    }
}

static void
read_swept(struct reader *r, unsigned char *staging)
{
    struct mm_extent x;
    struct view v;

    view_init(&v, r->sw.epoch);
    while (mm_sweep_next(&r->sw, &x)) {
        must(view_read(&v, staging, x.base, x.bytes < 65536 ? x.bytes : 65536) == 0);
        mm_sweep_done(&r->sw, &x);
        mm_sweep_warm();
    }
    for (size_t i = 0; r->values && i < record_count * record_bytes / VALUE_BYTES; i++)
        for (size_t at = 0; at < VALUE_BYTES; at += 65536) {
            must(view_read(&v, staging, records[i] + at, 65536) == 0);
            mm_sweep_warm();
        }
    r->bytes = v.read_bytes;
}

static void *
reader_main(void *arg)
{
    struct reader *r = arg;
    unsigned char *staging = malloc(65536);
    int64_t start = os_monotonic_ns();

    if (r->plain)
        read_plain(r, staging);
    else
        read_swept(r, staging);
    r->seconds = (double)(os_monotonic_ns() - start) / 1e9;
    free(staging);
    atomic_store(&r->done, true);
    return NULL;
}

struct window {
    double writes_per_s, reader_gb_s, longest_turn_us, preserved_mb, retired_newborn_mb;
};

static struct window
run_window(enum write_kind kind, bool plain)
{
    struct reader r = {.plain = plain, .values = kind == IN_VALUE};
    struct window w = {0};
    struct mm_figures f;
    uint64_t writes = 0;
    int64_t start, turn, longest = 0;
    size_t preserved = 0;
    pthread_t thread;
    epoch_t epoch;

    if (!plain) {
        must(mm_cut_begin(&epoch) == 0);
        mm_sweep_init(&r.sw);
    }
    must(pthread_create(&thread, NULL, reader_main, &r) == 0);
    start = thread_ns();
    while (!atomic_load(&r.done)) {
        int64_t before = thread_ns();

        for (int i = 0; i < TURN_WRITES; i++)
            write_once(kind);
        if (!plain)
            mm_settle(4);
        turn = thread_ns() - before;
        longest = turn > longest ? turn : longest;
        writes += TURN_WRITES;
        if (!plain && writes % 4096 == 0) {
            mm_figures(&f);
            preserved = f.preserved_bytes > preserved ? f.preserved_bytes : preserved;
        }
    }
    w.writes_per_s = (double)writes / ((double)(thread_ns() - start) / 1e9);
    pthread_join(thread, NULL);
    if (!plain) {
        mm_figures(&f);
        w.preserved_mb = (double)preserved / 1e6;
        w.retired_newborn_mb =
            (double)(f.peak_bytes - (preserved < f.peak_bytes ? preserved : f.peak_bytes)) / 1e6;
        mm_cut_end();
        while (mm_settle(1000))
            ;
    }
    w.reader_gb_s = (double)r.bytes / 1e9 / r.seconds;
    w.longest_turn_us = (double)longest / 1e3;
    return w;
}

static void
run_kind(enum write_kind kind, int rounds)
{
    enum { COLS = 7 };
    double v[COLS][64];

    for (int i = 0; i < rounds; i++) { /* alternating */
        struct window plain = run_window(kind, true), sweep = run_window(kind, false);

        v[0][i] = sweep.writes_per_s / plain.writes_per_s;
        v[1][i] = sweep.writes_per_s / 1e6;
        v[2][i] = sweep.reader_gb_s;
        v[3][i] = sweep.preserved_mb;
        v[4][i] = sweep.retired_newborn_mb;
        v[5][i] = sweep.longest_turn_us;
        v[6][i] = plain.longest_turn_us;
    }
    printf("%9d  %-9s", MM_PAGE_BYTES, kind_names[kind]);
    printf("  %8.3f", median(v[0], rounds));
    printf("  %9.2f", median(v[1], rounds));
    printf("  %8.2f", median(v[2], rounds));
    printf("  %9.1f", median(v[3], rounds));
    printf("  %9.1f", median(v[4], rounds));
    printf("  %8.0f", median(v[5], rounds));
    printf("  %8.0f\n", median(v[6], rounds));
    fflush(stdout);
}

static void
fill(size_t count, size_t bytes, enum mm_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *p = mm_alloc(kind, bytes);

        must(p != NULL);
        memset(p, (int)i, bytes);
        records[i] = p;
    }
}

int
main(int argc, char **argv)
{
    int rounds = argc > 3 ? atoi(argv[3]) : 9;

    if (argc > 1)
        record_count = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        record_bytes = strtoull(argv[2], NULL, 10);
    records = calloc(record_count, sizeof *records);
    printf(
        "%zu records of %zu bytes (%.0f MB), medians of %d rounds, sweep and plain reader alternating\n",
        record_count, record_bytes, (double)(record_count * record_bytes) / 1e6, rounds);
    printf(
        "page size  writes     ratio    M writes/s  reader   preserved  new+retired  longest turn, us\n");
    printf(
        "  (bytes)           sweep/plain   (sweep)    GB/s         MB         MB     sweep     plain\n");
    must(mm_init(&(struct mm_options){0}) == 0);
    fill(record_count, record_bytes, MM_RECORD);
    run_kind(REPLACE, rounds);
    run_kind(IN_PLACE, rounds);
    mm_fini();
    must(mm_init(&(struct mm_options){0}) == 0);
    fill(record_count * record_bytes / VALUE_BYTES, VALUE_BYTES, MM_VALUE);
    run_kind(IN_VALUE, rounds);
    mm_fini();
    free(records);
    return 0;
}
