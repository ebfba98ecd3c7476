/* tests/snapshot/test_rdb_dec_findings.c - what is wrong with a file and does not keep it from
 * being read: each is told, with its place and key, and what is handed on is right. */
#include <check.h>
#include <errno.h>

#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

static const struct {
    const char *file, *events;
} files[] = {
    /* collections without an element, in every form */
    {"'REDIS0003' 01 ['l'] 00 ff",
     "key 0 l type 1\nlist\nat 9 l: an empty list: left out\nlist end\n"},
    {"'REDIS0006' 0a ['l'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff zero",
     "key 0 l type 10\nlist\nat 9 l: an empty list: left out\nlist end\n"},
    {"'REDIS0007' 0e ['l'] 00 ff zero",
     "key 0 l type 14\nlist\nat 9 l: an empty list: left out\nlist end\n"},
    {"'REDIS0007' 0e ['l'] 01 [0b 00 00 00 0a 00 00 00 00 00 ff] ff zero",
     "key 0 l type 14\nlist\nat 13 l: a list's node without an element: left out\n"
     "at 9 l: an empty list: left out\nlist end\n"},
    {"'REDIS0010' 12 ['l'] 00 ff zero",
     "key 0 l type 18\nlist\nat 9 l: an empty list: left out\nlist end\n"},
    {"'REDIS0010' 12 ['l'] 02 02 [( 0 : )] 02 [( 0 : )] ff zero",
     "key 0 l type 18\nlist\nat 13 l: a list's node without an element: left out\n"
     "at 22 l: a list's node without an element: left out\nat 9 l: an empty list: left out\nlist end\n"},
    {"'REDIS0010' 12 ['l'] 02 02 [( 0 : )] 02 [( 1 : 05 01 )] ff zero",
     "key 0 l type 18\nlist\nat 13 l: a list's node without an element: left out\nlistpack 1 5\nlist end\n"},
    {"'REDIS0010' 02 ['s'] 00 ff zero", "key 0 s type 2\nat 9 s: an empty set: left out\n"},
    {"'REDIS0010' 0b ['s'] [02 00 00 00 00 00 00 00] ff zero",
     "key 0 s type 11\nat 9 s: an empty set: left out\n"},
    {"'REDIS0011' 14 ['s'] [( 0 : )] ff zero", "key 0 s type 20\nat 9 s: an empty set: left out\n"},
    {"'REDIS0010' 04 ['h'] 00 ff zero",
     "key 0 h type 4\nat 9 h: an empty hash: left out\nhash 0\n"},
    {"'REDIS0003' 09 ['h'] [00 ff] ff",
     "key 0 h type 9\nat 9 h: an empty hash: left out\nhash 0\n"},
    {"'REDIS0006' 0d ['h'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff zero",
     "key 0 h type 13\nat 9 h: an empty hash: left out\nhash 0\n"},
    {"'REDIS0010' 10 ['h'] [( 0 : )] ff zero",
     "key 0 h type 16\nat 9 h: an empty hash: left out\nlistpack 0\n"},
    {"'REDIS0003' 03 ['z'] 00 ff", "key 0 z type 3\nat 9 z: an empty sorted set: left out\n"},
    {"'REDIS0010' 05 ['z'] 00 ff zero", "key 0 z type 5\nat 9 z: an empty sorted set: left out\n"},
    {"'REDIS0006' 0c ['z'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff zero",
     "key 0 z type 12\nat 9 z: an empty sorted set: left out\n"},
    {"'REDIS0010' 11 ['z'] [( 0 : )] ff zero",
     "key 0 z type 17\nat 9 z: an empty sorted set: left out\n"},
    /* what says how a key was used is not worth the dump */
    {"'REDIS0010' f8 81 ff x 8 00 ['k'] ['v'] ff zero",
     "at 10 : a key idle for 18446744073709551615 seconds: taken for the longest\n"
     "key 0 k type 0 idle 9223372036854775807\nstring v\n"},
    /* counts that follow from what is there */
    {"'REDIS0010' 10 ['h'] [( 4 : 05 01 06 01 )] ff zero",
     "key 0 h type 16\nat 12 h: the hash's listpack claims 4 elements and has 2: counted anew\n"
     "listpack 1 5 6\n"},
    {"'REDIS0010' 10 ['h'] [( 0 : 05 01 06 01 )] ff zero",
     "key 0 h type 16\nat 12 h: the hash's listpack claims 0 elements and has 2: counted anew\n"
     "listpack 1 5 6\n"},
    {"'REDIS0010' 12 ['l'] 01 02 [( 2 : 05 01 )] ff zero",
     "key 0 l type 18\nlist\nat 13 l: the list's listpack claims 2 elements and has 1: counted anew\n"
     "listpack 1 5\nlist end\n"},
    {"'REDIS0011' 14 ['s'] [( 3 : 81 'a' 02 81 'b' 02 )] ff zero",
     "key 0 s type 20\nat 12 s: the set's listpack claims 3 elements and has 2: counted anew\n"},
    {"'REDIS0010' 11 ['z'] [( 3 : 81 'a' 02 07 01 )] ff zero",
     "key 0 z type 17\nat 12 z: the sorted set's listpack claims 3 elements and has 2: counted anew\n"},
    {"'REDIS0003' 09 ['h'] [02 01 'f' 01 00 'v' ff] ff",
     "key 0 h type 9\nat 12 h: the hash's zipmap claims 2 fields and has 1: counted anew\n"
     "hash 1\nfield f=v\n"},
    {"'REDIS0003' 09 ['h'] [ff 01 'f' 01 00 'v' ff] ff",
     "key 0 h type 9\nat 12 h: the hash's zipmap claims 255 fields and has 1: counted anew\n"
     "hash 1\nfield f=v\n"},
    {"'REDIS0006' 0a ['l'] [0d 00 00 00 0a 00 00 00 02 00 00 f1 ff] ff zero",
     "key 0 l type 10\nlist\n"
     "at 12 l: the list's ziplist claims 2 entries, the last at 10, and has 1, the last at 10: counted anew\n"
     "element 0\nlist end\n"},
    {"'REDIS0006' 0d ['h'] [0f 00 00 00 0a 00 00 00 02 00 00 f1 02 f2 ff] ff zero",
     "key 0 h type 13\n"
     "at 12 h: the hash's ziplist claims 2 entries, the last at 10, and has 2, the last at 12: counted anew\n"
     "hash 1\nfield 0=1\n"},
    {"'REDIS0006' 0c ['z'] [0f 00 00 00 0c 00 00 00 04 00 00 f1 02 f2 ff] ff zero",
     "key 0 z type 12\nat 12 z: the sorted set's ziplist claims 4 entries, the last at 12, and has 2, the "
     "last at 12: counted anew\n"},
    {"'REDIS0010' 11 ['z'] [( 4 : 81 'a' 02 07 01 81 'b' 02 05 01 )] ff zero",
     "key 0 z type 17\nat 12 z: the sorted set's listpack is not in order: put in order\n"},
};
enum { FILES = sizeof files / sizeof *files };

