/* What a conversion is built of: bytes that wait, records that are sorted, blocks that are packed
 * and written, hash slots, names. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/le.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tool/convert/hold.h"
#include "tool/convert/merge.h"
#include "tool/convert/output.h"
#include "tool/convert/plan.h"
#include "tool/convert/sort.h"
#include "tool/convert/target.h"
#include "tool/convert/writer.h"

/* byte_at: of a text without end that does not repeat soon, and packs somewhat. */
static uint8_t
byte_at(uint64_t i)
{
    return (uint8_t)(i >> 3 ^ i >> 11 ^ i * i >> 19);
}

static void
put_bytes(struct sink *s, uint64_t from, uint64_t until)
{
    uint8_t piece[1000];

    for (size_t n; from < until; from += n) {
        n = until - from < sizeof piece ? (size_t)(until - from) : sizeof piece;
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(from + i);
        sink_put(s, piece, n);
    }
}

static void
check_bytes(const uint8_t *got, uint64_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[i] != byte_at(from + i))
            ck_abort_msg("byte %llu is another one", (unsigned long long)(from + i));
}

/* ---- holds ---- */

START_TEST(a_hold_gives_back_what_it_got)
{
    static const uint64_t sizes[] = {
        0, 1, HOLD_BYTES - 1, HOLD_BYTES, HOLD_BYTES + 1, 3 * HOLD_BYTES + 77};
    struct sink *to;
    struct hold h;

    ck_assert_int_eq(hold_open(&h), 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t len;
        uint8_t *got;

        ck_assert_int_eq(sink_memory_open(&to), 0);
        put_bytes(&h.sink, 0, sizes[i]);
        ck_assert_uint_eq(hold_bytes(&h), sizes[i]);
        ck_assert_int_eq(hold_copy_all(&h, to), 0);
        ck_assert_uint_eq(hold_bytes(&h), 0);
        got = sink_memory_take(to, &len);
        ck_assert_uint_eq(len, sizes[i]);
        check_bytes(got, 0, len);
        free(got);
        sink_close(to);
    }
    hold_close(&h);
}
END_TEST

START_TEST(a_hold_is_read_wherever_its_bytes_are)
{
    static uint8_t got[100000];
    const uint64_t all = 2 * HOLD_BYTES + 5000;
    struct hold h;

    ck_assert_int_eq(hold_open(&h), 0);
    put_bytes(&h.sink, 0, all);
    for (uint64_t at = 0; at + sizeof got <= all; at += 33333) {
        ck_assert_int_eq(hold_read(&h, at, got, sizeof got), 0);
        check_bytes(got, at, sizeof got);
    }
    ck_assert_int_eq(hold_read(&h, all - 100, got, 100), 0);
    check_bytes(got, all - 100, 100);
    hold_close(&h);
}
END_TEST

START_TEST(a_hold_without_room_says_so)
{
    const char *was = getenv("TMPDIR");
    char *kept = was == NULL ? NULL : strdup(was); /* other tests may run in this process */
    struct sink *to;
    struct hold h;

    setenv("TMPDIR", "/nowhere at all", 1);
    ck_assert_int_eq(hold_open(&h), 0);
    ck_assert_int_eq(sink_memory_open(&to), 0);
    put_bytes(&h.sink, 0, HOLD_BYTES / 2);
    ck_assert_int_eq(hold_copy_all(&h, to), 0);
    put_bytes(&h.sink, 0, 2 * HOLD_BYTES);
    ck_assert_int_eq(hold_copy_all(&h, to), -ENOENT);
    hold_close(&h);
    sink_close(to);
    if (kept == NULL)
        unsetenv("TMPDIR");
    else
        setenv("TMPDIR", kept, 1);
    free(kept);
}
END_TEST

/* ---- sorting ---- */

static uint64_t
scatter(uint64_t i)
{
    i = (i ^ i >> 31) * 0x9e3779b97f4a7c15u;
    return i ^ i >> 29;
}

