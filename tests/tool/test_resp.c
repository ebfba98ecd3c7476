/* Commands in RESP: batches, payloads of RESTORE, names under which keys are written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "snapshot/rdb/rdb.h"
#include "tool/export/resp_names.h"
#include "tool/export/resp_payload.h"
#include "tool/export/resp_put.h"

static char path[32];
static struct tool_out out;
static struct resp_batch *batch;

static void
setup(void)
{
    int fd;

    strcpy(path, "/tmp/test_resp-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(tool_out_open(&out, path, true), 0);
    batch = calloc(1, sizeof *batch);
    ck_assert_ptr_nonnull(batch);
    batch->out = &out;
}

static void
teardown(void)
{
    free(batch);
    unlink(path);
}

/* written: all of the output, so far unseen; the caller's. */
static char *
written(size_t *ret_len)
{
    FILE *f;
    char *bytes = malloc(8 << 20);

    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(tool_out_close(&out, true), 0);
    ck_assert_ptr_nonnull(f = fopen(path, "r"));
    *ret_len = fread(bytes, 1, 8 << 20, f);
    fclose(f);
    return bytes;
}

/* next_command: how many words; p goes behind it, first and last are its words. */
static unsigned
next_command(const char **p, struct slice *ret_first, struct slice *ret_last)
{
    char *end;
    unsigned words;

    ck_assert_int_eq(**p, '*');
    words = (unsigned)strtoul(*p + 1, &end, 10);
    for (unsigned i = 0; i < words; i++) {
        size_t len;

        ck_assert(memcmp(end, "\r\n$", 3) == 0);
        len = strtoul(end + 3, &end, 10);
        ck_assert(memcmp(end, "\r\n", 2) == 0);
        *(i == 0 ? ret_first : ret_last) = (struct slice){end + 2, len};
        end += 2 + len;
    }
    ck_assert(memcmp(end, "\r\n", 2) == 0);
    *p = end + 2;
    return words;
}

static void
begin(const char *verb)
{
    struct slice words[] = {slice_of(verb, strlen(verb)), SLICE("k")};

    resp_batch_begin(batch, words, 2);
}

START_TEST(a_batch_is_one_command_of_its_elements)
{
    static const char want[] =
        "*5\r\n$4\r\nHSET\r\n$1\r\nk\r\n$0\r\n\r\n$3\r\na\r\n\r\n$1\r\n!\r\n";
    struct slice pair[] = {SLICE(""), SLICE("a\r\n")};
    size_t len;
    char *bytes;

    begin("HSET");
    resp_batch_tail(batch, SLICE("!"));
    resp_batch_add(batch, pair, 2);
    resp_batch_flush(batch);
    resp_batch_flush(batch);
    bytes = written(&len);
    ck_assert_uint_eq(len, sizeof want - 1);
    ck_assert(memcmp(bytes, want, len) == 0);
    free(bytes);
}
END_TEST

START_TEST(many_elements_are_cut_by_number)
{
    struct slice first, last, element = SLICE("e");
    unsigned words[4] = {0};
    size_t len;
    char *bytes;
    const char *p;

    begin("RPUSH");
    for (int i = 0; i < 3 * RESP_BATCH_ELEMENTS + 1; i++)
        resp_batch_add(batch, &element, 1);
    resp_batch_flush(batch);
    p = bytes = written(&len);
    for (int i = 0; i < 4; i++)
        words[i] = next_command(&p, &first, &last);
    ck_assert_ptr_eq(p, bytes + len);
    ck_assert_uint_eq(words[0], 2 + RESP_BATCH_ELEMENTS);
    ck_assert_uint_eq(words[2], 2 + RESP_BATCH_ELEMENTS);
    ck_assert_uint_eq(words[3], 2 + 1);
    free(bytes);
}
END_TEST

