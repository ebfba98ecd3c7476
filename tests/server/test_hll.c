/* tests/server/test_hll.c - HyperLogLogs: what they count, that both forms agree, all or
 * nothing. */
#include <check.h>
#include <math.h>
#include <stdio.h>

#include "server/config/config.h"
#include "server/data/string/hll.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static struct hll sparse, dense;

static struct slice
bytes_of(const struct hll *h)
{
    return (struct slice){.ptr = h->bytes, .len = h->len};
}

/* add: the n-th element to both forms; they must agree on whether it changed anything. */
static void
add(unsigned n)
{
    char text[16];
    struct hll_place place = hll_place_of(
        (struct slice){.ptr = text, .len = (size_t)snprintf(text, sizeof text, "e%u", n)});
    int raised = hll_raise(&sparse, place, UINT64_MAX);

    ck_assert_int_ge(raised, 0);
    ck_assert_int_eq(raised, hll_raise(&dense, place, 0));
}

START_TEST(both_forms_hold_the_same_registers_and_the_estimate_is_near)
{
    static uint8_t a[HLL_REGISTERS], b[HLL_REGISTERS];
    uint64_t count;

    hll_new(&sparse);
    hll_new(&dense);
    ck_assert(hll_to_dense(&dense));
    for (unsigned n = 0; n < 3000; n++) {
        add(n);
        if (n % 100 != 99)
            continue;
        memset(a, 0, sizeof a);
        memset(b, 0, sizeof b);
        ck_assert(hll_merge(a, bytes_of(&sparse)) && hll_merge(b, bytes_of(&dense)));
        ck_assert_mem_eq(a, b, sizeof a);
        ck_assert(hll_count(bytes_of(&sparse), &count));
        ck_assert_double_le(fabs((double)count - (n + 1)), 0.04 * (n + 1) + 1);
        ck_assert_uint_eq(count, hll_count_registers(b));
    }
    ck_assert(!hll_is_dense(bytes_of(&sparse)));
    ck_assert(hll_to_dense(&sparse));
    ck_assert_mem_eq(sparse.bytes + HLL_HEADER_BYTES, dense.bytes + HLL_HEADER_BYTES,
                     HLL_DENSE_BYTES - HLL_HEADER_BYTES);
}
END_TEST

START_TEST(runs_that_do_not_cover_all_registers_are_refused) /* HL2 */
{
    static const char *const runs[] = {
        "", "\x7f", "\x7f\xfe", "\x7f\xff\x01", "\x7f\xff\x7f", "\x7f\xfe\x85"};
    static uint8_t registers[HLL_REGISTERS];
    uint64_t count;

    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        hll_new(&sparse);
        sparse.len = HLL_HEADER_BYTES + strlen(runs[i]);
        memcpy(sparse.bytes + HLL_HEADER_BYTES, runs[i], strlen(runs[i]));
        ck_assert(hll_is_one(bytes_of(&sparse)));
        ck_assert(!hll_count(bytes_of(&sparse), &count));
        ck_assert(!hll_merge(registers, bytes_of(&sparse)));
        ck_assert(!hll_to_dense(&sparse));
    }
}
END_TEST

START_TEST(the_count_is_kept_until_something_is_added)
{
    talk("pfadd a 1 2 3");
    for (int dense_too = 0; dense_too < 2; dense_too++) {
        ck_assert_int_eq(record_blob(talk_record("a")).ptr[HLL_CACHE_FLAG_AT] & HLL_CACHE_INVALID,
                         HLL_CACHE_INVALID);
        ck_assert_str_eq(talk("pfcount a"), dense_too ? ":4\r\n" : ":3\r\n");
        ck_assert_int_eq(record_blob(talk_record("a")).ptr[HLL_CACHE_AT], dense_too ? 4 : 3);
        ck_assert_int_eq(record_blob(talk_record("a")).ptr[HLL_CACHE_FLAG_AT], 0);
        talk("pfdebug todense a");
        ck_assert_str_eq(talk("pfadd a 1"), ":0\r\n");
        ck_assert_int_eq(record_blob(talk_record("a")).ptr[HLL_CACHE_FLAG_AT], 0);
        ck_assert_str_eq(talk("pfadd a more%d", dense_too), ":1\r\n");
    }
    ck_assert_str_eq(talk("pfselftest"), "+OK\r\n");
}
END_TEST

#ifdef STILLFRAME_FAULTS
static const char *const writes[] = {"pfadd new 1",
                                     "pfadd few 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21",
                                     "pfmerge few dense", "pfmerge new few", "pfdebug todense few"};

static void
fill(void)
{
    talk("pfadd few 1 2 3");
    talk("pfadd dense 1 2 3");
    talk("pfdebug todense dense");
}

START_TEST(without_memory_nothing_changes)
{
    ck_assert_uint_gt(talk_starve(fill, writes[_i], false), 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/hll");
    TCase *t = tcase_create("hll");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, both_forms_hold_the_same_registers_and_the_estimate_is_near);
    tcase_add_test(t, runs_that_do_not_cover_all_registers_are_refused);
    tcase_add_test(t, the_count_is_kept_until_something_is_added);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, without_memory_nothing_changes, 0,
                        (int)(sizeof writes / sizeof *writes));
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
