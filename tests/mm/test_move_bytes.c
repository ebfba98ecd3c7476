/* tests/mm/test_move_bytes.c - memmove() as it is linked, beside a loop over single bytes. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/move.h"
#include "tests/support/runner.h"

enum { ROOM = 12000, MIDDLE = 5000, FAR = 40 };

static uint8_t moved[ROOM], expected[ROOM];
/* so that the compiler knows nothing of the length */
static void *(*volatile move)(void *, const void *, size_t) = memmove;

static void
check_move(size_t from, size_t to, size_t len)
{
    for (size_t i = 0; i < ROOM; i++)
        moved[i] = (uint8_t)(i * 2654435761U >> 13);
    memcpy(expected, moved, ROOM);
    for (size_t i = 0; i < len; i++)
        expected[to + i] = moved[from + i];
    ck_assert_ptr_eq(move(moved + to, moved + from, len), moved + to);
    ck_assert_msg(memcmp(moved, expected, ROOM) == 0, "%zu bytes from %zu to %zu", len, from, to);
}

static const size_t lengths[] = {0,    1,    2,    3,    7,    8,    9,    15,   16,  17,
                                 31,   32,   33,   63,   64,   65,   100,  255,  256, 257,
                                 1023, 1024, 1025, 1031, 1047, 2000, 2048, 2049, 5000};

START_TEST(bytes_are_moved)
{
    size_t len = lengths[_i];

    for (int by = 0; by < 2; by++) {
        move_by_ourselves(by == 1);
        for (size_t from = MIDDLE; from < MIDDLE + 8; from++) {
            for (size_t to = from - FAR; to <= from + FAR; to++)
                check_move(from, to, len);
            check_move(from, 0, len);
            check_move(from, ROOM - len, len);
        }
        move_by_ourselves(false);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("move_bytes");
    TCase *moves = tcase_create("moves");

    tcase_add_loop_test(moves, bytes_are_moved, 0, sizeof lengths / sizeof lengths[0]);
    suite_add_tcase(s, moves);
    return run_suite(s);
}