START_TEST(a_finding_is_told_and_what_is_right_is_handed_on)
{
    struct spelled s = spell(files[_i].file), again = spell(files[_i].file);
    struct trace t = {.with_findings = true};
    struct rdb_error err;
    const char *from, *end;
    int r = trace_memory(&t, s.bytes, s.len, true, &err);

    ck_assert_mem_eq(s.bytes, again.bytes, s.len); /* what is put right is a copy */

    ck_assert_msg(r == 0, "%s\n%d: at %llu: %s", files[_i].file, r, (unsigned long long)err.offset,
                  err.text);
    from = strchr(t.text, '\n') + 1;
    end = strstr(t.text, "end none\n") != NULL ? strstr(t.text, "end none\n")
                                               : strstr(t.text, "end zero\n");
    ck_assert_ptr_nonnull(end);
    ck_assert_msg((size_t)(end - from) == strlen(files[_i].events) &&
                      memcmp(from, files[_i].events, (size_t)(end - from)) == 0,
                  "%s\n%s", files[_i].file, t.text);
    trace_fini(&t);
}
END_TEST

/* ---- streams: what the nodes, the facts and the findings are ---- */

static char heard[2048];

static void __attribute__((format(printf, 1, 2))) hear(const char *format, ...)
{
    size_t len = strlen(heard);
    va_list args;

    va_start(args, format);
    vsnprintf(heard + len, sizeof heard - len, format, args);
    va_end(args);
}

