/* tests/mm/test_system.c - what is asked of the system: its limits, its memory where nobody else
 * counts it, stacks, pages that may not be written, and its clocks. */
#include <check.h>
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/base/stack.h"
#include "mm/base/ticks.h"
#include "mm/cut.h"
#include "mm/page.h"
#include "tests/support/runner.h"

/* ---- limits ---- */

START_TEST(a_limit_of_addresses_is_known)
{
    struct rlimit before, limit;

    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    limit = (struct rlimit){.rlim_cur = (rlim_t)1 << 46, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_uint_eq(os_address_limit(), (size_t)1 << 46);
    room_init(); /* threads share malloc()'s arena */
    ck_assert_uint_eq(room_sizes.kept_bytes, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    ck_assert_uint_eq(os_address_limit(),
                      before.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)before.rlim_cur);
    room_init();
    ck_assert_uint_eq(room_sizes.kept_bytes, 0); /* the system says no itself */
}
END_TEST

static size_t
thread_stack_bytes(void)
{
    pthread_attr_t attributes;
    size_t bytes = 0;

    ck_assert_int_eq(pthread_getattr_default_np(&attributes), 0);
    ck_assert_int_eq(pthread_attr_getstacksize(&attributes, &bytes), 0);
    pthread_attr_destroy(&attributes);
    return bytes;
}

START_TEST(a_low_limit_of_stacks_is_raised)
{
    struct rlimit before, limit;
    pthread_attr_t low;
    size_t told = 77;

    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &before), 0);
    ck_assert(before.rlim_max >= STACK_BYTES);
    ck_assert_int_eq(pthread_attr_init(&low), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&low, STACK_THREAD_BYTES / 2), 0);
    for (int i = 0; i < 2; i++) { /* the second time nothing is to do */
        limit = (struct rlimit){.rlim_cur = i == 0 ? 1 << 20 : 2 * STACK_BYTES,
                                .rlim_max = before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
        if (i == 0)
            ck_assert_int_eq(pthread_setattr_default_np(&low), 0);
        ck_assert_int_eq(stack_init(&told), 0);
        ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
        ck_assert_uint_eq(limit.rlim_cur, i == 0 ? STACK_BYTES : 2 * STACK_BYTES);
        ck_assert_uint_eq(thread_stack_bytes(), STACK_THREAD_BYTES);
    }
    ck_assert_uint_eq(told, 77);
    pthread_attr_destroy(&low);
    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &before), 0);
}
END_TEST

/* without_rights: in a process of its own. */
static int
without_rights(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{.effective = 0}, {.effective = 0}};
    const struct rlimit low = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
    size_t told = 0;

    if (syscall(SYS_capset, &head, none) != 0 || setrlimit(RLIMIT_STACK, &low) != 0)
        return 1;
    return stack_init(&told) == -EPERM && told == low.rlim_max ? 0 : 2;
}