START_TEST(records_come_in_order_whatever_memory_there_is)
{
    enum { RECORDS = 20000 };
    static const size_t memory[] = {1 << 20, 160000, 80000, 1000, 16};

    for (unsigned m = 0; m < sizeof memory / sizeof *memory; m++) {
        uint64_t sum = 0, got_sum = 0, count = 0;
        uint8_t last[16] = {0};
        const void *at;
        struct sort s;
        int r;

        sort_init(&s, 16, memory[m]);
        for (int round = 0; round < 2; round++) { /* it can be used again */
            sum = got_sum = count = 0;
            memset(last, 0, sizeof last);
            for (uint64_t i = 0; i < RECORDS; i++) {
                uint64_t record[2] = {scatter(i % (RECORDS / 2)), i};

                sum += record[0] * 31 + i;
                ck_assert_int_eq(sort_add(&s, record), 0);
            }
            ck_assert_int_eq(sort_rewind(&s), 0);
            while ((r = sort_next(&s, &at)) > 0) {
                uint64_t record[2];

                ck_assert_int_le(memcmp(last, at, sizeof last), 0);
                memcpy(last, at, sizeof last);
                memcpy(record, at, sizeof record);
                got_sum += record[0] * 31 + record[1];
                count++;
            }
            ck_assert_int_eq(r, 0);
            ck_assert_int_eq(sort_next(&s, &at), 0);
            ck_assert_uint_eq(count, RECORDS);
            ck_assert_uint_eq(got_sum, sum);
            sort_clear(&s);
        }
        sort_fini(&s);
    }
}
END_TEST

START_TEST(nothing_is_sorted_too)
{
    const void *at;
    struct sort s;

    sort_init(&s, 8, 800);
    ck_assert_int_eq(sort_rewind(&s), 0);
    ck_assert_int_eq(sort_next(&s, &at), 0);
    sort_fini(&s);
}
END_TEST

/* ---- which of the same keys ---- */

START_TEST(of_each_key_one_is_taken)
{
    enum { FILES = 3, KEYS = 1000 };

    for (int rule = MERGE_FIRST; rule <= MERGE_LAST; rule++) {
        struct merge m;
        unsigned taken[KEYS] = {0};
        uint64_t left_out = 0;
        bool takes;

        merge_init(&m, rule);
        for (int pass = 0; pass < 2; pass++) {
            for (uint64_t file = 0; file < FILES; file++)
                for (uint64_t i = 0; i < KEYS; i++) {
                    uint64_t name = scatter(i * 7 + file) % KEYS;
                    struct merge_place at = {file, i};

                    if (pass == 0) {
                        ck_assert_int_eq(merge_add(&m, 5, slice_of(&name, sizeof name), at), 0);
                        continue;
                    }
                    ck_assert_int_eq(merge_takes(&m, at, &takes), 0);
                    taken[name] += takes;
                    left_out += !takes;
                }
            if (pass == 0)
                ck_assert_int_eq(merge_decide(&m), 0);
        }
        for (unsigned i = 0; i < KEYS; i++)
            ck_assert_uint_le(taken[i], 1);
        ck_assert_uint_eq(left_out, merge_clashes(&m));
        ck_assert_uint_gt(left_out, KEYS);
        merge_fini(&m);
    }
}
END_TEST

START_TEST(the_first_or_the_last_is_taken_and_databases_are_apart)
{
    static const struct {
        uint64_t db;
        const char *name;
        bool first, last; /* is it taken? */
    } keys[] = {{0, "a", true, false},
                {1, "a", true, true},
                {0, "b", true, true},
                {0, "a", false, false},
                {0, "a", false, true}};

    for (int rule = MERGE_FIRST; rule <= MERGE_LAST; rule++) {
        struct merge m;
        bool takes;

        merge_init(&m, rule);
        for (uint64_t i = 0; i < 5; i++)
            ck_assert_int_eq(merge_add(&m, keys[i].db, slice_of(keys[i].name, 1),
                                       (struct merge_place){i / 2, i % 2}),
                             0);
        ck_assert_int_eq(merge_decide(&m), 0);
        for (uint64_t i = 0; i < 5; i++) {
            ck_assert_int_eq(merge_takes(&m, (struct merge_place){i / 2, i % 2}, &takes), 0);
            ck_assert_int_eq(takes, rule == MERGE_FIRST ? keys[i].first : keys[i].last);
        }
        merge_fini(&m);
    }
}
END_TEST