static int
hear_finding(void *ctx, const struct rdb_finding *f)
{
    (void)ctx;
    hear("%s\n", f->text);
    return 0;
}

static int
hear_node(void *ctx, struct stream_id id, struct slice lp, const struct stream_node_sum *sum)
{
    struct stream_node_sum again;
    struct stream_node n;
    struct stream_item item;

    (void)ctx;
    ck_assert_ptr_null(stream_node_validate(slice_bytes(lp), lp.len, id, &again));
    ck_assert(again.live == sum->live && again.deleted == sum->deleted);
    ck_assert_int_eq(stream_id_compare(again.highest, sum->highest), 0);
    stream_node_open(&n, slice_bytes(lp), id);
    hear("node %u+%u:", n.live, n.deleted);
    for (uint32_t at = n.items_at; at != 0; at = stream_item_next(&item)) {
        stream_item_read(&n, at, &item);
        hear(" %llu%s", (unsigned long long)item.id.ms,
             (item.flags & STREAM_ITEM_DELETED) != 0 ? "d" : "");
    }
    hear("\n");
    return 0;
}

static int
hear_facts(void *ctx, const struct rdb_stream *f)
{
    (void)ctx;
    hear("%llu entries of %llu, last %llu\n", (unsigned long long)f->length,
         (unsigned long long)f->entries_added, (unsigned long long)f->last.ms);
    return 0;
}

/* A node under the id 5-0 whose master entry says: live, deleted, one field 'f'; and an item with a
 * flag and a difference of milliseconds. */
#define ID           "10 00 x 7 05 00 x 8 "
#define MASTER       " 01 01 81 'f' 02 00 01 "
#define ITEM(ms)     " 02 01 " ms " 01 00 01 81 'v' 02 04 01 "
#define DELETED(ms)  " 03 01 " ms " 01 00 01 81 'v' 02 04 01 "
#define OLD(node)    "'REDIS0009' 0f ['s'] 01 " ID "[" node "] "
#define STREAM(node) "'REDIS0010' 13 ['s'] 01 " ID "[" node "] "
#define TWO          "( 15 : 02 01 00 01" MASTER ITEM("00") ITEM("01") ")"
#define END          " 00 ff zero"

