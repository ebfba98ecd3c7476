/* tests/mm/test_log.c - a line of the log is one line, whole, whoever writes it and whatever is in
 * it: on a console it is the only log there is. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* What no format makes a text of: nothing. */
START_TEST(a_line_that_cannot_be_made_and_one_below_the_level_are_left_out)
{
    struct log_few kind = {.lines = 1, .seconds = 1};

    console_open();
    log_line(LOG_WARNING, "%ls", L"\x4e2d");
    log_few(&kind, LOG_WARNING, "%ls", L"\x4e2d");
    log_line(LOG_VERBOSE, "below");
    log_set_level(LOG_VERBOSE);
    log_line(LOG_DEBUG, "below");
    log_line(LOG_VERBOSE, "said");
    log_set_level(LOG_NOTHING);
    log_line(LOG_WARNING, "below");
    log_set_level(LOG_NOTICE);
    console_close();
    ck_assert_uint_eq(expect_lines("said"), 1);
}
END_TEST

/* ---- in a file ---- */

static char file_path[] = "/tmp/log.XXXXXX";

static void
file_open(void)
{
    int fd;

    strcpy(file_path + sizeof file_path - 7, "XXXXXX");
    ck_assert_int_ge(fd = mkstemp(file_path), 0);
    close(fd);
    ck_assert_int_eq(log_open(file_path), 0);
}

static void
file_close(void)
{
    ck_assert_int_eq(log_open(""), 0);
    unlink(file_path);
}

/* file_read: into console.text. */
static void
file_read(void)
{
    int fd = open(file_path, O_RDONLY);
    ssize_t n = read(fd, console.text, sizeof console.text - 1);

    ck_assert_int_ge(n, 0);
    close(fd);
    console.len = (size_t)n;
    console.text[n] = '\0';
}

static void *
write_a_line(void *arg)
{
    log_line(LOG_NOTICE, "%s", (const char *)arg);
    return arg;
}

START_TEST(a_file_gets_the_lines_also_after_it_was_moved_away)
{
    char text[600], second[] = "second";
    pthread_t thread;
    int fd;

    log_line(LOG_NOTICE, "moved away");
    unlink(file_path);
    log_line(LOG_NOTICE, "first");
    ck_assert_int_eq(pthread_create(&thread, NULL, write_a_line, second), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    file_read();
    ck_assert_ptr_nonnull(strstr(console.text, ":M "));
    ck_assert_ptr_nonnull(strstr(console.text, ":C ")); /* the other thread */
    ck_assert_uint_eq(expect_lines("(first|second)"), 2);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_from_signal(text);
    ck_assert_int_ge(fd = log_open_for_signal(), 0);
    ck_assert_int_eq(write(fd, "by itself\n", 10), 10);
    close(fd);
    file_read();
    ck_assert_str_eq(console.text + console.len - 10, "by itself\n");
    text[512] = '\0'; /* so much of it */
    ck_assert_ptr_nonnull(strstr(console.text, text));
    text[512] = 'x';
    text[513] = '\0';
    ck_assert_ptr_null(strstr(console.text, text));
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_an_error)
{
    char path[PATH_MAX + 1];

    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(log_open(path), -ENAMETOOLONG);
    ck_assert_int_eq(log_open("/tmp/none such/log"), -ENOENT);
    ck_assert_int_eq(log_open("/tmp"), -EISDIR);
    ck_assert_int_eq(log_open_for_signal(), -1);
    log_line(LOG_NOTICE, "nowhere"); /* and goes on */
    ck_assert_int_eq(log_open("/dev/full"), 0);
    log_line(LOG_NOTICE, "nowhere");
    ck_assert_int_eq(log_open(""), 0);
    ck_assert_int_eq(log_open_for_signal(), STDOUT_FILENO);
}
END_TEST

START_TEST(a_file_that_is_nearly_full_gets_what_it_takes)
{
    struct rlimit before, limit;
    struct stat st;

    log_line(LOG_NOTICE, "whole");
    ck_assert_int_eq(stat(file_path, &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = (rlim_t)st.st_size + 9, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_line(LOG_NOTICE, "cut");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    file_read();
    ck_assert_uint_eq(console.len, (size_t)st.st_size + 9);
    console.text[st.st_size] = '\0';
    ck_assert_uint_eq(expect_lines("whole"), 1);
}
END_TEST

/* The log lends itself a descriptor that it has kept. */
START_TEST(where_all_descriptors_are_taken_lines_are_written_all_the_same)
{
    struct rlimit before, limit;
    int fds[64], count = 0;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 32, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (count < 64 && (fds[count] = dup(STDERR_FILENO)) >= 0)
        count++;
    ck_assert_int_lt(count, 64);
    log_line(LOG_NOTICE, "lent");
    log_line(LOG_NOTICE, "lent");
    limit.rlim_cur = 0; /* now what is lent is of no use, and is not kept again */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    log_line(LOG_NOTICE, "nowhere");
    log_line(LOG_NOTICE, "nowhere");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    log_line(LOG_NOTICE, "back");
    while (count > 0)
        close(fds[--count]);
    file_read();
    ck_assert_uint_eq(expect_lines("(lent|back)"), 3);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/log");
    TCase *t = tcase_create("log"), *files = tcase_create("files");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, lines_of_many_threads_are_whole);
    tcase_add_test(t, a_line_stays_one_and_a_terminal_as_it_is);
    tcase_add_test(t, a_long_line_is_cut_and_says_so);
    tcase_add_test(t, a_line_of_a_signal_handler_is_whole_too);
    tcase_add_test(t, of_a_kind_there_are_few_lines_and_the_rest_is_counted);
    tcase_add_test(t, a_long_line_of_few_is_cut_before_the_count);
    tcase_add_test(t, a_line_that_cannot_be_made_and_one_below_the_level_are_left_out);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(files, file_open, file_close);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, a_file_gets_the_lines_also_after_it_was_moved_away);
    tcase_add_test(files, a_file_that_cannot_be_written_is_an_error);
    tcase_add_test(files, a_file_that_is_nearly_full_gets_what_it_takes);
    tcase_add_test(files, where_all_descriptors_are_taken_lines_are_written_all_the_same);
    suite_add_tcase(s, files);
    return run_suite(s);
}
