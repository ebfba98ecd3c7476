/* tests/bench/bench_rdb.c - the files that tests/bench/rdb.py measures stillframe-rdb with.
 *
 *   bench_rdb KIND MEGABYTES FILE
 *
 * KIND: strings (of 100 bytes), changed (the same, of which one in a hundred has another value, and
 * one in a thousand is missing or new), mixed (all types, small), hash (one of all that size),
 * texts (compressed by LZF). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"

enum { VALUE_BYTES = 100, TEXT_BYTES = 1000, ELEMENTS = 10 };

static struct rdb_enc enc;
static struct sink *out;

/* noise: printable, of that seed. */
static const char *
noise(uint64_t seed, size_t len)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    static char text[TEXT_BYTES];
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

    for (size_t i = 0; i < len; i++) {
        if (i % 10 == 0) {
            x ^= x >> 31;
            x *= 0xbf58476d1ce4e5b9u;
            x ^= x >> 27;
        }
        text[i] = digits[x >> (i % 10 * 6) & 63];
    }
    return text;
}

static void
put_name(uint8_t type, const char *prefix, uint64_t n)
{
    char name[64];
    int len = snprintf(name, sizeof name, "%s:%llu", prefix, (unsigned long long)n);

    rdb_put_byte(&enc, type);
    rdb_put_string(&enc, name, (size_t)len);
}

static uint64_t
written(void)
{
    return out->put_bytes + out->fill;
}

static void
put_strings(uint64_t bytes, bool are_changed)
{
    for (uint64_t n = 0; written() < bytes; n++) {
        uint64_t seed = are_changed && n % 100 == 7 ? n + (1ull << 40) : n;

        put_name(RDB_TYPE_STRING, are_changed && n % 1000 == 13 ? "new" : "user", n);
        rdb_put_string(&enc, noise(seed, VALUE_BYTES), VALUE_BYTES);
    }
}

/* put_texts: words that come again, and some that do not: what LZF is for. */
static void
put_texts(uint64_t bytes)
{
    for (uint64_t n = 0; written() < bytes; n++) {
        char text[TEXT_BYTES];

        for (size_t at = 0; at < sizeof text; at += 10)
            memcpy(text + at, noise(at % 40 == 0 ? n * TEXT_BYTES + at : (n + at) * 31 % 40, 10),
                   10);
        put_name(RDB_TYPE_STRING, "text", n);
        rdb_put_string(&enc, text, sizeof text);
    }
}

static void
put_hash(uint64_t bytes)
{
    uint64_t fields = bytes / 120;

    put_name(RDB_TYPE_HASH, "huge", 1);
    rdb_put_len(&enc, fields);
    for (uint64_t n = 0; n < fields; n++) {
        char name[32];
        int len = snprintf(name, sizeof name, "field:%llu", (unsigned long long)n);

        rdb_put_string(&enc, name, (size_t)len);
        rdb_put_string(&enc, noise(n, VALUE_BYTES), VALUE_BYTES);
    }
}

/* ---- mixed ---- */

static uint8_t lp[65536];

static void
append_number(const char *prefix, uint64_t n)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%s%llu", prefix, (unsigned long long)n);

    lp_append(lp, text, (size_t)len);
}

static void
put_pairs(uint64_t n, uint8_t type)
{
    lp_init(lp);
    for (unsigned i = 0; i < ELEMENTS; i++) {
        append_number("field", i);
        if (type == RDB_TYPE_ZSET_LISTPACK)
            append_number("", n % 1000 + i);
        else
            lp_append(lp, noise(n + i, 20), 20);
    }
    put_name(type, type == RDB_TYPE_HASH_LISTPACK ? "session" : "ranking", n);
    rdb_put_blob(&enc, lp, lp_bytes(lp));
}

static void
put_list(uint64_t n)
{
    lp_init(lp);
    for (unsigned i = 0; i < ELEMENTS; i++)
        lp_append(lp, noise(n + i, 30), 30);
    put_name(RDB_TYPE_LIST_QUICKLIST_2, "queue", n);
    rdb_put_len(&enc, 1);
    rdb_put_len(&enc, RDB_QUICKLIST_PACKED);
    rdb_put_blob(&enc, lp, lp_bytes(lp));
}

static void
put_intset(uint64_t n)
{
    intset_init(lp);
    for (unsigned i = 0; i < ELEMENTS; i++)
        intset_add(lp, (int64_t)(n + i * 1000));
    put_name(RDB_TYPE_SET_INTSET, "friends", n);
    rdb_put_blob(&enc, lp, INTSET_HEADER_BYTES + ELEMENTS * (size_t)intset_word(lp));
}

static void
put_set(uint64_t n)
{
    put_name(RDB_TYPE_SET, "tags", n);
    rdb_put_len(&enc, ELEMENTS);
    for (unsigned i = 0; i < ELEMENTS; i++)
        rdb_put_string(&enc, noise(n + i, 16), 16);
}

static void
put_mixed(uint64_t bytes)
{
    for (uint64_t n = 0; written() < bytes; n++) {
        if (n % 5 == 0)
            rdb_put_expire_ms(&enc, 4102444800000 + (int64_t)n);
        switch (n % 8) {
        case 0:
            put_pairs(n, RDB_TYPE_HASH_LISTPACK);
            break;
        case 1:
            put_pairs(n, RDB_TYPE_ZSET_LISTPACK);
            break;
        case 2:
            put_list(n);
            break;
        case 3:
            put_intset(n);
            break;
        case 4:
            put_set(n);
            break;
        case 5:
            put_name(RDB_TYPE_STRING, "counter", n);
            rdb_put_int_string(&enc, (int64_t)(n % 1000000));
            break;
        default:
            put_name(RDB_TYPE_STRING, "page", n);
            rdb_put_string(&enc, noise(n, 200), 200);
        }
    }
}

int
main(int argc, char **argv)
{
    struct sink_file_options o = {.path = argc == 4 ? argv[3] : NULL, .keeps_cache = true};
    uint64_t bytes = argc == 4 ? strtoull(argv[2], NULL, 10) << 20 : 0;

    if (bytes == 0) {
        fputs("usage: bench_rdb strings|changed|mixed|hash|texts MEGABYTES FILE\n", stderr);
        return 2;
    }
    must(sink_file_open(&o, &out) == 0);
    out->with_crc = true;
    must(rdb_enc_init(&enc, out, RDB_VERSION_DEFAULT, strcmp(argv[1], "texts") == 0) == 0);
    rdb_put_magic(&enc);
    rdb_put_aux(&enc, "redis-ver", "7.0.15");
    rdb_put_aux_int(&enc, "ctime", 1700000000);
    rdb_put_selectdb(&enc, 0);
    if (strcmp(argv[1], "strings") == 0)
        put_strings(bytes, false);
    else if (strcmp(argv[1], "changed") == 0)
        put_strings(bytes, true);
    else if (strcmp(argv[1], "mixed") == 0)
        put_mixed(bytes);
    else if (strcmp(argv[1], "hash") == 0)
        put_hash(bytes);
    else if (strcmp(argv[1], "texts") == 0)
        put_texts(bytes);
    else
        never("no such kind");
    rdb_put_eof(&enc);
    must(sink_commit(out) == 0);
    rdb_enc_fini(&enc);
    sink_close(out);
    return 0;
}
