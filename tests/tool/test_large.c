/* tests/tool/test_large.c - what must be held whole: in a file, and hashed piece by piece. */
#include "tool/base/large.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/runner.h"
#include "tool/base/hash.h"

enum { BYTES = 48 << 20, STEP = 4 << 20 };

/* fill: bytes that say where they are. */
static void
fill(uint8_t *at, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += sizeof(uint64_t)) {
        uint64_t word = i * 0x9e3779b97f4a7c15u;

        memcpy(at + i, &word, sizeof word);
    }
}

static bool
is_filled(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t word = i * 0x9e3779b97f4a7c15u;

        if (memcmp(at + i, &word, sizeof word) != 0)
            return false;
    }
    return true;
}

/* held: bytes of the region that are the process's, by /proc. */
static size_t
held(const void *at)
{
    char line[512], *end;
    FILE *f = fopen("/proc/self/smaps", "r");
    bool is_here = false;
    size_t kb = SIZE_MAX;

    ck_assert_ptr_nonnull(f);
    while (kb == SIZE_MAX && fgets(line, sizeof line, f) != NULL) {
        uintptr_t begin = (uintptr_t)strtoull(line, &end, 16);

        if (*end == '-')
            is_here = begin == (uintptr_t)at;
        else if (is_here && strncmp(line, "Rss:", 4) == 0)
            kb = strtoul(line + 4, NULL, 10);
    }
    fclose(f);
    ck_assert_uint_ne(kb, SIZE_MAX);
    return kb << 10;
}

START_TEST(what_is_there_stays)
{
    uint8_t *p = tool_large(NULL, 0, STEP), *other = tool_large(NULL, 0, STEP);

    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_nonnull(other);
    fill(other, 0, STEP);
    fill(p, 0, STEP);
    for (size_t room = STEP; room < BYTES; room += STEP) {
        ck_assert_ptr_nonnull(p = tool_large(p, room, room + STEP));
        fill(p, room, room + STEP);
        ck_assert_ptr_eq(tool_large(p, room + STEP, room + STEP), p);
    }
    ck_assert(is_filled(p, BYTES));
    ck_assert(is_filled(other, STEP));
    ck_assert_ptr_null(tool_large(p, BYTES, 0));
    ck_assert_ptr_null(tool_large(other, STEP, 0));
}
END_TEST

START_TEST(pages_are_let_go_of)
{
    uint8_t *p = tool_large(NULL, 0, BYTES);
    unsigned tries = 0;

    ck_assert_ptr_nonnull(p);
    fill(p, 0, BYTES);
    /* the thread has its turn at some time, though nobody asks */
    while (held(p) > 0 && tries++ < 10000)
        usleep(1000);
    ck_assert_uint_eq(held(p), 0);
    ck_assert(is_filled(p, BYTES));
    tool_large(p, BYTES, 0);
}
END_TEST

START_TEST(hash_is_that_of_the_whole)
{
    uint8_t *p = malloc(BYTES);
    static const size_t lens[] = {0, 1, 1 << 20, RDB_LARGE_BYTES, RDB_LARGE_BYTES + 1, BYTES};

    ck_assert_ptr_nonnull(p);
    fill(p, 0, BYTES);
    for (unsigned i = 0; i < sizeof lens / sizeof *lens; i++) {
        XXH128_hash_t both = tool_hash128(slice_of(p, lens[i]), 7),
                      want = XXH3_128bits_withSeed(p, lens[i], 7);

        ck_assert_uint_eq(tool_hash(slice_of(p, lens[i]), 7), XXH3_64bits_withSeed(p, lens[i], 7));
        ck_assert(XXH128_isEqual(both, want));
    }
    free(p);
}
END_TEST

START_TEST(without_a_directory_there_is_none)
{
    ck_assert_int_eq(setenv("TMPDIR", "/nowhere/at/all", 1), 0);
    ck_assert_ptr_null(tool_large(NULL, 0, STEP));
    ck_assert_int_eq(unsetenv("TMPDIR"), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("tool/large");
    TCase *t = tcase_create("large");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_is_there_stays);
    tcase_add_test(t, pages_are_let_go_of);
    tcase_add_test(t, hash_is_that_of_the_whole);
    tcase_add_test(t, without_a_directory_there_is_none);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