START_TEST(a_limit_of_stacks_that_cannot_be_raised_is_told)
{
    int status;
    pid_t child;

    fflush(NULL);
    ck_assert_int_ge(child = fork(), 0);
    if (child == 0)
        exit(without_rights());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- memory ---- */

/* What room.h answers while so much is kept.  No assertion meanwhile: malloc() has nothing for it,
 * either. */
struct answers {
    bool much, much_small, little, little_small, is_short, is_nearly_out;
};

static struct answers
ask(size_t kept_bytes)
{
    struct answers a;

    room_sizes.kept_bytes = kept_bytes;
    a = (struct answers){.much = room_for(SIZE_MAX / 4),
                         .much_small = room_for_small(SIZE_MAX / 4),
                         .little = room_for(4096),
                         .little_small = room_for_small(4096),
                         .is_short = room_is_short(0),
                         .is_nearly_out = room_is_nearly_out(0)};
    room_sizes.kept_bytes = 0;
    return a;
}

START_TEST(what_is_kept_for_the_system_is_given_to_nobody)
{
    struct answers a;
    size_t half;

    ck_assert_uint_gt(os_free_bytes(), 0);
    ck_assert_uint_le(os_free_bytes(), os_memory_bytes());
    a = ask(0); /* the system says no itself */
    ck_assert(a.much && a.much_small && a.little && a.little_small);
    ck_assert(!a.is_short && !a.is_nearly_out);
    a = ask(4096);
    ck_assert(!a.much && !a.much_small && a.little && a.little_small);
    ck_assert(!a.is_short && !a.is_nearly_out);
    a = ask(SIZE_MAX / 4);
    ck_assert(!a.much && !a.much_small && !a.little && !a.little_small);
    ck_assert(a.is_short && a.is_nearly_out);
    /* Of half as much again as is free a half may be lent, and is there for what is small. */
    half = os_free_bytes() / 4 * 6;
    a = ask(half);
    ck_assert(!a.little && a.little_small && a.is_short && a.is_nearly_out);
    room_lend(true);
    a = ask(half);
    room_lend(false);
    ck_assert(a.little && a.little_small);
    ck_assert(!ask(half).little);
}
END_TEST

/* RM2: blocks that had memory before are given; no fresh one is, and none for copies of pages. */
START_TEST(where_nobody_says_no_the_arena_does)
{
    enum { BYTES = 8 << 20 };
    const size_t all = os_memory_bytes() / MM_PAGE_BYTES * MM_PAGE_BYTES;
    char *held, *freed, *fresh, *again, *last;
    epoch_t epoch;

    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = 3 * all}), 0);
    ck_assert_ptr_nonnull(freed = mm_alloc(MM_VALUE, all)); /* it is not written to */
    ck_assert_ptr_nonnull(held = mm_alloc(MM_VALUE, BYTES));
    mm_free(freed);
    room_sizes.kept_bytes = os_free_bytes() / 4 * 3;
    fresh = mm_alloc(MM_VALUE, all / 4 * 5);
    again = mm_alloc(MM_VALUE, all / 2);
    room_sizes.kept_bytes = 0;
    ck_assert_ptr_null(fresh);
    ck_assert_ptr_eq(again, freed);
    mm_free(again);
    room_sizes.kept_bytes = SIZE_MAX / 4; /* the system has less than is kept */
    fresh = mm_alloc(MM_VALUE, all / 4 * 5);
    last = mm_alloc(MM_VALUE, all / 2);
    room_sizes.kept_bytes = 0;
    ck_assert_ptr_null(fresh);
    ck_assert_ptr_eq(last, freed);
    mm_check();

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    room_sizes.kept_bytes = SIZE_MAX / 4;
    for (size_t at = 0; at < BYTES; at += MM_PAGE_BYTES)
        memset(mm_modify(held + at, 1), 2, 1);
    room_sizes.kept_bytes = 0;
    ck_assert(mm_cut_is_broken());
    ck_assert(!mm_cut_is_over_limit());
    for (size_t at = 0; at < BYTES; at += MM_PAGE_BYTES)
        ck_assert_int_eq(held[at], 2); /* the write was done all the same */
    mm_cut_end();
    while (mm_settle(64))
        ;
    mm_check();
    mm_fini();
}
END_TEST

START_TEST(a_page_is_protected_and_one_that_is_not_there_is_an_error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = os_reserve(4 * page);
    int ends[2];

    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(os_commit(p, 2 * page), 0);
    p[0] = 'a';
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "b", 1), 1);
    ck_assert_int_eq(os_protect(p, page, false), 0);
    ck_assert_int_eq(read(ends[0], p, 1), -1); /* the system may not write to it, either */
    ck_assert_int_eq(errno, EFAULT);
    ck_assert_int_eq(os_protect(p, page, true), 0);
    ck_assert_int_eq(read(ends[0], p, 1), 1);
    ck_assert_int_eq(p[0], 'b');
    close(ends[0]);
    close(ends[1]);
    os_release(p, 4 * page);
    ck_assert_int_eq(os_protect(p, page, true), -ENOMEM);
    ck_assert_int_eq(os_commit(p, page), -ENOMEM);
}
END_TEST

/* ---- clocks ---- */

START_TEST(ticks_are_nanoseconds_before_and_behind_their_measure)
{
    for (int i = 0; i < 2; i++) {
        uint64_t begin, passed_ns;
        int64_t begin_ns = os_monotonic_ns(), both_ns;

        ticks_refresh(); /* the first time it is not known yet which clock it is */
        begin = ticks_now();
        usleep(20000);
        passed_ns = ticks_to_ns(ticks_now() - begin);
        both_ns = os_monotonic_ns() - begin_ns;
        ck_assert_uint_ge(passed_ns, 19000000);
        ck_assert_uint_le(passed_ns, (uint64_t)both_ns / 100 * 105);
        ticks_init();
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/system");
    TCase *t = tcase_create("system");

    tcase_set_timeout(t, 60);
    tcase_set_tags(t, "kernel");
    tcase_add_test(t, a_limit_of_addresses_is_known);
    tcase_add_test(t, a_low_limit_of_stacks_is_raised);
    tcase_add_test(t, a_limit_of_stacks_that_cannot_be_raised_is_told);
    tcase_add_test(t, what_is_kept_for_the_system_is_given_to_nobody);
    tcase_add_test(t, where_nobody_says_no_the_arena_does);
    tcase_add_test(t, a_page_is_protected_and_one_that_is_not_there_is_an_error);
    tcase_add_test(t, ticks_are_nanoseconds_before_and_behind_their_measure);
    suite_add_tcase(s, t);
    return run_suite(s);
}
