/* tests/bench/bench_keyspace.c - what the keyspace costs: time and memory per key, without sockets.
 *
 *   bench_keyspace [keys] [get|set|none]
 *
 * Every key is set, read at random, missed, overwritten at random and deleted, through db_lookup()
 * and db_store(); times are the whole operation's, with and without db_prefetch() of a batch of 16.
 * With get or set, only that is repeated, through exec_words(): for counting instructions
 * (valgrind --tool=callgrind --toggle-collect=execute_many). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/os.h"
#include "server/config/config.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/value.h"
#include "server/exec/auth.h"
#include "server/exec/exec.h"
#include "server/limits.h"
#include "server/modules.h"
#include "server/net/client.h"

enum { BATCH = 16, VALUE_BYTES = 100 };

static unsigned long keys = 2000000;
static struct db *db;
static char value[VALUE_BYTES];
static uint64_t seed = 88172645463325252ULL;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct slice
key_of(unsigned long n, char buf[32])
{
    return (struct slice){.ptr = buf, .len = (size_t)snprintf(buf, 32, "key:%012lu", n)};
}

static void
report(const char *what, int64_t begin_ns, unsigned long n)
{
    printf("%-28s %7.1f ns\n", what, (double)(os_monotonic_ns() - begin_ns) / (double)n);
}

static void
store(struct slice key)
{
    struct db_ref ref;
    struct value v;

    db_lookup(db, key, DB_WRITE, &ref);
    must(value_string(&v, (struct slice){value, sizeof value}, key.len) == 0);
    must(db_store(&ref, &v, RECORD_NO_EXPIRE) == 0);
}

/* read_many: n random keys out of [0, range), 16 at a time. */
static void
read_many(const char *what, unsigned long n, unsigned long first, bool prefetch)
{
    int64_t begin = os_monotonic_ns();
    unsigned long found = 0;

    for (unsigned long i = 0; i < n; i += BATCH) {
        char text[BATCH][32];
        struct slice batch[BATCH];

        for (int k = 0; k < BATCH; k++)
            batch[k] = key_of(first + next_random() % keys, text[k]);
        if (prefetch)
            db_prefetch(db, batch, BATCH);
        for (int k = 0; k < BATCH; k++)
            found += db_find_read(db, batch[k]) != NULL;
    }
    report(what, begin, n);
    must(found == (first == 0 ? (n + BATCH - 1) / BATCH * BATCH : 0));
}

static void
print_memory(void)
{
    struct mm_figures f;

    mm_figures(&f);
    printf("%-28s %7.1f bytes a key (overflow: %.1f %% of the buckets)\n", "hash table",
           (double)(db->keys.buckets + db->keys.children) * sizeof(struct lt_bucket) / (double)keys,
           100.0 * (double)db->keys.children / (double)db->keys.buckets);
    printf("%-28s %7.1f bytes a key\n", "records", (double)f.record_bytes / (double)keys);
}

__attribute__((noinline)) static void
execute_many(struct client *c, const char *name, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++) {
        char text[32];
        struct slice argv[3] = {
            {name, 3}, key_of(next_random() % keys, text), {value, sizeof value}};

        c->out_len = c->out_sent = 0;
        exec_words(c, strcmp(name, "get") == 0 ? 2 : 3, argv);
    }
}

static void
measure(void)
{
    unsigned long n = keys < 1000000 ? 1000000 : keys;
    int64_t begin = os_monotonic_ns();
    char text[32];

    for (unsigned long i = 0; i < keys; i++)
        store(key_of(i, text));
    report("insert", begin, keys);
    print_memory();
    begin = os_monotonic_ns();
    for (unsigned long i = 0; i < n; i++)
        (void)key_of(next_random() % keys, text);
    report("(making a key's name)", begin, n);
    read_many("find", n, 0, false);
    read_many("find, prefetched", n, 0, true);
    read_many("miss", n, keys, false);
    begin = os_monotonic_ns();
    for (unsigned long i = 0; i < n; i++)
        store(key_of(next_random() % keys, text));
    report("overwrite", begin, n);
    begin = os_monotonic_ns();
    for (unsigned long i = 0; i < keys; i++)
        must(db_delete(db, key_of(i, text)));
    report("delete", begin, keys);
    printf("%-28s %7zu bytes\n", "hash table when empty", db_table_bytes());
}

int
main(int argc, char **argv)
{
    struct client *c;

    if (argc > 1)
        keys = strtoul(argv[1], NULL, 10);
    must(mm_init(&(struct mm_options){.arena_bytes = 0}) == 0);
    must(config_init() == 0);
    auth_init();
    modules_init();
    clock_refresh();
    limits_init();
    must(db_init(1) == 0);
    db = db_select(0);
    memset(value, 'x', sizeof value);
    if (argc > 2 && strcmp(argv[2], "none") != 0) {
        c = client_new_detached();
        must(c != NULL);
        execute_many(c, "set", keys);
        execute_many(c, argv[2], 100000);
        client_free(c);
    } else {
        measure();
    }
    db_fini();
    config_fini();
    mm_fini();
    return 0;
}
