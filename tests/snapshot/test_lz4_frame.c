/* tests/snapshot/test_lz4_frame.c - a frame made block by block is one that liblz4 and `lz4 -t`
 * read. */
#include "snapshot/rdb/lz4_frame.h"

#include <check.h>
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/aborts.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

struct bytes {
    uint8_t *at;
    size_t len;
};

enum content { ZEROS, WORDS, RANDOM };

static struct bytes
make_content(enum content kind, size_t len)
{
    static const char *const words[] = {"page ", "view ", "image ", "epoch ", "claim ", "sweep "};
    struct bytes b = {malloc(len + 8), 0};
    uint32_t x = 12345;

    while (b.len < len) {
        const char *word = words[(x >> 16) % 6];

        x = x * 1664525 + 1013904223;
        if (kind == WORDS)
            b.len += (size_t)sprintf((char *)b.at + b.len, "%s", word);
        else
            b.at[b.len++] = kind == ZEROS ? 0 : (uint8_t)(x >> 24);
    }
    b.len = len;
    return b;
}

/* frame_of: blocks of `block` bytes, made last to first, as threads may, and joined in order. */
static struct bytes
frame_of(struct bytes content, size_t block, int level, bool checksums)
{
    size_t blocks = (content.len + block - 1) / block, bound = lz4_frame_block_bound(block);
    uint8_t *made = malloc(blocks * bound + 1);
    size_t *len = calloc(blocks + 1, sizeof *len);
    void *state = malloc(lz4_frame_state_bytes());
    struct bytes f = {malloc(LZ4_FRAME_HEAD_BYTES + blocks * bound + LZ4_FRAME_TAIL_BYTES), 0};
    struct lz4_frame_sum sum;

    for (size_t i = blocks; i-- > 0;) {
        size_t at = i * block, n = content.len - at < block ? content.len - at : block;

        len[i] = lz4_frame_block(state, made + i * bound, content.at + at, n, level, checksums);
        ck_assert_uint_le(len[i], lz4_frame_block_bound(n));
    }
    f.len = lz4_frame_head(f.at, checksums);
    ck_assert_uint_eq(f.len, LZ4_FRAME_HEAD_BYTES);
    lz4_frame_sum_begin(&sum);
    for (size_t i = 0; i < blocks; i++) {
        size_t at = i * block, n = content.len - at < block ? content.len - at : block;

        memcpy(f.at + f.len, made + i * bound, len[i]);
        f.len += len[i];
        lz4_frame_sum_add(&sum, content.at + at, n);
    }
    f.len += lz4_frame_tail(f.at + f.len, checksums, lz4_frame_sum_end(&sum));
    free(made);
    free(len);
    free(state);
    return f;
}

/* unpack: by liblz4, in pieces; the error's name, or NULL and *ret. */
static const char *
unpack(struct bytes frame, size_t most, struct bytes *ret)
{
    LZ4F_dctx *d;
    size_t at = LZ4_FRAME_ENVELOPE_BYTES, hint = 1;
    const char *error = NULL;

    *ret = (struct bytes){malloc(most + 1), 0};
    ck_assert(!LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)));
    while (hint != 0 && error == NULL && at < frame.len) {
        size_t in = frame.len - at < 10007 ? frame.len - at : 10007, out = most + 1 - ret->len;

        hint = LZ4F_decompress(d, ret->at + ret->len, &out, frame.at + at, &in, NULL);
        error = LZ4F_isError(hint) ? LZ4F_getErrorName(hint) : NULL;
        at += in;
        ret->len += out;
    }
    if (error == NULL && (hint != 0 || at != frame.len))
        error = "not the whole frame";
    LZ4F_freeDecompressionContext(d);
    return error;
}

static const struct {
    enum content kind;
    size_t len, block;
} cases[] = {
    {ZEROS, 0, 1},
    {RANDOM, 1, 1},
    {RANDOM, 2, LZ4_FRAME_BLOCK_BYTES},
    {ZEROS, 13, LZ4_FRAME_BLOCK_BYTES},
    {WORDS, 100, 1},
    {WORDS, 1000, 7},
    {RANDOM, 300000, LZ4_FRAME_BLOCK_BYTES},
    {ZEROS, LZ4_FRAME_BLOCK_BYTES, LZ4_FRAME_BLOCK_BYTES},
    {WORDS, LZ4_FRAME_BLOCK_BYTES + 1, LZ4_FRAME_BLOCK_BYTES},
    {WORDS, 5000000, LZ4_FRAME_BLOCK_BYTES},
    {WORDS, 500000, 65536},
};
static const int levels[] = {LZ4_FRAME_LEVEL_MIN, -1, 0, 3, 9, LZ4_FRAME_LEVEL_MAX};

START_TEST(liblz4_reads_what_was_written)
{
    struct bytes content = make_content(cases[_i].kind, cases[_i].len), frame, got;

    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
        for (int checksums = 0; checksums < 2; checksums++) {
            frame = frame_of(content, cases[_i].block, levels[l], checksums);
            ck_assert_ptr_null(unpack(frame, content.len, &got));
            ck_assert_mem_eq(frame.at, "VCS\1\1\0\1", LZ4_FRAME_ENVELOPE_BYTES);
            ck_assert_uint_eq(got.len, content.len);
            ck_assert_int_eq(memcmp(got.at, content.at, got.len), 0);
            free(frame.at);
            free(got.at);
        }
    free(content.at);
}
END_TEST

