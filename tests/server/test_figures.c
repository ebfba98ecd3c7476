/* tests/server/test_figures.c - what is kept of what took long: events (latency.h) and calls
 * (slowlog.h). */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/clock.h"
#include "server/figures/latency.h"
#include "server/figures/slowlog.h"
#include "tests/support/runner.h"

static int64_t threshold_ms;

static void
setup(void)
{
    threshold_ms = 10;
    latency_init(&threshold_ms);
    latency_forget_all();
    slowlog_clear();
    clock_now.ms = 1800000000000;
}

/* ---- events ---- */

START_TEST(an_event_is_kept_from_the_threshold_on)
{
    latency_add("command", 9);
    ck_assert_uint_eq(latency_count(), 0);
    latency_add("command", 10);
    ck_assert_uint_eq(latency_count(), 1);
    threshold_ms = 0;
    latency_add("fast-command", 1000);
    ck_assert_uint_eq(latency_count(), 1);
    ck_assert_str_eq(latency_at(0)->name, "command");
    ck_assert_ptr_null(latency_at(1));
    ck_assert_ptr_eq(latency_find(SLICE("COMMAND")), latency_at(0));
}
END_TEST

START_TEST(of_one_second_the_longest_is_kept_and_of_the_seconds_the_last)
{
    for (unsigned i = 0; i < LATENCY_SAMPLES + 5; i++) {
        latency_add("command", 100 + i);
        latency_add("command", 50);
        clock_now.ms += 1000;
    }
    ck_assert_uint_eq(latency_at(0)->count, LATENCY_SAMPLES);
    ck_assert_uint_eq(latency_at(0)->max_ms, 100 + LATENCY_SAMPLES + 4);
    for (unsigned i = 0; i < LATENCY_SAMPLES; i++) {
        ck_assert_uint_eq(latency_sample_at(latency_at(0), i)->ms, 105 + i);
        ck_assert_int_eq(latency_sample_at(latency_at(0), i)->time_s, 1800000005 + i);
    }
}
END_TEST

START_TEST(what_is_forgotten_leaves_the_others)
{
    latency_add("a", 11);
    latency_add("b", 12);
    latency_add("c", 13);
    ck_assert(latency_forget(SLICE("B")));
    ck_assert(!latency_forget(SLICE("b")));
    ck_assert_uint_eq(latency_count(), 2);
    ck_assert_uint_eq(latency_find(SLICE("c"))->max_ms, 13);
    ck_assert_uint_eq(latency_find(SLICE("a"))->max_ms, 11);
}
END_TEST

/* ---- calls ---- */

static bool
second_is_secret(const void *ctx, int i)
{
    ck_assert_str_eq(ctx, "ctx");
    return i == 1;
}

static void
keep(int argc, const struct slice *argv, int64_t most)
{
    const struct slowlog_call call = {.ns = 5000,
                                      .peer = "peer",
                                      .argc = argc,
                                      .argv = argv,
                                      .is_secret = second_is_secret,
                                      .ctx = "ctx"};

    slowlog_add(&call, most);
}

static void
check_argument(const struct slowlog_entry *e, int i, const char *text)
{
    ck_assert_uint_eq(e->len[i], strlen(text));
    ck_assert_mem_eq(e->argv[i], text, strlen(text));
}

START_TEST(the_newest_calls_are_kept)
{
    struct slice word = SLICE("1");
    int64_t first_id;

    keep(1, &word, 3);
    first_id = slowlog_newest()->id;
    for (const char *p = "2345"; *p != '\0'; p++)
        keep(1, &(struct slice){p, 1}, 3);
    ck_assert_int_eq(slowlog_count(), 3);
    ck_assert_int_eq(slowlog_newest()->id, first_id + 4);
    check_argument(slowlog_newest(), 0, "5");
    check_argument(slowlog_newest()->next->next, 0, "3");
    ck_assert_ptr_null(slowlog_newest()->next->next->next);
    keep(1, &word, 0);
    ck_assert_int_eq(slowlog_count(), 0);
    ck_assert_ptr_null(slowlog_newest());
}
END_TEST

START_TEST(a_call_is_kept_without_secrets_and_shortened)
{
    struct slice argv[SLOWLOG_ARGS_MAX + 1];
    char bytes[SLOWLOG_ARG_BYTES + 7], shown[SLOWLOG_ARG_BYTES + 32];
    const struct slowlog_entry *e;

    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i <= SLOWLOG_ARGS_MAX; i++)
        argv[i] = (struct slice){bytes, i == 3 ? sizeof bytes : 2};
    argv[2].len = 0;
    keep(SLOWLOG_ARGS_MAX + 1, argv, 10);
    e = slowlog_newest();
    ck_assert_int_eq(e->us, 5);
    ck_assert_str_eq(e->peer, "peer");
    ck_assert_str_eq(e->name, "");
    ck_assert_int_eq(e->argc, SLOWLOG_ARGS_MAX);
    check_argument(e, 0, "xx");
    check_argument(e, 1, "(redacted)");
    check_argument(e, 2, "");
    snprintf(shown, sizeof shown, "%.*s... (7 more bytes)", SLOWLOG_ARG_BYTES, bytes);
    check_argument(e, 3, shown);
    check_argument(e, SLOWLOG_ARGS_MAX - 1, "... (2 more arguments)");
    keep(SLOWLOG_ARGS_MAX, argv, 10);
    check_argument(slowlog_newest(), SLOWLOG_ARGS_MAX - 1, "xx");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("figures");
    TCase *tc = tcase_create("figures");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, an_event_is_kept_from_the_threshold_on);
    tcase_add_test(tc, of_one_second_the_longest_is_kept_and_of_the_seconds_the_last);
    tcase_add_test(tc, what_is_forgotten_leaves_the_others);
    tcase_add_test(tc, the_newest_calls_are_kept);
    tcase_add_test(tc, a_call_is_kept_without_secrets_and_shortened);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
