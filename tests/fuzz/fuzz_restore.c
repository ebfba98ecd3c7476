/* tests/fuzz/fuzz_restore.c - RESTORE against payloads that mean harm, and commands on what it
 * took.
 *
 *   build/fuzz/tests/fuzz/fuzz_restore -seeds DIRECTORY
 *                         writes payloads of every type and form, to begin with
 *
 * Input: a byte that chooses the commands, then the payload's type byte and value; version and
 * checksum are added here, so that no input is refused for them.
 *
 * Properties: a refusal is one of RESTORE's errors, and leaves nothing behind.  What is taken obeys
 * its structure's rules; what DUMP says of it is taken again and has the same digest, and so has a
 * COPY; commands of its type keep the rules; when all keys are gone, nothing is left in the
 * arena. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/data/db/record.h"
#include "server/data/db/type.h"
#include "tests/support/talk.h"

enum { FOOTER_BYTES = 10, RDB_VERSION = 10, COMMANDS = 12, LINE_BYTES = 160 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
const char *__asan_default_options(void);

/* What only the arena points to is not seen; its bytes are counted instead. */
const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* ---- payloads ---- */

/* with_footer: the payload of a type byte and value. */
static char *
with_footer(const uint8_t *body, size_t len)
{
    char *p = malloc(len + FOOTER_BYTES);
    uint64_t crc;

    must(p != NULL);
    memcpy(p, body, len);
    p[len] = RDB_VERSION;
    p[len + 1] = 0;
    crc = crc64(0, p, len + 2);
    for (int i = 0; i < 8; i++)
        p[len + 2 + (size_t)i] = (char)(crc >> (8 * i));
    return p;
}

static const char *
restore(const char *key, const char *payload, size_t len)
{
    struct slice argv[] = {SLICE("restore"),
                           {.ptr = key, .len = strlen(key)},
                           SLICE("0"),
                           {.ptr = payload, .len = len}};

    return talk_words(4, argv);
}

/* dump: what DUMP says; free() it. */
static char *
dump(const char *key, size_t *ret_len)
{
    const char *reply = talk("dump %s", key), *line = strchr(reply, '\n');
    char *bytes;

    must(reply[0] == '$' && line != NULL);
    *ret_len = (size_t)strtoul(reply + 1, NULL, 10);
    must((size_t)(line + 1 - reply) + *ret_len + 2 == talk_reply_len());
    must((bytes = malloc(*ret_len)) != NULL);
    memcpy(bytes, line + 1, *ret_len);
    return bytes;
}

/* ---- commands on what was taken ---- */

/* %d is a small number, %w a short word. */
static const char *const list_lines[] = {"lrange k 0 -1",
                                         "lpush k %w %w",
                                         "rpush k %d",
                                         "lpop k %d",
                                         "rpop k",
                                         "lset k %d %w",
                                         "linsert k after %w %d",
                                         "lrem k %d %w",
                                         "ltrim k %d -%d",
                                         "lpos k %w rank -1",
                                         "lmove k k left right",
                                         "lindex k -%d"};
static const char *const set_lines[] = {
    "smembers k", "sadd k %w %d",      "srem k %w %d",      "spop k %d",  "smove k j %w",
    "sscan k %d", "srandmember k -%d", "sunionstore j k k", "sinter k j", "sdiffstore k k j"};
static const char *const hash_lines[] = {"hgetall k",
                                         "hset k %w %d %d %w",
                                         "hdel k %w %d",
                                         "hincrby k %w %d",
                                         "hincrbyfloat k %d 1.5",
                                         "hscan k %d count 3",
                                         "hrandfield k -%d withvalues",
                                         "hsetnx k %w %w",
                                         "hstrlen k %w"};
static const char *const timed_hash_lines[] = {"hgetall k",
                                               "hset k %w %d",
                                               "hpexpire k %d fields 1 %w",
                                               "hpexpireat k 9999999999%d lt fields 2 %w %w",
                                               "hpersist k fields 1 %w",
                                               "hsetex k px %d fields 1 %w %w",
                                               "hgetex k ex %d fields 1 %w",
                                               "hgetdel k fields 2 %w %w",
                                               "hpexpiretime k fields 1 %w",
                                               "hdel k %w",
                                               "hincrby k %w %d",
                                               "hrandfield k -%d",
                                               "hscan k %d",
                                               "copy k j replace"};
