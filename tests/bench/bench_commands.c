/* tests/bench/bench_commands.c - what a save costs the commands, in process: exec_words() on
 * one core, the sweep with its encoder on the other; against a window in which a plain reader of
 * the same memory takes the sweep's place.
 *
 *   bench_commands [keys] [rounds]
 *
 * Workloads: SET (random keys, 100-byte values), INCR (random counters), HSET (random fields of one
 * hash of a million), SETRANGE (random places of one 512 MB string).  A turn is 64 commands; times
 * are thread CPU time. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/os.h"
#include "mm/page.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/save.h"
#include "server/exec/auth.h"
#include "server/exec/exec.h"
#include "server/limits.h"
#include "server/modules.h"
#include "server/net/client.h"
#include "snapshot/snapshot.h"
#include "tests/bench/measure.h"

enum { TURN = 64, VALUE_BYTES = 100, COUNTERS = 1000000, FIELDS = 1000000 };
enum workload { SET, INCR, HSET, SETRANGE, WORKLOADS };
static const char *const names[] = {"SET", "INCR", "HSET", "SETRANGE"};

static struct client *client;
static unsigned long keys = 2000000;
static char value[VALUE_BYTES];

static void
execute(int argc, const struct slice *argv)
{
    client->out_len = client->out_sent = 0;
    exec_words(client, argc, argv);
    must(client->out[0] != '-');
}

static struct slice
numbered(char *buf, size_t room, const char *format, unsigned long n)
{
    return (struct slice){.ptr = buf, .len = (size_t)snprintf(buf, room, format, n)};
}

static void
command(enum workload w, unsigned long n)
{
    char name[32];
    struct slice v = {.ptr = value, .len = sizeof value}, key;

    memcpy(value, &n, sizeof n);
    switch (w) {
    case SET:
        key = numbered(name, sizeof name, "key:%012lu", n % keys);
        execute(3, (struct slice[]){SLICE("SET"), key, v});
        break;
    case INCR:
        key = numbered(name, sizeof name, "counter:%08lu", n % COUNTERS);
        execute(2, (struct slice[]){SLICE("INCR"), key});
        break;
    case HSET:
        key = numbered(name, sizeof name, "field:%08lu", n % FIELDS);
        v.len = 32;
        execute(4, (struct slice[]){SLICE("HSET"), SLICE("hash"), key, v});
        break;
    default:
        key = numbered(name, sizeof name, "%lu", n % ((512UL << 20) - 32));
        v.len = 16;
        execute(4, (struct slice[]){SLICE("SETRANGE"), SLICE("string"), key, v});
    }
}

static void
fill(enum workload w)
{
    unsigned long n = w == SET ? keys : w == INCR ? COUNTERS : w == HSET ? FIELDS : 0;

    for (unsigned long i = 0; i < n; i++)
        command(w, i);
    if (w == SETRANGE)
        execute(4, (struct slice[]){SLICE("SETRANGE"), SLICE("string"), SLICE("536870911"),
                                    SLICE("x")});
}

static _Atomic bool stop_reader;

static void *
plain_reader(void *arg)
{
    char *staging = malloc(65536);
    struct mm_figures f;

    (void)arg;
    mm_figures(&f);
    while (!stop_reader)
        for (size_t at = 65536; at + 65536 <= f.resident_bytes && !stop_reader; at += 65536) {
            memcpy(staging, page_state.base + at, 65536);
            __asm__ volatile("" ::"r"(staging) : "memory");
        }
    free(staging);
    return NULL;
}

struct window {
    double per_s, longest_us, seconds, preserved_mb, peak_mb;
};

/* turns: commands until `seconds` are over or, with a save, until it has ended. */
static struct window
turns(enum workload w, double seconds, bool save)
{
    struct snapshot_end end;
    struct window r = {0};
    struct mm_figures f;
    int64_t wall = os_monotonic_ns(), start = thread_ns(), longest = 0;
    unsigned long n = 0;
    bool ended = false;

    while (save ? !ended : (double)(os_monotonic_ns() - wall) / 1e9 < seconds) {
        int64_t before = thread_ns(), took;

        for (int i = 0; i < TURN; i++)
            command(w, next_random() >> 8);
        snapshot_quiescent();
        ended = save && snapshot_poll(64, &end);
        took = thread_ns() - before;
        longest = took > longest ? took : longest;
        n += TURN;
    }
    must(!save || end.error == 0);
    mm_figures(&f);
    r.per_s = (double)n / ((double)(thread_ns() - start) / 1e9);
    r.longest_us = (double)longest / 1e3;
    r.seconds = (double)(os_monotonic_ns() - wall) / 1e9;
    r.preserved_mb = (double)f.preserved_pages * MM_PAGE_BYTES / 1e6;
    r.peak_mb = (double)f.peak_bytes / 1e6;
    return r;
}

