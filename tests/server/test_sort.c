/* tests/server/test_sort.c - SORT against the C library's order, and without memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"
#include "tests/support/talk.h"

enum { NUMBERS = 3000 };

static int
compare(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return x < y ? -1 : x > y;
}

/* Numbers, directly and by weights that stand elsewhere, up and down, with a limit. */
START_TEST(numbers_come_in_order)
{
    static long numbers[NUMBERS];
    const char *p;

    srand48(1);
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = lrand48() - (1L << 30);
        talk("rpush l %ld", numbers[i]);
        talk("set w_%ld %ld", numbers[i], -numbers[i]);
    }
    qsort(numbers, NUMBERS, sizeof *numbers, compare);
    for (int way = 0; way < 3; way++) {
        static const char *const sorts[] = {"sort l", "sort l by w_* desc",
                                            "sort l desc limit 0 10"};
        int count = way == 2 ? 10 : NUMBERS;

        p = talk("%s", sorts[way]);
        ck_assert_int_eq(p[0], '*');
        ck_assert_int_eq(atoi(p + 1), count);
        p = strchr(p, '\n') + 1;
        for (int i = 0; i < count; i++) {
            p = strchr(p, '\n') + 1;
            ck_assert_int_eq(atol(p), numbers[way == 2 ? NUMBERS - 1 - i : i]);
            p = strchr(p, '\n') + 1;
        }
    }
}
END_TEST

#ifdef STILLFRAME_FAULTS
static const char *const sorts[] = {
    "sort l store d",
    "sort l store l",
    "sort l by w_* get g_* get # store d",
    "sort l by h_*->f desc alpha get h_*->f store new",
    "sort s alpha limit 1 20 store d",
    "sort z by nosort desc store d",
    "sort nokey store d",
};

static void
fill(void)
{
    for (int i = 0; i < 40; i++) {
        talk("rpush l %d", i * 7 % 40);
        talk("set w_%d %d", i, 40 - i);
        talk("set g_%d @90*%c", i, 'a' + i % 26);
        talk("hset h_%d f word%d", i, i);
        talk("sadd s member%d", i);
        talk("zadd z %d %d", i, i * 3);
    }
    talk("rpush d before");
    talk("expire d 100");
}

START_TEST(a_store_without_memory_changes_nothing)
{
    unsigned refused = 0;

    talk("config set list-max-listpack-size %d", _i == 0 ? -2 : 4);
    for (unsigned w = 0; w < sizeof sorts / sizeof *sorts; w++)
        refused += talk_starve(fill, sorts[w], false);
    ck_assert_uint_gt(refused, 0);
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/sort");
    TCase *t = tcase_create("sort");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, numbers_come_in_order);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, a_store_without_memory_changes_nothing, 0, 2);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
