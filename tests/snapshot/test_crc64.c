/* tests/snapshot/test_crc64.c - the checksum: known values, and every way of computing it gives the
 * same. */
#include "mm/base/crc64.h"
#include "tests/support/runner.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* by_bits: the definition, one bit at a time. */
static uint64_t
by_bits(uint64_t crc, const uint8_t *p, size_t len)
{
    for (; len > 0; len--, p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x95ac9329ac4bc9b5 : 0);
    }
    return crc;
}

static uint8_t *
some_bytes(size_t len)
{
    uint8_t *p = malloc(len);
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(x >> 24);
    }
    return p;
}

START_TEST(the_check_value_of_the_format_comes_out)
{
    ck_assert_uint_eq(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9ca);
    ck_assert_uint_eq(crc64_by_table(0, "123456789", 9), 0xe9c6d914c4b8d9ca);
    ck_assert_uint_eq(crc64(0, "", 0), 0);
    ck_assert_uint_eq(crc64(77, "", 0), 77);
}
END_TEST

START_TEST(every_length_and_alignment_agrees_with_the_definition)
{
    enum { MOST = 1200 };
    uint8_t *p = some_bytes(MOST + 16);

    for (size_t len = 0; len < MOST; len++) {
        const uint8_t *from = p + len % 16;
        uint64_t want = by_bits(0x1234567890abcdef, from, len);

        ck_assert_uint_eq(crc64(0x1234567890abcdef, from, len), want);
        ck_assert_uint_eq(crc64_by_table(0x1234567890abcdef, from, len), want);
    }
    free(p);
}
END_TEST

START_TEST(pieces_give_the_checksum_of_the_whole)
{
    enum { MOST = 300000 };
    uint8_t *p = some_bytes(MOST);
    uint64_t whole = by_bits(0, p, MOST), crc = 0;

    ck_assert_uint_eq(crc64(0, p, MOST), whole);
    for (size_t at = 0, step = 1; at < MOST; at += step, step = step * 3 + 1) {
        if (step > MOST - at)
            step = MOST - at;
        crc = crc64(crc, p + at, step);
    }
    ck_assert_uint_eq(crc, whole);
    free(p);
}
END_TEST

/* Where the halves were taken by two threads. */
START_TEST(two_checksums_give_that_of_both)
{
    enum { MOST = 70000 };
    uint8_t *p = some_bytes(MOST);
    uint64_t whole = by_bits(0, p, MOST);

    for (size_t at = 0; at <= MOST; at += 3500)
        ck_assert_uint_eq(crc64_joined(crc64(0, p, at), crc64(0, p + at, MOST - at), MOST - at),
                          whole);
    free(p);
}
END_TEST

START_TEST(one_flipped_bit_changes_the_checksum)
{
    enum { MOST = 1024 };
    uint8_t *p = some_bytes(MOST);
    uint64_t whole = crc64(0, p, MOST);

    for (unsigned bit = 0; bit < MOST * 8; bit++) {
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_uint_ne(crc64(0, p, MOST), whole);
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(p);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/crc64");
    TCase *t = tcase_create("crc64");

    suite_add_tcase(s, t);
    tcase_add_test(t, the_check_value_of_the_format_comes_out);
    tcase_add_test(t, every_length_and_alignment_agrees_with_the_definition);
    tcase_add_test(t, pieces_give_the_checksum_of_the_whole);
    tcase_add_test(t, two_checksums_give_that_of_both);
    tcase_add_test(t, one_flipped_bit_changes_the_checksum);
    return run_suite(s);
}