static struct window
with_save(enum workload w, double *ret_stall_us)
{
    struct save_cut *cut = save_cut_new();
    struct snapshot_request rq = {.ops = &save_snapshot_ops,
                                  .cut = cut,
                                  .path = "bench-dump.rdb",
                                  .rdb_version = 10,
                                  .checksum = true,
                                  .keys_total = db_total_keys(),
                                  .writeout_bytes = 4 << 20};
    struct snapshot_status s;
    struct window r;

    must(snapshot_begin(&rq) == 0);
    snapshot_status(&s);
    *ret_stall_us = (double)s.begin_cost_ns / 1e3;
    r = turns(w, 0, true);
    save_cut_free(cut);
    return r;
}

static struct window
with_plain_reader(enum workload w, double seconds)
{
    pthread_t t;
    struct window r;

    stop_reader = false;
    must(pthread_create(&t, NULL, plain_reader, NULL) == 0);
    r = turns(w, seconds, false);
    stop_reader = true;
    pthread_join(t, NULL);
    return r;
}

static void
run(enum workload w, int rounds)
{
    double v[8][64];

    for (int i = 0; i < rounds; i++) {
        struct window save = with_save(w, &v[7][i]), plain = with_plain_reader(w, save.seconds);

        v[0][i] = save.per_s / plain.per_s;
        v[1][i] = save.per_s / 1e3;
        v[2][i] = save.seconds;
        v[3][i] = save.longest_us;
        v[4][i] = plain.longest_us;
        v[5][i] = save.preserved_mb;
        v[6][i] = save.peak_mb;
    }
    printf("%-9s %9.3f %12.0f %9.2f %10.0f %10.0f %12.1f %9.1f %9.1f\n", names[w],
           median(v[0], rounds), median(v[1], rounds), median(v[2], rounds), median(v[3], rounds),
           median(v[4], rounds), median(v[5], rounds), median(v[6], rounds), median(v[7], rounds));
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 5;

    if (argc > 1)
        keys = strtoul(argv[1], NULL, 10);
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (char)next_random();
    printf(
        "%lu keys; %d counters; a hash of %d fields; a string of 512 MB; medians of %d rounds, alternating\n",
        keys, COUNTERS, FIELDS, rounds);
    printf("%-9s %9s %12s %9s %10s %10s %12s %9s %9s\n", "command", "ratio to", "thousand/s",
           "save", "longest", "turn us", "preserved", "peak", "stall");
    printf("%-9s %9s %12s %9s %10s %10s %12s %9s %9s\n", "", "reader", "in save", "s", "save",
           "reader", "MB in all", "MB", "us");
    for (enum workload w = SET; w < WORKLOADS; w++) {
        must(mm_init(&(struct mm_options){0}) == 0);
        modules_init();
        must(config_init() == 0);
        auth_init();
        clock_refresh();
        limits_init();
        must(db_init(16) == 0 && snapshot_start() == 0);
        client = client_new_detached();
        client->db = db_select(0);
        fill(w);
        run(w, rounds);
        client_free(client);
        snapshot_stop();
        db_fini();
        config_fini();
        mm_fini();
    }
    unlink("bench-dump.rdb");
    return 0;
}