START_TEST(the_lz4_program_finds_nothing_wrong)
{
    char dir[SCRATCH_BYTES], path[SCRATCH_BYTES + 16], command[2 * SCRATCH_BYTES];
    struct bytes content = make_content(cases[_i].kind, cases[_i].len);

    scratch_make(dir, "lz4");
    snprintf(path, sizeof path, "%s/frame.lz4", dir);
    snprintf(command, sizeof command, "lz4 -t -q %s", path);
    for (int checksums = 0; checksums < 2; checksums++) {
        struct bytes frame = frame_of(content, cases[_i].block, 0, checksums);
        size_t len = frame.len - LZ4_FRAME_ENVELOPE_BYTES;
        FILE *f = fopen(path, "w");

        ck_assert_uint_eq(fwrite(frame.at + LZ4_FRAME_ENVELOPE_BYTES, 1, len, f), len);
        fclose(f);
        ck_assert_int_eq(system(command), 0);
        free(frame.at);
    }
    unlink(path);
    rmdir(dir);
    free(content.at);
}
END_TEST

START_TEST(what_does_not_shrink_is_stored)
{
    struct bytes content = make_content(RANDOM, 2 * LZ4_FRAME_BLOCK_BYTES);
    struct bytes frame = frame_of(content, LZ4_FRAME_BLOCK_BYTES, 0, false);

    ck_assert_uint_eq(frame.len, LZ4_FRAME_HEAD_BYTES + 2 * (4 + LZ4_FRAME_BLOCK_BYTES) + 4);
    free(frame.at);
    free(content.at);
}
END_TEST

START_TEST(a_higher_level_is_smaller)
{
    struct bytes content = make_content(WORDS, 1000000), fast, plain, small;

    fast = frame_of(content, LZ4_FRAME_BLOCK_BYTES, -20, false);
    plain = frame_of(content, LZ4_FRAME_BLOCK_BYTES, 0, false);
    small = frame_of(content, LZ4_FRAME_BLOCK_BYTES, 9, false);
    ck_assert_uint_gt(fast.len, plain.len);
    ck_assert_uint_gt(plain.len, small.len);
    free(fast.at);
    free(plain.at);
    free(small.at);
    free(content.at);
}
END_TEST

START_TEST(with_checksums_every_flipped_bit_is_noticed)
{
    struct bytes content = make_content(WORDS, 400);
    struct bytes frame = frame_of(content, 200, 0, true), got;

    for (size_t at = LZ4_FRAME_ENVELOPE_BYTES; at < frame.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            frame.at[at] ^= (uint8_t)(1 << bit);
            ck_assert_ptr_nonnull(unpack(frame, content.len, &got));
            frame.at[at] ^= (uint8_t)(1 << bit);
            free(got.at);
        }
    free(frame.at);
    free(content.at);
}
END_TEST

static const struct {
    size_t len, shift; /* shift: of the state, from where it is aligned */
    int level;
} wrong[] = {
    {0, 0, 0},
    {LZ4_FRAME_BLOCK_BYTES + 1, 0, 0},
    {1, 0, LZ4_FRAME_LEVEL_MAX + 1},
    {1, 0, LZ4_FRAME_LEVEL_MIN - 1},
    {1, 1, 0},
};
static int chosen;

static void
call_wrongly(void)
{
    static uint8_t block[LZ4_FRAME_BLOCK_BYTES + 1], out[LZ4_FRAME_BLOCK_BYTES + 16];
    uint8_t *state = malloc(lz4_frame_state_bytes() + 1);

    (void)lz4_frame_block(state + wrong[chosen].shift, out, block, wrong[chosen].len,
                          wrong[chosen].level, false);
}

START_TEST(a_wrong_call_ends_the_program)
{
    chosen = _i;
    ck_assert(aborts(call_wrongly));
}
END_TEST

START_TEST(what_liblz4_says_is_told_in_words)
{
    struct lz4_frame_sum with, without;
    unsigned memory = 0, by_name = 0, by_text = 0;

    for (size_t code = 1; LZ4F_isError(-code); code++) {
        const char *name = LZ4F_getErrorName(-code), *text = lz4_frame_wrong(-code);

        if (strcmp(name, "ERROR_allocation_failed") == 0)
            memory += text == NULL; /* that is nothing wrong with the frame */
        else if (strcmp(text, name) == 0)
            by_name++; /* nothing better is known */
        else
            by_text++;
    }
    ck_assert_uint_eq(memory, 1);
    ck_assert_uint_eq(by_text, 8);
    ck_assert_uint_gt(by_name, 0);
    lz4_frame_sum_begin(&with);
    lz4_frame_sum_begin(&without);
    lz4_frame_sum_add(&with, "abc", 3);
    lz4_frame_sum_add(&with, NULL, 0);
    lz4_frame_sum_add(&without, "abc", 3);
    ck_assert_uint_eq(lz4_frame_sum_end(&with), lz4_frame_sum_end(&without));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lz4_frame");
    TCase *t = tcase_create("lz4_frame");
    int n = (int)(sizeof cases / sizeof *cases);

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, liblz4_reads_what_was_written, 0, n);
    tcase_add_loop_test(t, the_lz4_program_finds_nothing_wrong, 0, n);
    tcase_add_test(t, what_does_not_shrink_is_stored);
    tcase_add_test(t, a_higher_level_is_smaller);
    tcase_add_test(t, what_liblz4_says_is_told_in_words);
    tcase_add_test(t, with_checksums_every_flipped_bit_is_noticed);
    tcase_add_loop_test(t, a_wrong_call_ends_the_program, 0, (int)(sizeof wrong / sizeof *wrong));
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