static const char *const zset_lines[] = {"zrange k 0 -1 withscores",
                                         "zadd k %d %w %d %w",
                                         "zadd k -inf %w",
                                         "zincrby k %d %w",
                                         "zrem k %w",
                                         "zpopmin k %d",
                                         "zpopmax k",
                                         "zremrangebyrank k %d %d",
                                         "zrangebyscore k -inf (%d",
                                         "zrevrange k 0 %d",
                                         "zrank k %w",
                                         "zremrangebylex k - [%w",
                                         "zunionstore j 2 k j",
                                         "zscan k %d"};
static const char *const stream_lines[] = {"xrange k - +",
                                           "xadd k * f %w",
                                           "xadd k maxlen ~ %d * %w %w",
                                           "xdel k %d-%d",
                                           "xtrim k maxlen %d",
                                           "xinfo stream k full",
                                           "xgroup create k %w %d mkstream",
                                           "xreadgroup group %w c count %d streams k >",
                                           "xautoclaim k %w c 0 - count %d",
                                           "xack k %w %d-%d",
                                           "xgroup destroy k %w",
                                           "xsetid k %d-%d",
                                           "xrevrange k + - count %d"};
static const char *const string_lines[] = {
    "get k",         "append k %w",       "setrange k %d %w",
    "incr k",        "getrange k %d -%d", "setbit k %d 1",
    "pfadd k %w %d", "pfcount k",         "pfmerge k k",
    "bitcount k",    "incrbyfloat k %d",  "bitfield k incrby u5 %d 3"};

static const struct {
    const char *const *at;
    size_t count;
} lines_of[] = {
#define LINES(a)                                                                                   \
    {                                                                                              \
        a, sizeof a / sizeof *a                                                                    \
    }
    [TYPE_STRING] = LINES(string_lines),
    [TYPE_LIST] = LINES(list_lines),
    [TYPE_SET] = LINES(set_lines),
    [TYPE_HASH] = LINES(hash_lines),
    [TYPE_ZSET] = LINES(zset_lines),
    [TYPE_STREAM] = LINES(stream_lines),
    [TYPE_TIMED_HASH] = LINES(timed_hash_lines)};
_Static_assert(sizeof lines_of / sizeof *lines_of == TYPE_COUNT, "a type without commands");

static uint32_t
next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* fill_in: the line with its numbers and words. */
static void
fill_in(const char *line, uint32_t *draws, char ret[LINE_BYTES])
{
    size_t n = 0;

    for (; *line != '\0'; line++) {
        uint32_t draw;

        must(n + 16 < LINE_BYTES);
        if (*line != '%') {
            ret[n++] = *line;
            continue;
        }
        draw = next(draws);
        if (*++line == 'd')
            n += (size_t)sprintf(ret + n, "%u", draw % 7 == 0 ? draw % 5000 : draw % 8);
        else
            n += (size_t)sprintf(ret + n, "%c%.*s", 'a' + (int)(draw % 5), (int)(draw / 5 % 4),
                                 "bcd");
    }
    ret[n] = '\0';
}

static void
verify(const char *key)
{
    const struct record *r = talk_record(key);

    if (r != NULL && record_encoding(r) == ENC_ROOT)
        type_of(record_type(r))->verify(record_root(r));
}

static void
use(unsigned char choice)
{
    uint32_t draws = choice;

    for (int i = 0; i < COMMANDS; i++) {
        const struct record *r = talk_record("k");
        char line[LINE_BYTES];
        enum value_type t;

        if (r == NULL)
            return;
        t = record_type(r);
        fill_in(lines_of[t].at[next(&draws) % lines_of[t].count], &draws, line);
        (void)talk("%s", line);
        verify("k");
        verify("j");
    }
}

/* ---- the properties ---- */

/* digest_of: free() it. */
static char *
digest_of(const char *key)
{
    char *digest = strdup(talk("debug digest-value %s", key));

    must(digest != NULL && digest[0] == '*');
    return digest;
}

