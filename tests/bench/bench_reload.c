/* tests/bench/bench_reload.c - how fast a dump is loaded, without sockets.
 *
 *   bench_reload make KIND COUNT FILE    a dump of COUNT keys of this kind, or of one huge key
 *   bench_reload load FILE               load it once, into a fresh process
 *
 * Kinds: strings, texts (compressed), kilobytes, integers, hashes, sets, intsets, zsets, lists
 * (small values of ten elements); hash, set, zset, list (one huge key).  `load` prints one line:
 *
 *   keys seconds cpu_seconds faults bytes
 *
 * cpu_seconds: of all threads, page faults included.  For counting instructions:
 * valgrind --tool=callgrind --toggle-collect=rdb_decode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/load.h"
#include "server/exec/auth.h"
#include "server/limits.h"
#include "server/modules.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/bench/measure.h"

enum { SMALL = 10, NAME_BYTES = 32, VALUE_BYTES = 100, LARGE_BYTES = 1024, NODE_ELEMENTS = 64 };

static struct rdb_enc enc;
static uint8_t blob[65536];

static const void *
noise(size_t len)
{
    static uint64_t bytes[LARGE_BYTES / 8];

    for (size_t i = 0; i < (len + 7) / 8; i++)
        bytes[i] = next_random();
    return bytes;
}

static void
put_name(const char *format, unsigned long n)
{
    char text[NAME_BYTES];
    int len = snprintf(text, sizeof text, format, n);

    rdb_put_string(&enc, text, (size_t)len);
}

static void
put_key(uint8_t type, unsigned long n)
{
    rdb_put_byte(&enc, type);
    put_name("key:%012lu", n);
}

/* ---- small values ---- */

static void
make_string(unsigned long n)
{
    put_key(RDB_TYPE_STRING, n);
    rdb_put_string(&enc, noise(VALUE_BYTES), VALUE_BYTES);
}

/* make_text: compressed by LZF, to about a third. */
static void
make_text(unsigned long n)
{
    char text[VALUE_BYTES * 2];
    int len = 0;

    put_key(RDB_TYPE_STRING, n);
    while (len < VALUE_BYTES * 2 - NAME_BYTES)
        len += snprintf(text + len, NAME_BYTES, "{\"id\":%lu,\"name\":\"user\"}",
                        n * 10 + (unsigned long)len);
    enc.compress = true;
    rdb_put_string(&enc, text, (size_t)len);
    enc.compress = false;
}

static void
make_kilobyte(unsigned long n)
{
    put_key(RDB_TYPE_STRING, n);
    rdb_put_string(&enc, noise(LARGE_BYTES), LARGE_BYTES);
}

static void
make_integer(unsigned long n)
{
    put_key(RDB_TYPE_STRING, n);
    rdb_put_int_string(&enc, (int64_t)(next_random() >> 34));
}

/* lp_words: a listpack of so many texts, each followed by a value, perhaps. */
static uint32_t
lp_words(unsigned words, const char *format, const char *value_format)
{
    char text[NAME_BYTES];
    uint32_t len = lp_init(blob);

    for (unsigned i = 0; i < words; i++) {
        len = lp_append(blob, text, (size_t)snprintf(text, sizeof text, format, i));
        if (value_format != NULL)
            len = lp_append(
                blob, text,
                (size_t)snprintf(text, sizeof text, value_format,
                                 i * 1000000 + (unsigned)(next_random() >> 44) % 1000000));
    }
    return len;
}

static void
make_hash(unsigned long n)
{
    put_key(RDB_TYPE_HASH_LISTPACK, n);
    rdb_put_blob(&enc, blob, lp_words(SMALL, "field:%u", "value:%08u"));
}

static void
make_zset(unsigned long n)
{
    put_key(RDB_TYPE_ZSET_LISTPACK, n);
    rdb_put_blob(&enc, blob, lp_words(SMALL, "member:%u", "%u"));
}

static void
make_list(unsigned long n)
{
    put_key(RDB_TYPE_LIST_QUICKLIST_2, n);
    rdb_put_len(&enc, 1);
    rdb_put_len(&enc, RDB_QUICKLIST_PACKED);
    rdb_put_blob(&enc, blob, lp_words(SMALL, "element:%08u", NULL));
}

static void
make_set(unsigned long n)
{
    put_key(RDB_TYPE_SET, n);
    rdb_put_len(&enc, SMALL);
    for (unsigned long i = 0; i < SMALL; i++)
        put_name("member:%08lu", n + i);
}

static void
make_intset(unsigned long n)
{
    uint32_t len = intset_init(blob);

    put_key(RDB_TYPE_SET_INTSET, n);
    for (int i = 0; i < SMALL; i++)
        len = intset_add(blob, (int64_t)(n * 100 + (unsigned long)i * 7));
    rdb_put_blob(&enc, blob, len);
}

/* ---- huge ones ---- */

