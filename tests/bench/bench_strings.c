/* tests/bench/bench_strings.c - what it costs to write strings as RDB, one by one, on one core.
 *
 *   bench_strings [megabytes of each kind]
 *
 * Each row is a kind of value and its length: MB of values a second by thread CPU time, without
 * compression and with LZF, and what LZF makes of them: bytes written for a byte of value.  The
 * bytes go nowhere.  Best of five rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/rdb/rdb_enc.h"
#include "tests/bench/measure.h"

enum { ROUNDS = 5 };

static const char *const words[] = {"snapshot", "the",    "of",       "page",  "writer", "a",
                                    "and",      "waits",  "nobody",   "key",   "value",  "each",
                                    "server",   "memory", "is",       "there", "until",  "which",
                                    "bytes",    "for",    "barrier",  "at",    "image",  "once",
                                    "thread",   "not",    "compress", "file",  "with",   "one"};
enum { WORDS = sizeof words / sizeof *words };

/* fill_random: bytes that nothing makes smaller. */
static void
fill_random(char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (char)(next_random() >> 32);
}

/* fill_text: words of a vocabulary, in no order. */
static void
fill_text(char *p, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *word = words[next_random() % WORDS];
        size_t n = strlen(word);

        for (size_t i = 0; i <= n && at < len; i++)
            p[at++] = i < n ? word[i] : ' ';
    }
}

/* fill_json: objects of the same fields with other values. */
static void
fill_json(char *p, size_t len)
{
    for (size_t at = 0; at < len;) {
        char one[160];
        size_t n = (size_t)snprintf(
            one, sizeof one, "{\"id\":%u,\"user\":\"u%u\",\"mail\":\"u%u@example.com\",\"ok\":%s}",
            (unsigned)(next_random() % 1000000), (unsigned)(next_random() % 10000),
            (unsigned)(next_random() % 10000), next_random() % 2 ? "true" : "false");

        if (n > len - at)
            n = len - at;
        memcpy(p + at, one, n);
        at += n;
    }
}

/* fill_base64: random letters and digits. */
static void
fill_base64(char *p, size_t len)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < len; i++)
        p[i] = set[next_random() >> 32 & 63];
}

/* fill_hex: random digits: half a byte each, but LZF finds nothing twice. */
static void
fill_hex(char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = "0123456789abcdef"[next_random() >> 32 & 15];
}

/* fill_mixed: every other value random, the rest text. */
static void
fill_mixed(char *p, size_t len)
{
    static unsigned turn;

    if (turn++ % 2 == 0)
        fill_random(p, len);
    else
        fill_text(p, len);
}

static const struct {
    const char *name;
    void (*fill)(char *p, size_t len);
} kinds[] = {{"random", fill_random}, {"base64", fill_base64}, {"hex", fill_hex},
             {"text", fill_text},     {"json", fill_json},     {"mixed", fill_mixed}};
static const size_t lens[] = {30, 100, 1000, 10000, 100000};

static int
drop(struct sink *s, const void *bytes, size_t len)
{
    (void)s;
    (void)bytes;
    (void)len;
    return 0;
}

static const struct sink_ops nowhere = {.write = drop};

/* rate: MB of values a second, best of the rounds. */
static double
rate(const char *values, size_t count, size_t len, bool compress, double *ret_ratio)
{
    static uint8_t buffer[SINK_BUFFER_BYTES];
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct sink out = {.ops = &nowhere, .buf = buffer, .capacity_bytes = sizeof buffer};
        int64_t start;
        struct rdb_enc e;
        double speed;

        if (rdb_enc_init(&e, &out, 10, compress) < 0)
            exit(1);
        start = thread_ns();
        for (size_t i = 0; i < count; i++)
            rdb_put_string(&e, values + i * len, len);
        sink_flush(&out);
        speed = (double)(count * len) / (double)(thread_ns() - start) * 1e3;
        best = speed > best ? speed : best;
        *ret_ratio = (double)out.put_bytes / (double)(count * len);
        rdb_enc_fini(&e);
    }
    return best;
}

int
main(int argc, char **argv)
{
    size_t bytes = (size_t)(argc > 1 ? atoi(argv[1]) : 32) << 20;
    char *values = malloc(bytes);

    if (values == NULL)
        return 1;
    printf(
        "| values | bytes | plain, MB/s | LZF, MB/s | LZF, bytes a byte |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t l = 0; l < sizeof lens / sizeof *lens; l++) {
            size_t count = bytes / lens[l];
            double plain, lzf, ratio;

            for (size_t i = 0; i < count; i++)
                kinds[k].fill(values + i * lens[l], lens[l]);
            plain = rate(values, count, lens[l], false, &ratio);
            lzf = rate(values, count, lens[l], true, &ratio);
            printf("| %s | %zu | %.0f | %.0f | %.3f |\n", kinds[k].name, lens[l], plain, lzf,
                   ratio);
        }
    free(values);
    return 0;
}