START_TEST(long_elements_are_cut_by_bytes_and_the_longest_stand_alone)
{
    static char block[2 * RESP_BATCH_BYTES];
    static const size_t lengths[] = {RESP_BATCH_BYTES / 2, RESP_BATCH_BYTES / 2,
                                     RESP_BATCH_BYTES,     1,
                                     sizeof block,         RESP_BATCH_BYTES - 25};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    struct slice first, last;
    size_t len;
    char *bytes;
    const char *p;

    begin("SADD");
    for (unsigned i = 0; i < COUNT; i++) {
        struct slice element = {block, lengths[i]};

        resp_batch_add(batch, &element, 1);
    }
    resp_batch_flush(batch);
    p = bytes = written(&len);
    for (unsigned i = 0; i < COUNT; i++) { /* none has room beside another */
        ck_assert_uint_eq(next_command(&p, &first, &last), 3);
        ck_assert_uint_eq(last.len, lengths[i]);
    }
    ck_assert_ptr_eq(p, bytes + len);
    free(bytes);
}
END_TEST

START_TEST(what_needs_the_elements_comes_behind_them)
{
    static char block[2000];
    struct slice element = SLICE("e"), later[] = {SLICE("LATER"), {block, sizeof block}}, first,
                 last;
    unsigned laters = 0, elements = 0;
    size_t len;
    char *bytes;
    const char *p;

    begin("SADD");
    for (int i = 0; i < 1000; i++) {
        resp_batch_add(batch, &element, 1);
        resp_batch_later(batch, later, 2);
    }
    resp_batch_flush(batch);
    for (p = bytes = written(&len); p < bytes + len;) {
        unsigned words = next_command(&p, &first, &last);

        if (slice_is(first, "SADD"))
            elements += words - 2;
        else
            laters++;
        ck_assert_uint_ge(elements, laters);
    }
    ck_assert_uint_eq(elements, 1000);
    ck_assert_uint_eq(laters, 1000);
    free(bytes);
}
END_TEST

/* payload_of: a value of len bytes in pieces; how long it is. */
static uint64_t
payload_of(struct resp_payload *p, size_t len)
{
    static char piece[100000];
    uint64_t total;

    resp_payload_begin(p, RDB_TYPE_SET_LISTPACK);
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (char)(i * i % 251);
    while (len > 0) {
        size_t n = len < sizeof piece ? len : sizeof piece;

        ck_assert_int_eq(resp_payload_add(p, (struct slice){piece, n}), 0);
        len -= n;
    }
    ck_assert_int_eq(resp_payload_end(p, 11, &total), 0);
    ck_assert_int_eq(resp_payload_put(p, &out), 0);
    return total;
}

START_TEST(a_payload_is_the_same_from_memory_and_from_a_file)
{
    static const size_t lengths[] = {0,
                                     1,
                                     RESP_PAYLOAD_BYTES - 12,
                                     RESP_PAYLOAD_BYTES - 11,
                                     RESP_PAYLOAD_BYTES - 1,
                                     RESP_PAYLOAD_BYTES,
                                     3500000};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    struct resp_payload p;
    size_t len;
    char *bytes;
    const uint8_t *at;

    ck_assert_int_eq(resp_payload_init(&p), 0);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(payload_of(&p, lengths[i]), lengths[i] + 11);
    resp_payload_fini(&p);
    bytes = written(&len);
    at = (const uint8_t *)bytes;
    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(at[0], RDB_TYPE_SET_LISTPACK);
        at += 1 + lengths[i];
        ck_assert_uint_eq(le_load(at, 2), 11);
        ck_assert_uint_eq(le_load(at + 2, 8), crc64(0, at - 1 - lengths[i], lengths[i] + 3));
        at += 10;
    }
    ck_assert_ptr_eq(at, bytes + len);
    free(bytes);
}
END_TEST

START_TEST(a_payload_says_the_lowest_version_that_has_its_type)
{
    static const struct {
        int file, type, want;
    } rows[] = {{1, RDB_TYPE_STRING, 6},
                {80, RDB_TYPE_STRING, 6},
                {9, RDB_TYPE_LIST_QUICKLIST, 7},
                {12, RDB_TYPE_ZSET_2, 8},
                {12, RDB_TYPE_STREAM, 9},
                {12, RDB_TYPE_STREAM_2, 10},
                {80, RDB_TYPE_STREAM_3, 11},
                {12, RDB_TYPE_HASH_EXPIRES, 12},
                {12, 22, 12},
                {80, RDB_TYPE_HASH_EXPIRES_VALKEY, 80}};

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(resp_payload_version(rows[i].file, (uint8_t)rows[i].type), rows[i].want);
}
END_TEST

