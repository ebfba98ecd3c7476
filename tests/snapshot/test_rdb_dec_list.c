/* tests/snapshot/test_rdb_dec_list.c - the decoder: lists in each of their forms, right and
 * wrong. */
#include <check.h>
#include <errno.h>

#include "snapshot/rdb/rdb_dec.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

static const struct {
    const char *file, *events;
} good[] = {
    {"'REDIS0003' 01 ['l'] 03 ['a'] c0 05 [] ff",
     "start 3\nkey 0 l type 1\nlist\nelement a\nelement 5\nelement \nlist end\nend none\n"},
    {"'REDIS0003' 01 ['l'] 00 ff", "start 3\nkey 0 l type 1\nlist\nlist end\nend none\n"},
    {"'REDIS0006' 0a ['l'] [10 00 00 00 0d 00 00 00 02 00 00 01 'f' 03 fd ff] ff crc",
     "start 6\nkey 0 l type 10\nlist\nelement f\nelement 12\nlist end\nend good\n"},
    {"'REDIS0006' 0a ['l'] [0d 00 00 00 0a 00 00 00 01 00 00 f1 ff] ff crc",
     "start 6\nkey 0 l type 10\nlist\nelement 0\nlist end\nend good\n"},
    {"'REDIS0007' 0e ['l'] 02 [0d 00 00 00 0a 00 00 00 01 00 00 f2 ff] "
     "[0e 00 00 00 0a 00 00 00 01 00 00 01 'z' ff] ff crc",
     "start 7\nkey 0 l type 14\nlist\nelement 1\nelement z\nlist end\nend good\n"},
    {"'REDIS0010' 12 ['l'] 03 02 [( 2 : 81 'f' 02 05 01 )] 01 ['plain'] 02 [( 1 : 06 01 )] ff crc",
     "start 10\nkey 0 l type 18\nlist\nlistpack 2 f 5\nelement plain\nlistpack 1 6\nlist end\nend good\n"},
    {"'REDIS0010' 12 ['l'] 02 02 [( 0 : )] 01 c0 07 ff crc",
     "start 10\nkey 0 l type 18\nlist\nelement 7\nlist end\nend good\n"},
    {"'REDIS0010' 12 ['l'] 00 ff crc", "start 10\nkey 0 l type 18\nlist\nlist end\nend good\n"},
};
enum { GOOD = sizeof good / sizeof *good };

static const struct {
    const char *file;
    uint64_t offset;
    const char *text; /* a part of it */
} bad[] = {
    {"'REDIS0003' 01 ['l'] 80 ff ff ff ff ['a'] ff", 12,
     "a list claims 4294967295 elements or nodes"},
    {"'REDIS0003' 01 ['l'] 81 ff x 8 ['a'] ff", 12, "a list claims 18446744073709551615 elements"},
    {"'REDIS0003' 01 ['l'] 02 ['a']", 15, "ends in the middle"},
    {"'REDIS0006' 0a ['l'] [0d 00 00 00 0a 00 00 00 01 00 00 f0 ff] ff crc", 12,
     "the list's ziplist of 13 bytes is damaged"},
    {"'REDIS0007' 0e ['l'] 01 [0d 00 00 00 0a 00 00 00 01 00 01 f2 ff] ff crc", 13,
     "ziplist of 13 bytes"},
    {"'REDIS0007' 0e ['l'] 80 7f ff ff ff ff crc", 12, "a list claims 2147483647"},
    {"'REDIS0010' 12 ['l'] 01 03 ['x'] ff crc", 13, "a list's node of kind 3: 1 and 2 are known"},
    {"'REDIS0010' 12 ['l'] 01 02 ['x'] ff crc", 13, "the list's listpack of 1 bytes is damaged"},
    {"'REDIS0010' 12 ['l'] 01 02 [( 2 : 05 02 )] ff crc", 13, "listpack of 9 bytes is damaged"},
    /* a node that is one element is for long ones: Redis refuses an empty one too */
    {"'REDIS0010' 12 ['l'] 01 01 [] ff crc", 13, "a list's node that is one element is empty"},
    {"'REDIS0010' 12 ['l'] 02 01 ['x'] 01 [] ff crc", 16,
     "a list's node that is one element is empty"},
    {"'REDIS0010' 12 ['l'] 40 ff 01 ['x'] ff crc", 12, "a list claims 255"},
};
enum { BAD = sizeof bad / sizeof *bad };

static int
decode(struct trace *t, const char *file, struct rdb_error *err)
{
    struct spelled s = spell(file);
    uint8_t *bytes = malloc(s.len > 0 ? s.len : 1);
    int r;

    memcpy(bytes, s.bytes, s.len);
    r = trace_memory(t, bytes, s.len, true, err);
    free(bytes);
    return r;
}

START_TEST(a_good_list_gives_its_elements)
{
    struct trace t = {.with_forms = false};
    struct rdb_error err;
    int r = decode(&t, good[_i].file, &err);

    ck_assert_msg(r == 0, "%s\n%d: at %llu: %s", good[_i].file, r, (unsigned long long)err.offset,
                  err.text);
    ck_assert_str_eq(t.text, good[_i].events);
    trace_fini(&t);
}
END_TEST

START_TEST(a_bad_list_is_refused_with_reason_and_place)
{
    struct trace t = {0};
    struct rdb_error err;
    int r = decode(&t, bad[_i].file, &err);

    ck_assert_msg(r == -EINVAL && err.offset == bad[_i].offset &&
                      strstr(err.text, bad[_i].text) != NULL,
                  "%s\n%d: at %llu: %s", bad[_i].file, r, (unsigned long long)err.offset, err.text);
    trace_fini(&t);
}
END_TEST

/* Each sink's refusal ends the decoding at once, with its value. */
START_TEST(a_sink_may_refuse_at_any_event)
{
    struct trace whole = {.with_forms = false};
    struct rdb_error err;

    ck_assert_int_eq(decode(&whole, good[_i].file, &err), 0);
    for (unsigned long n = 1; n <= whole.events; n++) {
        struct trace t = {.fail_at = n, .fail_with = -ENOSPC};

        ck_assert_int_eq(decode(&t, good[_i].file, &err), -ENOSPC);
        ck_assert_uint_eq(t.events, n);
        trace_fini(&t);
    }
    trace_fini(&whole);
}
END_TEST

/* Every byte of every good file, changed in every bit: an error or other elements, never more. */
START_TEST(a_damaged_list_is_never_more_than_an_error)
{
    struct spelled s = spell(good[_i].file);
    uint8_t *bytes = malloc(s.len);

    for (size_t at = 9; at < s.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct trace t = {0};
            struct rdb_error err;
            int r;

            memcpy(bytes, s.bytes, s.len);
            bytes[at] ^= (uint8_t)(1U << bit);
            r = trace_memory(&t, bytes, s.len, false, &err);
            ck_assert(r == 0 || r == -EINVAL || r == -ENOTSUP);
            trace_fini(&t);
        }
    free(bytes);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_list");
    TCase *t = tcase_create("lists");

    tcase_add_loop_test(t, a_good_list_gives_its_elements, 0, GOOD);
    tcase_add_loop_test(t, a_bad_list_is_refused_with_reason_and_place, 0, BAD);
    tcase_add_loop_test(t, a_sink_may_refuse_at_any_event, 0, GOOD);
    tcase_add_loop_test(t, a_damaged_list_is_never_more_than_an_error, 0, GOOD);
    suite_add_tcase(s, t);
    return run_suite(s);
}