static const struct {
    const char *file, *heard;
} streams[] = {
    {OLD(TWO) "02 07 00" END, "node 2+0: 5 6\n2 entries of 2, last 7\n"},
    /* the length: as old servers wrote it, and in the later form */
    {OLD(TWO) "06 07 00" END,
     "node 2+0: 5 6\na stream claims 6 entries and has 2: counted anew\n2 entries of 2, last 7\n"},
    {OLD(TWO) "00 07 00" END,
     "node 2+0: 5 6\na stream claims 0 entries and has 2: counted anew\n2 entries of 2, last 7\n"},
    {STREAM(TWO) "06 07 00 05 00 00 00 09" END,
     "node 2+0: 5 6\na stream claims 6 entries and has 2: counted anew\n2 entries of 9, last 7\n"},
    /* entries ever added: no fewer than there are */
    {STREAM(TWO) "02 07 00 05 00 00 00 01" END,
     "node 2+0: 5 6\na stream of 2 entries claims that 1 were added: counted anew\n2 entries of 2, last 7\n"},
    /* the last id */
    {STREAM(TWO) "02 05 00 05 00 00 00 02" END,
     "node 2+0: 5 6\na stream's last ID 5-0 is below that of an entry: raised to it\n2 entries of 2, last "
     "6\n"},
    /* the counters of a node, and of its listpack */
    {STREAM("( 15 : 05 01 00 01" MASTER ITEM("00") ITEM("01") ")") "02 07 00 05 00 00 00 02" END,
     "a stream's node has a wrong number of entries: read without its deleted entries\n"
     "node 2+0: 5 6\n2 entries of 2, last 7\n"},
    {STREAM("( 15 : 01 01 01 01" MASTER ITEM("00") ITEM("01") ")") "02 07 00 05 00 00 00 02" END,
     "a stream's node has a wrong number of entries: read without its deleted entries\n"
     "node 2+0: 5 6\n2 entries of 2, last 7\n"},
    {STREAM("( 09 : 02 01 00 01" MASTER ITEM("00") ITEM("01") ")") "02 07 00 05 00 00 00 02" END,
     "the stream's listpack claims 9 elements and has 15: counted anew\n"
     "node 2+0: 5 6\n2 entries of 2, last 7\n"},
    /* deleted entries: at the end they may be above the last id; out of order if new ones
     * followed */
    {STREAM("( 15 : 01 01 01 01" MASTER ITEM("00") DELETED("09") ")") "01 06 00 05 00 0e 00 02" END,
     "node 1+0: 5\n1 entries of 2, last 6\n"},
    {STREAM("( 20 : 02 01 01 01" MASTER ITEM("00") DELETED("09")
                ITEM("01") ")") "02 06 00 05 00 0e 00 03" END,
     "a stream's node has entries out of order: read without its deleted entries\n"
     "node 2+0: 5 6\n2 entries of 3, last 6\n"},
    {STREAM("( 20 : 02 01 01 01" MASTER ITEM("00") DELETED("01")
                ITEM("02") ")") "02 07 00 05 00 06 00 03" END,
     "node 2+1: 5 6d 7\n2 entries of 3, last 7\n"},
    {STREAM("( 15 : 00 01 02 01" MASTER DELETED("00")
                DELETED("01") ")") "00 07 00 00 00 06 00 02" END,
     "a stream's node without an entry: left out\n0 entries of 2, last 7\n"},
};
enum { STREAMS = sizeof streams / sizeof *streams };

static const struct rdb_events hearing = {
    .finding = hear_finding, .stream_node = hear_node, .stream_facts = hear_facts};

START_TEST(what_follows_from_a_streams_entries_is_taken_from_them)
{
    struct rdb_error err;

    heard[0] = '\0';
    ck_assert_msg(spell_decode(streams[_i].file, &hearing, &err) == 0, "%s\n%s", streams[_i].file,
                  err.text);
    ck_assert_msg(strcmp(heard, streams[_i].heard) == 0, "%s\n%s", streams[_i].file, heard);
}
END_TEST

/* What is not a number that follows: refused as before. */
static const char *const damaged_streams[][2] = {
    {STREAM("( 15 : 02 01 00 01" MASTER ITEM("01") ITEM("00") ")") "02 07 00 05 00 00 00 02" END,
     "entries out of order"},
    {STREAM("( 15 : 02 01 00 01" MASTER ITEM("01") ITEM("01") ")") "02 07 00 05 00 00 00 02" END,
     "entries out of order"},
    {STREAM("( 14 : 02 01 00 01" MASTER ITEM("00") " 02 01 01 01 00 01 81 'v' 02 "
                                                   ")") "02 07 00 05 00 00 00 02" END,
     "an entry"},
    {STREAM("( 15 : 02 01 00 01" MASTER ITEM("00") " 02 01 01 01 00 01 81 'v' 02 05 01 "
                                                   ")") "02 07 00 05 00 00 00 02" END,
     "an entry with a wrong length"},
    {STREAM("( 15 : 02 01 00 01 02 01 81 'f' 02 00 01" ITEM("00")
                ITEM("01") ")") "02 07 00 05 00 00 00 02" END,
     "a wrong master entry"},
    {STREAM("( 15 : 81 'x' 02 00 01" MASTER ITEM("00")
                ITEM("01") ")") "02 07 00 05 00 00 00 02" END,
     "a wrong master entry"},
};
enum { DAMAGED = sizeof damaged_streams / sizeof *damaged_streams };