/* ---- writers ---- */

/* write_all: so many bytes, through a writer. */
static uint8_t *
write_all(uint64_t bytes, struct writer_options o, size_t *ret_len)
{
    struct writer w;
    uint8_t *got;

    ck_assert_int_eq(sink_memory_open(&o.medium), 0);
    ck_assert_int_eq(writer_open(&w, &o), 0);
    put_bytes(&w.sink, 0, bytes / 2);
    for (uint64_t i = bytes / 2; i < bytes / 2 + 10 && i < bytes; i++)
        put_bytes(&w.sink, i, i + 1);
    if (bytes > 20) { /* the rest in one piece, larger than any block */
        uint64_t from = bytes / 2 + 10;
        uint8_t *rest = malloc(bytes - from);

        for (uint64_t i = from; i < bytes; i++)
            rest[i - from] = byte_at(i);
        sink_put(&w.sink, rest, bytes - from);
        free(rest);
    }
    ck_assert_int_eq(writer_end(&w), 0);
    writer_close(&w);
    got = sink_memory_take(o.medium, ret_len);
    sink_close(o.medium);
    return got;
}

START_TEST(blocks_arrive_in_their_order)
{
    static const uint64_t sizes[] = {0, 1, 4096, 5000000};

    for (unsigned threads = 0; threads <= WRITER_THREADS_MOST; threads++)
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t block = 4096; block <= LZ4_FRAME_BLOCK_BYTES; block *= 8) {
                size_t len;
                uint8_t *got = write_all(
                    sizes[i], (struct writer_options){.threads = threads, .block_bytes = block},
                    &len);

                ck_assert_uint_eq(len, sizes[i]);
                check_bytes(got, 0, len);
                free(got);
            }
}
END_TEST

START_TEST(packed_blocks_are_the_same_whoever_packs_them)
{
    size_t want_len, len;
    uint8_t *want =
        write_all(5000000, (struct writer_options){.lz4 = true, .block_bytes = 65536}, &want_len);

    ck_assert_uint_lt(want_len, 4500000);
    for (unsigned threads = 1; threads <= WRITER_THREADS_MOST; threads++) {
        uint8_t *got = write_all(
            5000000, (struct writer_options){.lz4 = true, .threads = threads, .block_bytes = 65536},
            &len);

        ck_assert_uint_eq(len, want_len);
        ck_assert_mem_eq(got, want, len);
        free(got);
    }
    free(want);
}
END_TEST

static int
refuse(struct sink *s, const void *bytes, size_t len)
{
    (void)s;
    (void)bytes;
    (void)len;
    return -ENOSPC;
}

START_TEST(what_the_medium_refuses_comes_back)
{
    static const struct sink_ops ops = {.write = refuse};

    for (unsigned threads = 0; threads <= 2; threads++) {
        uint8_t buffer[64];
        struct sink medium = {.ops = &ops, .buf = buffer, .capacity_bytes = sizeof buffer};
        struct writer_options o = {.medium = &medium, .threads = threads, .block_bytes = 1024};
        struct writer w;

        ck_assert_int_eq(writer_open(&w, &o), 0);
        put_bytes(&w.sink, 0, 100000);
        ck_assert_int_eq(writer_end(&w), -ENOSPC);
        ck_assert_int_eq(sink_error(&w.sink), -ENOSPC);
        writer_close(&w);
    }
}
END_TEST

/* ---- plans ---- */

START_TEST(slots_of_keys_as_a_cluster_has_them)
{
    static const struct {
        const char *key;
        unsigned slot; /* what CLUSTER KEYSLOT answers */
    } keys[] = {
        {"", 0},         {"foo", 12182},       {"{foo}bar", 12182},     {"x{foo}", 12182},
        {"{}foo", 9500}, {"foo{}{bar}", 8363}, {"foo{{bar}}zap", 4015}, {"123456789", 12739},
        {"{foo", 13308}};

    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        ck_assert_msg(plan_slot(slice_of(keys[i].key, strlen(keys[i].key))) == keys[i].slot,
                      "%s: %u", keys[i].key, plan_slot(slice_of(keys[i].key, strlen(keys[i].key))));
}
END_TEST

