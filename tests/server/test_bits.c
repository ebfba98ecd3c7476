/* tests/server/test_bits.c - strings as bits: against bit-by-bit models, and all or nothing. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/data/string/bits.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

enum { BYTES = 200, ROUNDS = 20000 };
static char bytes[BYTES];

static bool
bit(const char *p, uint64_t at)
{
    return ((uint8_t)p[at / 8] >> (7 - at % 8)) & 1;
}

/* fill: mostly zeros, mostly ones, or anything. */
static void
fill(int kind)
{
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(kind == 0   ? (rand() % 40 == 0 ? rand() : 0)
                          : kind == 1 ? (rand() % 40 == 0 ? rand() : 255)
                                      : rand());
}

/* expect: where it is asked millions of times: Check tells its parent of each of its own
 * assertions. */
static void
expect(bool holds)
{
    if (!holds)
        ck_abort();
}

START_TEST(counting_and_finding_agree_with_a_look_at_each_bit)
{
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from, end, count = 0;
        int64_t first[2] = {-1, -1};

        fill(round % 3);
        end = (uint64_t)rand() % (BYTES * 8 + 1);
        from = (uint64_t)rand() % (end + 1);
        for (uint64_t i = from; i < end; i++) {
            count += bit(bytes, i);
            if (first[bit(bytes, i)] < 0)
                first[bit(bytes, i)] = (int64_t)i;
        }
        ck_assert_uint_eq(bits_count(bytes, from, end), count);
        ck_assert_int_eq(bits_find(bytes, from, end, false), first[0]);
        ck_assert_int_eq(bits_find(bytes, from, end, true), first[1]);
    }
}
END_TEST

START_TEST(a_number_is_read_where_it_was_written)
{
    srand(2);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned width = 1 + (unsigned)rand() % 64;
        uint64_t offset = (uint64_t)rand() % (BYTES * 8 - width), want = 0;
        uint64_t value = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        size_t shown = (size_t)rand() % BYTES;
        char before[BYTES];

        fill(2);
        memcpy(before, bytes, BYTES);
        bits_write(bytes, offset, width, value);
        value &= UINT64_MAX >> (64 - width);
        ck_assert_uint_eq(bits_read((struct slice){bytes, BYTES}, offset, width), value);
        for (uint64_t i = 0; i < BYTES * 8; i++)
            expect((i >= offset && i < offset + width) || bit(bytes, i) == bit(before, i));
        for (uint64_t i = offset; i < offset + width; i++)
            want = want << 1 | (i < shown * 8 && bit(bytes, i));
        ck_assert_uint_eq(bits_read((struct slice){bytes, shown}, offset, width), want);
    }
}
END_TEST

/* Strings longer than a piece, of different lengths. */
START_TEST(combining_agrees_with_a_look_at_each_byte)
{
    enum { LONGEST = 20000, COUNT = 3 };
    static char text[COUNT][LONGEST], out[LONGEST];

    srand(3);
    for (int round = 0; round < 60; round++) {
        struct slice in[COUNT];
        enum bits_operation op = (enum bits_operation)(round % 4);
        int count = op == BITS_NOT ? 1 : 1 + rand() % COUNT;
        size_t longest = 0;

        for (int k = 0; k < count; k++) {
            in[k] = (struct slice){text[k], (size_t)rand() % LONGEST};
            longest = in[k].len > longest ? in[k].len : longest;
            for (size_t i = 0; i < LONGEST; i++)
                text[k][i] = (char)rand();
        }
        bits_combine(out, longest, op, in, count);
        for (size_t i = 0; i < longest; i++) {
            uint8_t want = i < in[0].len ? (uint8_t)text[0][i] : 0;

            for (int k = 1; k < count; k++) {
                uint8_t b = i < in[k].len ? (uint8_t)text[k][i] : 0;

                want = op == BITS_AND ? want & b : op == BITS_OR ? want | b : want ^ b;
            }
            expect((uint8_t)out[i] == (uint8_t)(op == BITS_NOT ? ~want : want));
        }
    }
}
END_TEST

START_TEST(a_far_bit_makes_a_string_of_zeros)
{
    ck_assert_str_eq(talk("setbit a 4294967295 1"), ":0\r\n");
    ck_assert_str_eq(talk("strlen a"), ":536870912\r\n");
    ck_assert_str_eq(talk("getbit a 4294967295"), ":1\r\n");
    ck_assert_str_eq(talk("bitpos a 1 -1"), ":4294967295\r\n");
    ck_assert_str_eq(talk("setbit a 4294967296 1"),
                     "-ERR bit offset is not an integer or out of range\r\n");
}
END_TEST

#ifdef STILLFRAME_FAULTS
static const char *const writes[] = {"setbit small 400 1",
                                     "setbit number 3 1",
                                     "setbit large 100000 1",
                                     "setbit new 9 1",
                                     "bitop or large small x",
                                     "bitop not small large",
                                     "bitop xor new large small",
                                     "bitfield small set u8 0 1 incrby i9 3000 5",
                                     "bitfield large set u8 0 1 set i64 90000 7",
                                     "bitfield number incrby u8 0 9",
                                     "bitfield new set u8 0 1 get u9 7"};

static void
set_some(void)
{
    talk("set small 0123456789abc");
    talk("set number 12345");
    talk("set large @5000*x");
}

START_TEST(without_memory_nothing_changes)
{
    ck_assert_uint_gt(talk_starve(set_some, writes[_i], false), 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/bits");
    TCase *t = tcase_create("bits");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, counting_and_finding_agree_with_a_look_at_each_bit);
    tcase_add_test(t, a_number_is_read_where_it_was_written);
    tcase_add_test(t, combining_agrees_with_a_look_at_each_byte);
    tcase_add_test(t, a_far_bit_makes_a_string_of_zeros);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, without_memory_nothing_changes, 0,
                        (int)(sizeof writes / sizeof *writes));
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