START_TEST(a_server_takes_its_own_types_and_older_ones)
{
    static const struct {
        const char *server;
        int file, type;
        bool takes;
    } rows[] = {{"redis-6.2", 9, RDB_TYPE_STREAM, true},
                {"redis-6.2", 10, RDB_TYPE_STREAM_2, false},
                {"redis-7.0", 11, RDB_TYPE_ZSET_LISTPACK, true},
                {"redis-7.0", 11, RDB_TYPE_SET_LISTPACK, false},
                {"redis-7.4", 12, RDB_TYPE_HASH_EXPIRES, true},
                {"redis-8.10", 80, RDB_TYPE_HASH_EXPIRES_VALKEY, false},
                {"valkey-9.0", 80, RDB_TYPE_HASH_EXPIRES_VALKEY, true},
                {"valkey-9.0", 12, RDB_TYPE_HASH_EXPIRES, false},
                {"valkey-9", 12, RDB_TYPE_STREAM_3, true},
                {"stillframe", 12, RDB_TYPE_HASH_EXPIRES, true},
                {"stillframe", 80, RDB_TYPE_HASH_EXPIRES_VALKEY, false}};

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct server *s = server_of(slice_of(rows[i].server, strlen(rows[i].server)));

        ck_assert_ptr_nonnull(s);
        ck_assert_msg(resp_payload_is_for(s, rows[i].file, (uint8_t)rows[i].type) == rows[i].takes,
                      "row %u", i);
    }
}
END_TEST

static bool
names_with(struct resp_names *n, const char *rename, const char *db_map)
{
    const char *texts[] = {rename, "a=never", "=all:"};
    struct tool_options o = {.rename = {texts, 3}, .db_map = {&db_map, 1}};

    return resp_names_init(n, &o);
}

START_TEST(the_first_prefix_that_fits_is_replaced)
{
    struct resp_names n;

    ck_assert(names_with(&n, "a\\x3d\\=\\\\:=b=\\x00", "3=0"));
    ck_assert(slice_equal(resp_names_key(&n, SLICE("a==\\:key")), (struct slice){"b=\0key", 6}));
    ck_assert(slice_is(resp_names_key(&n, SLICE("abc")), "neverbc"));
    ck_assert(slice_is(resp_names_key(&n, SLICE("")), "all:"));
    ck_assert_uint_eq(resp_names_db(&n, 3), 0);
    ck_assert_uint_eq(resp_names_db(&n, 4), 4);
    resp_names_fini(&n);
}
END_TEST

START_TEST(what_is_no_pair_is_refused)
{
    static const char *const bad[][2] = {{"no sign", "1=2"}, {"a\\=b", "1=2"}, {"a=b", "1"},
                                         {"a=b", "1="},      {"a=b", "-1=2"},  {"a=b", "x=2"}};
    struct resp_names n;

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!names_with(&n, bad[i][0], bad[i][1]), "row %u", i);
        resp_names_fini(&n);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("resp");
    TCase *put = tcase_create("put"), *names = tcase_create("names");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(put, setup, teardown);
    tcase_add_test(put, a_batch_is_one_command_of_its_elements);
    tcase_add_test(put, many_elements_are_cut_by_number);
    tcase_add_test(put, long_elements_are_cut_by_bytes_and_the_longest_stand_alone);
    tcase_add_test(put, what_needs_the_elements_comes_behind_them);
    tcase_add_test(put, a_payload_is_the_same_from_memory_and_from_a_file);
    tcase_add_test(names, a_payload_says_the_lowest_version_that_has_its_type);
    tcase_add_test(names, a_server_takes_its_own_types_and_older_ones);
    tcase_add_test(names, the_first_prefix_that_fits_is_replaced);
    tcase_add_test(names, what_is_no_pair_is_refused);
    suite_add_tcase(s, put);
    suite_add_tcase(s, names);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
