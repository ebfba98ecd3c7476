/* tests/bench/bench_growth.c - the longest turn while a keyspace grows from nothing, without
 * sockets.
 *
 *   bench_growth [keys]        by the clock
 *   bench_growth [keys] work   what the table does in a turn: chains split, entries moved
 *
 * Keys are inserted sixteen at a time, as a pipelined turn of the loop does it; of each such turn
 * the thread's CPU time and its page faults.  A table that doubled would show as one turn of
 * seconds; what the system takes to find memory is in the turns too.  The clock of a shared machine
 * has turns of its own; "work" counts, so that what it says repeats but for the seed of the
 * hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "mm/base/clock.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/value.h"
#include "server/exec/cmd.h"
#include "server/limits.h"
#include "server/types.h"

enum { BATCH = 16, LONGEST = 8 };

struct turn {
    double us;
    unsigned long keys;
    long faults;
};

static struct turn longest[LONGEST]; /* the longest first */

static double
thread_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static long
faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_THREAD, &u);
    return u.ru_minflt;
}

static void
note(struct turn t)
{
    for (int i = 0; i < LONGEST; i++)
        if (t.us > longest[i].us) {
            struct turn was = longest[i];
            longest[i] = t;
            t = was;
        }
}

static void
insert(struct db *db, unsigned long n)
{
    char text[32];
    struct slice key = {.ptr = text, .len = (size_t)snprintf(text, sizeof text, "key:%012lu", n)};
    struct db_ref ref;
    struct value v;

    must(value_string(&v, SLICE("0123456789abcdef"), key.len) == 0);
    db_lookup(db, key, 0, &ref);
    must(db_store(&ref, &v, RECORD_NO_EXPIRE) == 0);
}

static void
report(const char *what, unsigned long turns, double sum, unsigned long above_100us,
       unsigned long above_1ms)
{
    printf("%s: %lu turns, mean %.2f us, above 100 us %lu, above 1 ms %lu\n", what, turns,
           sum / (double)turns, above_100us, above_1ms);
    for (int i = 0; i < LONGEST; i++)
        printf("  %8.1f us at %lu, %ld page faults\n", longest[i].us, longest[i].keys,
               longest[i].faults);
    memset(longest, 0, sizeof longest);
}

/* A turn without memory: as long as one of the others, about. */
static uint64_t
calculate(uint64_t x)
{
    for (int i = 0; i < 8000; i++)
        x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return x;
}

static void
count_entry(void *ctx, const void *record)
{
    (void)record;
    ++*(unsigned *)ctx;
}

/* The same turns, and the work of the table in each: the chains that it splits, and their entries
 * as they were before the turn (what the turn itself inserts may be among them: sixteen more at
 * most). */
static void
grow_by_work(struct db *db, unsigned long keys)
{
    unsigned long turns_with[BATCH + 1] = {0};
    unsigned most_entries = 0, longest_chain = 0;

    for (unsigned long n = 0; n < keys; n += BATCH) {
        const struct ktable *t = &db->keys;
        uint64_t before = t->buckets;
        unsigned chain[BATCH] = {0}, entries = 0, splits;

        for (unsigned i = 0; i < BATCH && before > BATCH; i++) {
            uint64_t next = before + i;
            ktable_visit_bucket(t, next - (1ULL << lt_level(next)), count_entry, &chain[i]);
        }
        for (unsigned long i = n; i < n + BATCH; i++)
            insert(db, i);
        splits = (unsigned)(t->buckets - before);
        must(splits <= BATCH);
        turns_with[splits]++;
        for (unsigned i = 0; i < splits; i++) {
            entries += chain[i];
            longest_chain = chain[i] > longest_chain ? chain[i] : longest_chain;
        }
        most_entries = entries > most_entries ? entries : most_entries;
    }
    for (unsigned i = 0; i <= BATCH; i++)
        if (turns_with[i] > 0)
            printf("%u chains split: %lu turns\n", i, turns_with[i]);
    printf("most entries in the chains of a turn %u, in one chain %u\n", most_entries,
           longest_chain);
}

int
main(int argc, char *argv[])
{
    unsigned long keys = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000000, above_100us = 0,
                  above_1ms = 0;
    double begin, sum = 0;
    uint64_t x = 1;
    struct db *db;

    must(mm_init(&(struct mm_options){.arena_bytes = 0}) == 0);
    must(config_init() == 0);
    clock_refresh();
    types_init();
    limits_init();
    must(db_init(1) == 0);
    db = db_select(0);
    if (argc > 2 && strcmp(argv[2], "work") == 0) {
        grow_by_work(db, keys);
        return 0;
    }
    for (unsigned long n = 0; n < keys; n += BATCH) {
        long before = faults();
        struct turn t = {.keys = n};
        begin = thread_us();
        for (unsigned long i = n; i < n + BATCH; i++)
            insert(db, i);
        t.us = thread_us() - begin;
        t.faults = faults() - before;
        sum += t.us;
        above_100us += t.us > 100;
        above_1ms += t.us > 1000;
        note(t);
    }
    report("growth, 16 inserts a turn", keys / BATCH, sum, above_100us, above_1ms);
    sum = 0;
    above_100us = above_1ms = 0;
    for (unsigned long n = 0; n < keys; n += BATCH) {
        struct turn t = {.keys = n};
        begin = thread_us();
        x = calculate(x);
        t.us = thread_us() - begin;
        sum += t.us;
        above_100us += t.us > 100;
        above_1ms += t.us > 1000;
        note(t);
    }
    report(x != 0 ? "calculating" : "", keys / BATCH, sum, above_100us, above_1ms);
    return 0;
}