static void
make_huge_hash(unsigned long n)
{
    put_key(RDB_TYPE_HASH, 0);
    rdb_put_len(&enc, n);
    for (unsigned long i = 0; i < n; i++) {
        put_name("field:%010lu", i);
        put_name("value:%010lu", i);
    }
}

static void
make_huge_set(unsigned long n)
{
    put_key(RDB_TYPE_SET, 0);
    rdb_put_len(&enc, n);
    for (unsigned long i = 0; i < n; i++)
        put_name("member:%010lu", i);
}

/* A sorted set is written from its highest member down, as Redis does it. */
static void
make_huge_zset(unsigned long n)
{
    put_key(RDB_TYPE_ZSET_2, 0);
    rdb_put_len(&enc, n);
    for (unsigned long i = n; i-- > 0;) {
        double score = (double)i;

        put_name("member:%010lu", i);
        sink_put(enc.out, &score, sizeof score);
    }
}

static void
make_huge_list(unsigned long n)
{
    put_key(RDB_TYPE_LIST_QUICKLIST_2, 0);
    rdb_put_len(&enc, (n + NODE_ELEMENTS - 1) / NODE_ELEMENTS);
    for (unsigned long i = 0; i < n; i += NODE_ELEMENTS) {
        unsigned words = n - i < NODE_ELEMENTS ? (unsigned)(n - i) : NODE_ELEMENTS;

        rdb_put_len(&enc, RDB_QUICKLIST_PACKED);
        rdb_put_blob(&enc, blob, lp_words(words, "element:%08u", NULL));
    }
}

static const struct kind {
    const char *name;
    void (*make)(unsigned long n); /* key number n; of a huge one: n elements */
    bool is_huge;
} kinds[] = {
    {"strings", make_string, false},     {"texts", make_text, false},
    {"kilobytes", make_kilobyte, false}, {"integers", make_integer, false},
    {"hashes", make_hash, false},        {"sets", make_set, false},
    {"intsets", make_intset, false},     {"zsets", make_zset, false},
    {"lists", make_list, false},         {"hash", make_huge_hash, true},
    {"set", make_huge_set, true},        {"zset", make_huge_zset, true},
    {"list", make_huge_list, true},
};

static int
make(const char *name, unsigned long count, const char *path)
{
    const struct kind *k = NULL;
    struct sink *out;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            k = &kinds[i];
    if (k == NULL || count == 0) {
        fprintf(stderr, "bench_reload: no kind '%s', or no count\n", name);
        return 2;
    }
    must(sink_file_open(&(struct sink_file_options){.path = path}, &out) == 0);
    out->with_crc = true;
    must(rdb_enc_init(&enc, out, RDB_VERSION_DEFAULT, false) == 0);
    rdb_put_magic(&enc);
    rdb_put_selectdb(&enc, 0);
    rdb_put_resizedb(&enc, k->is_huge ? 1 : count, 0);
    for (unsigned long n = 0; n < (k->is_huge ? 1 : count); n++)
        k->make(k->is_huge ? count : n);
    rdb_put_eof(&enc);
    rdb_enc_fini(&enc);
    must(sink_commit(out) == 0);
    sink_close(out);
    return 0;
}

/* ---- loading ---- */

static double
cpu_seconds(long *ret_faults)
{
    struct rusage u;

    must(getrusage(RUSAGE_SELF, &u) == 0);
    *ret_faults = u.ru_minflt + u.ru_majflt;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int
load(const char *path)
{
    struct load_state state;
    struct rdb_error err;
    struct rdb_source *src;
    long faults, before;
    double cpu = cpu_seconds(&before);
    int64_t begin = os_monotonic_ns();
    int r;

    load_init(&state);
    must(rdb_source_file(path, &src) == 0);
    state.size_bytes = rdb_source_size(src);
    db_state.loading = true;
    r = rdb_decode(src, load_events(), &state, true, &err);
    db_state.loading = false;
    if (r != 0) {
        fprintf(stderr, "bench_reload: %s: %s%s\n", path, state.error, err.text);
        return 1;
    }
    begin = os_monotonic_ns() - begin;
    cpu = cpu_seconds(&faults) - cpu;
    printf("%llu %.3f %.3f %ld %llu\n", (unsigned long long)state.keys_loaded, (double)begin / 1e9,
           cpu, faults - before, (unsigned long long)rdb_source_size(src));
    load_fini(&state);
    rdb_source_close(src);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        return make(argv[2], strtoul(argv[3], NULL, 10), argv[4]);
    if (argc != 3 || strcmp(argv[1], "load") != 0) {
        fprintf(stderr, "usage: bench_reload make KIND COUNT FILE | load FILE\n");
        return 2;
    }
    must(mm_init(&(struct mm_options){.arena_bytes = 0}) == 0);
    must(config_init() == 0);
    auth_init();
    modules_init();
    clock_refresh();
    limits_init();
    must(db_init(16) == 0);
    return load(argv[2]);
}