START_TEST(each_slot_is_in_one_part)
{
    static const uint64_t parts[] = {1, 2, 3, 5, 7, 100, 1000, 1024};

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct plan p = {.split = SPLIT_SLOT, .split_by = parts[i]};
        unsigned part = 0;

        ck_assert_uint_eq(plan_slot_first(&p, 0), 0);
        ck_assert_uint_eq(plan_slot_first(&p, (unsigned)parts[i]), SLOTS);
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            part += part + 1 < parts[i] && plan_slot_first(&p, part + 1) == slot;
            ck_assert_uint_eq(plan_slot_part(&p, slot), part);
        }
    }
}
END_TEST

START_TEST(parts_have_their_number_where_it_is_wanted)
{
    static const struct {
        const char *path, *name;
    } names[] = {{"out.rdb", "out.7.rdb"},          {"a.b/out", "a.b/out.7"},
                 {"node-%d.rdb", "node-7.rdb"},     {"%d/x.rdb", "7/x.rdb"},
                 {".hidden", ".hidden.7"},          {"d/.hidden", "d/.hidden.7"},
                 {"two.dots.rdb", "two.dots.7.rdb"}};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char *got = output_name(names[i].path, true, 7);

        ck_assert_str_eq(got, names[i].name);
        free(got);
        got = output_name(names[i].path, false, 7);
        ck_assert_str_eq(got, names[i].path);
        free(got);
    }
}
END_TEST

START_TEST(types_are_known_from_their_version_on)
{
    ck_assert(target_knows(6, 6, RDB_TYPE_HASH_ZIPLIST));
    ck_assert(!target_knows(6, 7, RDB_TYPE_LIST_QUICKLIST));
    ck_assert(!target_knows(7, 8, RDB_TYPE_ZSET_2));
    ck_assert(!target_knows(9, 10, RDB_TYPE_STREAM_2));
    ck_assert(!target_knows(10, 11, RDB_TYPE_SET_LISTPACK));
    ck_assert(target_knows(80, 12, RDB_TYPE_STREAM_3));
    /* the same number, and not the same type */
    ck_assert(!target_knows(80, 12, RDB_TYPE_HASH_EXPIRES_RC));
    ck_assert(!target_knows(12, 80, RDB_TYPE_HASH_EXPIRES_VALKEY));
    ck_assert(!target_knows(80, 12, RDB_TYPE_HASH_EXPIRES));
    ck_assert(target_knows(80, 80, RDB_TYPE_HASH_EXPIRES_VALKEY));
    ck_assert(!target_knows(11, 12, RDB_TYPE_HASH_EXPIRES));
    ck_assert(target_holds_all(80, 11) && !target_holds_all(80, 12) && !target_holds_all(9, 10));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("convert");
    TCase *t = tcase_create("convert");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_hold_gives_back_what_it_got);
    tcase_add_test(t, a_hold_is_read_wherever_its_bytes_are);
    tcase_add_test(t, a_hold_without_room_says_so);
    tcase_add_test(t, records_come_in_order_whatever_memory_there_is);
    tcase_add_test(t, nothing_is_sorted_too);
    tcase_add_test(t, of_each_key_one_is_taken);
    tcase_add_test(t, the_first_or_the_last_is_taken_and_databases_are_apart);
    tcase_add_test(t, blocks_arrive_in_their_order);
    tcase_add_test(t, packed_blocks_are_the_same_whoever_packs_them);
    tcase_add_test(t, what_the_medium_refuses_comes_back);
    tcase_add_test(t, slots_of_keys_as_a_cluster_has_them);
    tcase_add_test(t, each_slot_is_in_one_part);
    tcase_add_test(t, parts_have_their_number_where_it_is_wanted);
    tcase_add_test(t, types_are_known_from_their_version_on);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
