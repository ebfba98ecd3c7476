/* tests/mm/test_log.c - a line of the log is one line, whole, whoever writes it and whatever is in
 * it: on a console it is the only log there is. */
#include <check.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/log_few.h"
#include "tests/support/runner.h"

enum { THREADS = 8, LINES = 500, TEXT_BYTES = 1 << 20 };

/* What is written to standard output meanwhile goes through a pipe to here. */
static struct {
    int saved, from;
    pthread_t reader;
    char text[TEXT_BYTES];
    size_t len;
} console;

static void *
read_all(void *arg)
{
    ssize_t n;

    (void)arg;
    while ((n = read(console.from, console.text + console.len,
                     sizeof console.text - 1 - console.len)) > 0)
        console.len += (size_t)n;
    console.text[console.len] = '\0';
    return NULL;
}

static void
console_open(void)
{
    int ends[2];

    fflush(stdout);
    console.len = 0;
    ck_assert_int_eq(pipe(ends), 0);
    console.from = ends[0];
    ck_assert_int_ge(console.saved = dup(STDOUT_FILENO), 0);
    ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    close(ends[1]);
    ck_assert_int_eq(pthread_create(&console.reader, NULL, read_all, NULL), 0);
}

static void
console_close(void)
{
    ck_assert_int_eq(dup2(console.saved, STDOUT_FILENO), STDOUT_FILENO);
    close(console.saved);
    ck_assert_int_eq(pthread_join(console.reader, NULL), 0);
    close(console.from);
}

static const char head[] = "^[0-9]+:[MC] [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
                           "[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} [.*#-] ";

/* expect_lines: each is of that form; returns how many there are. */
static unsigned
expect_lines(const char *message)
{
    char pattern[400];
    unsigned count = 0;
    regex_t r;

    snprintf(pattern, sizeof pattern, "%s%s$", head, message);
    ck_assert_int_eq(regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB), 0);
    for (char *line = console.text, *end; *line != '\0'; line = end + 1, count++) {
        ck_assert_msg((end = strchr(line, '\n')) != NULL, "no end: %s", line);
        *end = '\0';
        ck_assert_msg(regexec(&r, line, 0, NULL, 0) == 0, "torn: %s", line);
    }
    regfree(&r);
    return count;
}

static void *
write_lines(void *arg)
{
    int letter = *(int *)arg;
    char word[101];

    memset(word, letter, sizeof word - 1);
    word[sizeof word - 1] = '\0';
    for (int i = 0; i < LINES; i++)
        log_line(LOG_NOTICE, "%s %c %s", word, letter, word);
    return NULL;
}

START_TEST(lines_of_many_threads_are_whole)
{
    pthread_t threads[THREADS];
    int letters[THREADS];

    console_open();
    for (int i = 0; i < THREADS; i++) {
        letters[i] = 'a' + i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    console_close();
    /* a hundred times a letter, the letter, and so many again */
    ck_assert_uint_eq(expect_lines("(([a-h])\\2{99}) \\2 \\1"), THREADS * LINES);
}
END_TEST

START_TEST(a_line_stays_one_and_a_terminal_as_it_is)
{
    console_open();
    log_line(LOG_WARNING, "key '%s'", "a\r\nb\033[31m\x7f\tc");
    console_close();
    ck_assert_uint_eq(expect_lines("key 'a\\?\\?b\\?\\[31m\\?\\?c'"), 1);
}
END_TEST

START_TEST(a_long_line_is_cut_and_says_so)
{
    char text[3000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    console_open();
    log_line(LOG_NOTICE, "%s", text);
    console_close();
    ck_assert_uint_eq(console.len, 1023); /* a kilobyte less a byte */
    ck_assert_uint_eq(expect_lines("x{900}x*\\.\\.\\."), 1);
}
END_TEST

START_TEST(a_line_of_a_signal_handler_is_whole_too)
{
    console_open();
    log_from_signal("it ends");
    console_close();
    ck_assert_ptr_nonnull(strstr(console.text, ":signal-handler ("));
    ck_assert_str_eq(console.text + console.len - 10, ") it ends\n");
}
END_TEST

START_TEST(of_a_kind_there_are_few_lines_and_the_rest_is_counted)
{
    struct log_few kind = {.lines = 3, .seconds = 2}, other = {.lines = 1, .seconds = 2};
    const int64_t begin = (int64_t)5 * 1000000000;

    console_open();
    clock_now.turn_ns = begin;
    for (int i = 0; i < 10; i++) /* three of them */
        log_few(&kind, LOG_NOTICE, "it failed %d", i);
    log_few(&other, LOG_NOTICE, "it failed 3"); /* which is not the other kind's matter */
    clock_now.turn_ns = begin + (int64_t)2 * 1000000000 - 1;
    log_few(&kind, LOG_NOTICE, "not yet");
    clock_now.turn_ns++;
    log_few(&kind, LOG_NOTICE, "it failed 4");
    log_few(&kind, LOG_NOTICE, "it failed 5");
    console_close();
    ck_assert_ptr_nonnull(strstr(console.text, "it failed 4; 8 more before it\n"));
    ck_assert_uint_eq(expect_lines("it failed ([01235]|4; 8 more before it)"), 6);
}
END_TEST

START_TEST(a_long_line_of_few_is_cut_before_the_count)
{
    struct log_few kind = {.lines = 1, .seconds = 1};
    char text[3000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    console_open();
    clock_now.turn_ns = 1000000000;
    for (int i = 0; i < 2; i++)
        log_few(&kind, LOG_NOTICE, "%s", text);
    clock_now.turn_ns *= 2;
    log_few(&kind, LOG_NOTICE, "%s", text);
    console_close();
    ck_assert_uint_eq(expect_lines("x{250}x{250}x{250}x*\\.\\.\\.(; 1 more before it)?"), 2);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/log");
    TCase *t = tcase_create("log");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, lines_of_many_threads_are_whole);
    tcase_add_test(t, a_line_stays_one_and_a_terminal_as_it_is);
    tcase_add_test(t, a_long_line_is_cut_and_says_so);
    tcase_add_test(t, a_line_of_a_signal_handler_is_whole_too);
    tcase_add_test(t, of_a_kind_there_are_few_lines_and_the_rest_is_counted);
    tcase_add_test(t, a_long_line_of_few_is_cut_before_the_count);
    suite_add_tcase(s, t);
    return run_suite(s);
}