static void
check_digest(const char *key, const char *want)
{
    must(strcmp(talk("debug digest-value %s", key), want) == 0);
}

static void
check_taken(unsigned char choice)
{
    char *again, *digest;
    size_t len;

    verify("k");
    digest = digest_of("k");
    again = dump("k", &len);
    must(strcmp(restore("copy-of-dump", again, len), "+OK\r\n") == 0);
    free(again);
    verify("copy-of-dump");
    check_digest("copy-of-dump", digest);
    must(strcmp(talk("copy k j"), ":1\r\n") == 0);
    verify("j");
    check_digest("j", digest);
    (void)talk("object encoding k");
    (void)talk("memory usage k samples 0");
    use(choice);
    check_digest("copy-of-dump", digest);
    free(digest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *reply;
    char *payload;

    if (size < 2)
        return 0;
    payload = with_footer(data + 1, size - 1);
    reply = restore("k", payload, size - 1 + FOOTER_BYTES);
    free(payload);
    must(strcmp(reply, "+OK\r\n") == 0 || strncmp(reply, "-ERR Bad data format", 20) == 0 ||
         strncmp(reply, "-OOM", 4) == 0);
    if (reply[0] == '+' && talk_record("k") != NULL)
        check_taken(data[0]);
    (void)talk("flushall");
    talk_finish_work();
    must(talk_live_bytes() == 0);
    return 0;
}

/* ---- seeds ---- */

static const char *const seed_lines[] = {
    "set k short",
    "set k 12345",
    "set k -70000",
    "set k 5000000000",
    "set k @300*y",
    "setbit k 900 1",
    "pfadd k a b c d",
    "rpush k a b 3 -400 70000",
    "rpush k @200*a @200*b @70*c",
    "sadd k 1 2 3",
    "sadd k 1 70000 5000000000",
    "sadd k a b 3",
    "hset k a 1 b two 3 @80*c",
    "hset k a 1 b two 3 c;hexpireat k 9999999999 fields 2 a 3",
    "zadd k 1 a 2.5 b -inf c inf d",
    "zadd k 1e300 @70*a 0.1 b",
    "xadd k 1-1 f v g w;xadd k 5-0 h x;xgroup create k g 0;xreadgroup group g c streams k >",
    "xadd k 1-1 f v;xdel k 1-1;xgroup create k g $",
};

static void
write_seed(const char *directory, const char *name, int number)
{
    char path[4096];
    size_t len;
    char *bytes = dump("k", &len);
    FILE *f;

    must(snprintf(path, sizeof path, "%s/%s-%d", directory, name, number) < (int)sizeof path);
    must((f = fopen(path, "wb")) != NULL);
    must(strcmp(restore("j", bytes, len), "+OK\r\n") == 0);
    must(fputc(number, f) != EOF);
    must(fwrite(bytes, 1, len - FOOTER_BYTES, f) == len - FOOTER_BYTES);
    must(fclose(f) == 0);
    free(bytes);
}

static void
run_lines(const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, ";");

        must(talk("%.*s", (int)len, lines)[0] != '-');
        lines += len + (lines[len] == ';');
    }
}

/* write_seeds: blobs, then structures, by thresholds of one element. */
static void
write_seeds(const char *directory)
{
    static const char *const small[] = {
        "list-max-listpack-size 2",    "set-max-listpack-entries 1",  "set-max-intset-entries 1",
        "hash-max-listpack-entries 1", "zset-max-listpack-entries 1", "stream-node-max-entries 2"};

    for (int large = 0; large < 2; large++) {
        for (size_t i = 0; large == 1 && i < sizeof small / sizeof *small; i++)
            must(talk("config set %s", small[i])[0] == '+');
        for (size_t i = 0; i < sizeof seed_lines / sizeof *seed_lines; i++) {
            run_lines(seed_lines[i]);
            write_seed(directory, large ? "large" : "small", (int)i);
            (void)talk("flushall");
            talk_finish_work();
        }
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    talk_open();
    if (*argc == 3 && strcmp((*argv)[1], "-seeds") == 0) {
        write_seeds((*argv)[2]);
        exit(EXIT_SUCCESS);
    }
    return 0;
}