START_TEST(a_damaged_stream_is_refused)
{
    struct rdb_error err;

    ck_assert_int_eq(spell_decode(damaged_streams[_i][0], &hearing, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, damaged_streams[_i][1]) != NULL, "%s", err.text);
}
END_TEST

/* Every byte of every stream, changed in every bit: an error or a node that is sound
 * (hear_node). */
START_TEST(a_node_that_is_handed_on_is_sound_whatever_was_damaged)
{
    struct spelled s = spell(streams[_i].file);

    for (size_t at = 9; at < s.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct rdb_source *src;
            struct rdb_error err;
            uint8_t *bytes = malloc(s.len);
            int r;

            memcpy(bytes, s.bytes, s.len);
            bytes[at] ^= (uint8_t)(1U << bit);
            heard[0] = '\0';
            ck_assert_int_eq(rdb_source_memory(bytes, s.len, &src), 0);
            r = rdb_decode(src, &hearing, NULL, false, &err);
            ck_assert(r == 0 || r == -EINVAL || r == -ENOTSUP);
            rdb_source_close(src);
            free(bytes);
        }
}
END_TEST

/* ---- a value alone ---- */

static const struct {
    const char *value, *events; /* events: NULL: it is refused */
} values[] = {
    {"00 ['v']", "key 0 k type 0\nstring v\n"},
    {"00 ['v'] 00", NULL},
    {"01 00 00 ['x'] ['y']", NULL}, /* an empty list, and a key behind it */
    {"02 01 ['m'] fe 01 00 ['x'] ['y']", NULL},
    {"fe 00 00 ['v']", NULL},
    {"fa ['a'] ['b'] 00 ['v']", NULL},
    {"fc 01 00 x 7 00 ['v']", NULL},
    {"f9 05 00 ['v']", NULL},
    {"f8 05 00 ['v']", NULL},
    {"ff", NULL},
    {"00 ['v'] ff", NULL},
    {"00", NULL},
    {"", NULL},
};
enum { VALUES = sizeof values / sizeof *values };

START_TEST(a_payload_is_one_value_and_nothing_else)
{
    struct spelled s = spell(values[_i].value);
    struct trace t = {0};
    struct rdb_source *src;
    struct rdb_error err;
    int r;

    trace_add(&t, "%s", "");
    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    r = rdb_decode_value(src, RDB_VERSION_MAX, SLICE("k"), &trace_events, &t, &err);
    rdb_source_close(src);
    if (values[_i].events != NULL) {
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(t.text, values[_i].events);
    } else {
        ck_assert_int_eq(r, -EINVAL);
        ck_assert_str_eq(err.key, "k");
        ck_assert_ptr_null(strstr(t.text, "key 0 x"));
    }
    trace_fini(&t);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_findings");
    TCase *t = tcase_create("findings");

    tcase_add_loop_test(t, a_finding_is_told_and_what_is_right_is_handed_on, 0, FILES);
    tcase_add_loop_test(t, what_follows_from_a_streams_entries_is_taken_from_them, 0, STREAMS);
    tcase_add_loop_test(t, a_damaged_stream_is_refused, 0, DAMAGED);
    tcase_add_loop_test(t, a_node_that_is_handed_on_is_sound_whatever_was_damaged, 0, STREAMS);
    tcase_add_loop_test(t, a_payload_is_one_value_and_nothing_else, 0, VALUES);
    suite_add_tcase(s, t);
    return run_suite(s);
}
