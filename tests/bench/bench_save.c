/* tests/bench/bench_save.c - how fast a save makes its file, in process, nobody writing meanwhile.
 *
 *   bench_save [rounds] [keys]
 *
 * The file is in memory (/dev/shm, or $BENCH_DIR).  MB are of RDB, before a whole file is packed.
 * "MB/CPU s" counts the processor time of all threads of the save together: what one core does;
 * "MB/s" is by the clock, with the sweepers that stand beside it, and the writer on what core is
 * left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/os.h"
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

enum { VALUES = 1000, WORDS = 8, ROUNDS_MAX = 64 };
enum content { RANDOM, TEXT };

static const struct data {
    const char *name;
    enum content content;
    unsigned value_bytes;
    unsigned divide; /* keys: the number asked for, divided by this */
} datas[] = {
    {"random values of 100 B", RANDOM, 100, 1},
    {"text of 100 B", TEXT, 100, 1},
    {"random values of 1 KiB", RANDOM, 1024, 5},
    {"text of 1 KiB", TEXT, 1024, 5},
};

static const struct form {
    const char *name;
    enum rdb_compression compression;
} forms[] = {{"none", RDB_PLAIN}, {"LZF", RDB_LZF}, {"LZ4", RDB_LZ4}};

static struct client *client;
static char *values[VALUES];

static void
make_values(const struct data *d)
{
    static const char *const words[WORDS] = {"user:",  "name=",  "2026-11-29 ", "value ",
                                             "alpha ", "total=", "true ",       "https://"};

    for (int i = 0; i < VALUES; i++) {
        free(values[i]);
        values[i] = malloc(d->value_bytes + 64);
        for (size_t n = 0; n < d->value_bytes;)
            if (d->content == RANDOM)
                values[i][n++] = (char)(next_random() >> 32);
            else if (next_random() % 4 == 0)
                n += (size_t)sprintf(values[i] + n, "%u ", (unsigned)(next_random() >> 40));
            else
                n += (size_t)sprintf(values[i] + n, "%s", words[next_random() >> 61]);
    }
}

static void
fill(const struct data *d, unsigned long keys)
{
    char name[32];

    make_values(d);
    for (unsigned long i = 0; i < keys; i++) {
        struct slice key = {name, (size_t)snprintf(name, sizeof name, "key:%012lu", i)};
        struct slice v = {values[i * 7919 % VALUES], d->value_bytes};

        client->out_len = client->out_sent = 0;
        exec_words(client, 3, (struct slice[]){SLICE("SET"), key, v});
        must(client->out[0] == '+');
    }
}

static double
process_s(void)
{
    struct rusage u;

    must(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct result {
    double cpu_s, wall_s, raw_mb, file_mb;
};

static struct result
save_once(const struct form *f, unsigned threads, const char *path)
{
    struct save_cut *cut = save_cut_new();
    struct snapshot_request rq = {.ops = &save_snapshot_ops,
                                  .cut = cut,
                                  .path = path,
                                  .rdb_version = 10,
                                  .compression = f->compression,
                                  .checksum = true,
                                  .threads = threads,
                                  .keys_total = db_total_keys()};
    struct snapshot_end end;
    double cpu;

    (void)unlink(path); /* or the rename would wait until the old one's memory is free */
    cpu = process_s();
    must(snapshot_begin(&rq) == 0);
    while (!snapshot_poll(1 << 20, &end))
        snapshot_wait();
    must(end.error == 0);
    cpu = process_s() - cpu;
    save_cut_free(cut);
    return (struct result){cpu, (double)end.total_us / 1e6, (double)end.raw_bytes / 1e6,
                           (double)end.file_bytes / 1e6};
}

static void
measure(const struct data *d, const char *path, int rounds)
{
    enum { FORMS = sizeof forms / sizeof forms[0], THREADS = 2 };
    static double cpu[FORMS][THREADS][ROUNDS_MAX], wall[FORMS][THREADS][ROUNDS_MAX];
    struct result r[FORMS];

    for (int i = 0; i < rounds; i++) /* alternating */
        for (int f = 0; f < FORMS; f++)
            for (unsigned t = 0; t < THREADS; t++) {
                r[f] = save_once(&forms[f], t + 1, path);
                cpu[f][t][i] = r[f].raw_mb / r[f].cpu_s;
                wall[f][t][i] = r[f].raw_mb / r[f].wall_s;
            }
    for (int f = 0; f < FORMS; f++) {
        double one = median(wall[f][0], rounds), two = median(wall[f][1], rounds);

        printf("%-24s %-5s %9.0f %9.0f %9.0f %7.2f %9.0f %7.3f\n", d->name, forms[f].name,
               median(cpu[f][0], rounds), one, two, two / one, r[f].file_mb,
               r[f].file_mb / r[f].raw_mb);
    }
    fflush(stdout);
}

static void
start(void)
{
    must(mm_init(&(struct mm_options){0}) == 0);
    modules_init();
    must(config_init() == 0);
    auth_init();
    clock_refresh();
    limits_init();
    must(db_init(16) == 0 && snapshot_start() == 0);
    (void)snapshot_threads(2);
    client = client_new_detached();
    client->db = db_select(0);
}

static void
stop(void)
{
    client_free(client);
    snapshot_stop();
    db_fini();
    config_fini();
    mm_fini();
}

int
main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    unsigned long keys = argc > 2 ? strtoul(argv[2], NULL, 10) : 3000000;
    const char *dir = getenv("BENCH_DIR");
    char path[4096];

    rounds = rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds < 1 ? 1 : rounds;
    snprintf(path, sizeof path, "%s/bench-save.rdb", dir != NULL ? dir : "/dev/shm");
    printf("%lu keys of 100 B, or a fifth of 1 KiB; into %s; medians of %d rounds, alternating\n",
           keys, path, rounds);
    printf("%-24s %-5s %9s %9s %9s %7s %9s %7s\n", "", "form", "MB/CPU s", "MB/s, 1", "MB/s, 2",
           "2 / 1", "file MB", "ratio");
    for (size_t i = 0; i < sizeof datas / sizeof datas[0]; i++) {
        start();
        fill(&datas[i], keys / datas[i].divide);
        measure(&datas[i], path, rounds);
        stop();
    }
    unlink(path);
    return 0;
}
