/* tests/snapshot/test_lzf.c - LZF: what is only measured is judged as what is unpacked. */
#include "snapshot/rdb/lzf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"

static uint32_t dice = 12345;

static uint32_t
roll(uint32_t sides)
{
    dice = dice * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)dice * sides >> 32);
}

/* fill: words of an alphabet, which repeat at all distances. */
static void
fill(uint8_t *bytes, size_t len)
{
    uint32_t letters = 2 + roll(40), reach = 1 + roll(9000);

    for (size_t i = 0; i < len;) {
        size_t n = 1 + roll(roll(10) == 0 ? 400 : 20), back = 1 + roll(reach);

        for (; n > 0 && i < len; n--, i++)
            bytes[i] = back <= i && letters > 3 ? bytes[i - back] : (uint8_t)('a' + roll(letters));
        if (i < len)
            bytes[i++] = (uint8_t)('a' + roll(letters));
    }
}

/* unpack: all of it through a window, in inputs of `some` bytes; what came out, or -1. */
static long
unpack(const uint8_t *packed, size_t len, size_t some, uint8_t *out, size_t room)
{
    static uint8_t window[LZF_WINDOW_BYTES];
    struct lzf_window w = {.bytes = window};
    size_t at = 0, got = 0;

    while (at < len) {
        size_t n = len - at < some ? len - at : some, used;
        enum lzf_state state = lzf_unpack(&w, packed + at, n, &used);

        ck_assert_uint_le(w.fill, sizeof window);
        if (state == LZF_BAD_REFERENCE || got + w.fill - w.from > room)
            return -1;
        if (out != NULL)
            memcpy(out + got, window + w.from, w.fill - w.from);
        got += w.fill - w.from;
        at += used;
        if (used == 0 && state == LZF_WANTS_INPUT) {
            if (n == len - at) /* it ends in the middle of a step */
                return -1;
            some += LZF_STEP_BYTES;
        }
        lzf_take(&w);
    }
    return (long)got;
}

/* measure: the same without the bytes. */
static long
measure(const uint8_t *packed, size_t len, size_t some)
{
    uint64_t made = 0;
    size_t at = 0;

    while (at < len) {
        size_t n = len - at < some ? len - at : some, used;

        if (lzf_measure(packed + at, n, &made, &used) == LZF_BAD_REFERENCE)
            return -1;
        at += used;
        if (used == 0) {
            if (n == len - at)
                return -1;
            some += LZF_STEP_BYTES;
        }
    }
    return (long)made;
}

START_TEST(what_was_packed_comes_out_in_inputs_of_any_length)
{
    enum { LONGEST = LZF_BLOCK_BYTES };
    struct lzf_packer *k = malloc(sizeof *k);
    uint8_t *bytes = calloc(1, LONGEST), *packed = malloc(lzf_pack_bound(LONGEST)),
            *out = malloc(LONGEST);

    dice += (uint32_t)_i;
    lzf_packer_init(k);
    for (int i = 0; i < 100; i++) {
        size_t len = 1 + roll(i % 4 == 0 ? LONGEST : 1000), packed_len;
        size_t some = i % 3 == 0 ? 1 + roll(40) : LONGEST;

        fill(bytes, len);
        packed_len = lzf_pack(k, bytes, len, packed);
        ck_assert_int_eq(unpack(packed, packed_len, some, out, LONGEST), (long)len);
        ck_assert_mem_eq(out, bytes, len);
        ck_assert_int_eq(measure(packed, packed_len, some), (long)len);
    }
    free(k);
    free(bytes);
    free(packed);
    free(out);
}
END_TEST

START_TEST(what_is_damaged_is_judged_the_same)
{
    enum { LEN = 3000 };
    struct lzf_packer *k = malloc(sizeof *k);
    uint8_t bytes[LEN] = {0}, packed[2 * LEN];
    unsigned bad = 0, good = 0;

    dice += (uint32_t)_i;
    lzf_packer_init(k);
    for (int i = 0; i < 3000; i++) {
        size_t len = 1 + roll(i % 2 == 0 ? 40 : LEN), packed_len;
        uint8_t *exact;
        long made;

        fill(bytes, len);
        packed_len = lzf_pack(k, bytes, len, packed);
        for (unsigned n = 1 + roll(3); n > 0; n--)
            packed[roll((uint32_t)packed_len)] ^= (uint8_t)(1 << roll(8));
        exact = malloc(packed_len); /* so that a sanitizer sees who reads beyond */
        memcpy(exact, packed, packed_len);
        made = unpack(exact, packed_len, LZF_BLOCK_BYTES, NULL, 1 << 24);
        ck_assert_int_eq(measure(exact, packed_len, LZF_BLOCK_BYTES), made);
        bad += made < 0;
        good += made >= 0;
        free(exact);
    }
    ck_assert_uint_gt(bad, 100);
    ck_assert_uint_gt(good, 100);
    free(k);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/lzf");
    TCase *t = tcase_create("lzf");

    tcase_add_loop_test(t, what_was_packed_comes_out_in_inputs_of_any_length, 0, 5);
    tcase_add_loop_test(t, what_is_damaged_is_judged_the_same, 0, 5);
    suite_add_tcase(s, t);
    return run_suite(s);
}
