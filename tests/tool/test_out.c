/* Output: into a file that appears when it is complete, or to standard output; and when that
 * fails. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/runner.h"
#include "tool/base/out.h"
#include "tool/base/tool.h"

static char dir[] = "/tmp/test-out-XXXXXX";

static void
setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/test-out-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

/* count_files: all that is in the directory. */
static int
count_files(void)
{
    DIR *d = opendir(dir);
    int n = 0;

    ck_assert_ptr_nonnull(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void
teardown(void)
{
    DIR *d = opendir(dir);

    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        (void)unlink(e->d_name);
    closedir(d);
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(dir);
}

static size_t
read_file(const char *path, char *dst, size_t room)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    ck_assert_msg(f != NULL, "%s", path);
    n = fread(dst, 1, room, f);
    fclose(f);
    return n;
}

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void
check_file(const char *path, const char *text)
{
    char got[256];

    got[read_file(path, got, sizeof got - 1)] = '\0';
    ck_assert_str_eq(got, text);
}

/* stderr_to: what is said from now on goes into a file. */
static void
stderr_to(const char *path)
{
    ck_assert_ptr_nonnull(freopen(path, "w", stderr));
    setvbuf(stderr, NULL, _IONBF, 0);
}

START_TEST(a_file_appears_when_it_is_complete)
{
    struct tool_out out;
    struct stat st;

    umask(022);
    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_OK);
    tool_out_text(&out, "one ");
    tool_out_slice(&out, SLICE("two "));
    tool_out_format(&out, "%d %s\n", 3, "four");
    ck_assert_int_ne(access("x", F_OK), 0);
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_OK);
    check_file("x", "one two 3 four\n");
    ck_assert_int_eq(count_files(), 1);
    ck_assert_int_eq(stat("x", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0644);
}
END_TEST

START_TEST(a_file_that_is_there_stays_unless_forced)
{
    struct tool_out out;

    write_file("x", "before");
    stderr_to("said");
    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_INVALID);
    check_file("said", "stillframe-rdb: x: is there already (--force replaces it)\n");
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_OK); /* nothing */

    ck_assert_int_eq(tool_out_open(&out, "x", true), TOOL_OK);
    tool_out_text(&out, "after");
    check_file("x", "before");
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_OK);
    check_file("x", "after");
    ck_assert_int_eq(count_files(), 2);
}
END_TEST

/* ... nor one that came meanwhile. */
START_TEST(a_file_that_came_meanwhile_stays)
{
    struct tool_out out;

    stderr_to("said");
    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_OK);
    write_file("x", "other");
    tool_out_text(&out, "ours");
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_INVALID);
    check_file("x", "other");
    check_file("said", "stillframe-rdb: x: is there already (--force replaces it)\n");
    ck_assert_int_eq(count_files(), 2);
}
END_TEST

START_TEST(a_links_file_is_replaced_not_the_link)
{
    struct tool_out out;
    struct stat st;

    write_file("x", "before");
    ck_assert_int_eq(symlink("x", "link"), 0);
    ck_assert_int_eq(tool_out_open(&out, "link", true), TOOL_OK);
    tool_out_text(&out, "after");
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_OK);
    check_file("x", "after");
    ck_assert(lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
}
END_TEST

START_TEST(what_is_not_kept_leaves_nothing)
{
    struct tool_out out;

    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_OK);
    tool_out_text(&out, "text");
    ck_assert_int_eq(count_files(), 1);
    ck_assert_int_eq(tool_out_close(&out, false), TOOL_OK);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(a_place_that_is_none_is_named)
{
    struct tool_out out;

    stderr_to("said");
    ck_assert_int_eq(tool_out_open(&out, "no/such", false), TOOL_INVALID);
    ck_assert_int_eq(tool_out_open(&out, ".", true), TOOL_INVALID);
    check_file("said", "stillframe-rdb: no/such: cannot be written: No such file or directory\n"
                       "stillframe-rdb: .: cannot be written: Is a directory\n");
}
END_TEST

/* fill: about 9 MB, numbered, by every call there is. */
enum { NUMBERS = 1000000 };
static void
fill(struct tool_out *out)
{
    static char many[3 * OUT_PIECE_BYTES];
    unsigned i = 0;

    while (i < NUMBERS / 2) {
        uint8_t *p = tool_out_room(out, 16);

        tool_out_used(out, p + snprintf((char *)p, 16, "%u\n", i++));
    }
    while (i < NUMBERS * 3 / 4)
        tool_out_format(out, "%u\n", i++);
    while (i < NUMBERS) {
        size_t len = 0;

        for (; i < NUMBERS && len < sizeof many - 16; i++)
            len += (size_t)snprintf(many + len, 16, "%u\n", i);
        tool_out_put(out, many, len);
    }
}

static void
check_numbers(FILE *f, unsigned count)
{
    char line[32];
    unsigned i = 0;

    for (; fgets(line, sizeof line, f) != NULL; i++)
        ck_assert_uint_eq(strtoul(line, NULL, 10), i);
    ck_assert_uint_eq(i, count);
}

START_TEST(many_pieces_come_in_their_order)
{
    struct tool_out out;
    FILE *f;

    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_OK);
    fill(&out);
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_OK);
    f = fopen("x", "rb");
    check_numbers(f, NUMBERS);
    fclose(f);
}
END_TEST

/* run_to_pipe: fill() in a process whose standard output is a pipe; its reading end. */
static FILE *
run_to_pipe(pid_t *ret_pid)
{
    struct tool_out out;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    if ((*ret_pid = fork()) == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        stderr_to("said");
        if (tool_out_open(&out, NULL, false) != TOOL_OK)
            _exit(99);
        while (!tool_out_failed(&out) && access("endless", F_OK) == 0)
            fill(&out);
        if (access("endless", F_OK) != 0)
            fill(&out);
        _exit(tool_out_close(&out, true));
    }
    close(ends[1]);
    return fdopen(ends[0], "rb");
}

static int
status_of(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

START_TEST(standard_output_gets_everything)
{
    pid_t pid;
    FILE *f = run_to_pipe(&pid);

    check_numbers(f, NUMBERS);
    fclose(f);
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

START_TEST(a_reader_that_goes_away_ends_it_quietly)
{
    char line[32];
    pid_t pid;
    FILE *f;

    write_file("endless", "");
    f = run_to_pipe(&pid);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
    fclose(f);
    ck_assert_int_eq(status_of(pid), 0);
    check_file("said", "");
}
END_TEST

START_TEST(a_full_disk_is_one_line)
{
    struct tool_out out;

    stderr_to("said");
    ck_assert_int_eq(tool_out_open(&out, "/dev/full", _i != 0), TOOL_OK);
    while (!tool_out_failed(&out))
        fill(&out);
    ck_assert_int_eq(tool_out_close(&out, _i != 0), TOOL_INVALID);
    check_file("said", "stillframe-rdb: /dev/full: cannot be written: No space left on device\n");
}
END_TEST

START_TEST(a_file_that_could_not_be_written_leaves_nothing)
{
    struct rlimit was, limit;
    struct tool_out out;

    stderr_to("said");
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit = was;
    limit.rlim_cur = 1 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_OK);
    fill(&out);
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_INVALID);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0); /* tests may share a process */
    signal(SIGXFSZ, SIG_DFL);
    check_file("said", "stillframe-rdb: x: cannot be written: File too large\n");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* Whatever ends the process: two files half done, one complete. */
static const int deadly[] = {SIGINT, SIGTERM, SIGHUP};

START_TEST(a_signal_takes_away_what_is_half_done)
{
    struct tool_out out[3];
    int ends[2], status;
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    if ((pid = fork()) == 0) {
        for (unsigned i = 0; i < 3; i++) {
            char name[2] = {(char)('a' + i), '\0'};

            if (tool_out_open(&out[i], name, false) != TOOL_OK)
                _exit(99);
            fill(&out[i]);
        }
        if (tool_out_close(&out[1], true) != TOOL_OK || write(ends[1], "x", 1) != 1)
            _exit(99);
        for (;;)
            pause();
    }
    close(ends[1]); /* a child that ends early is seen */
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    ck_assert_int_eq(count_files(), 3);
    kill(pid, deadly[_i]);
    status = status_of(pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == deadly[_i]);
    ck_assert_int_eq(count_files(), 1);
    ck_assert_int_eq(access("b", F_OK), 0);
}
END_TEST

/* What is kept for later: a little, then so much that it does not stay in memory, then a little
 * again. */
START_TEST(what_is_kept_for_later_comes_back)
{
    struct tool_out out, later;
    FILE *f;

    ck_assert_int_eq(tool_out_open(&out, "x", false), TOOL_OK);
    ck_assert_int_eq(tool_out_open_spill(&later), TOOL_OK);
    tool_out_move(&later, &out);
    fill(&later);
    tool_out_empty(&later);
    fill(&later);
    tool_out_move(&later, &out);
    tool_out_text(&later, "1000000\n");
    tool_out_move(&later, &out);
    ck_assert_int_eq(tool_out_close(&later, false), TOOL_OK);
    ck_assert_int_eq(tool_out_close(&out, true), TOOL_OK);
    f = fopen("x", "rb");
    check_numbers(f, NUMBERS + 1);
    fclose(f);
}
END_TEST

START_TEST(what_cannot_be_kept_for_later_is_said)
{
    struct tool_out later;

    stderr_to("said");
    ck_assert_int_eq(setenv("TMPDIR", "/no/such", 1), 0);
    ck_assert_int_eq(tool_out_open_spill(&later), TOOL_OK);
    fill(&later);
    ck_assert(tool_out_failed(&later));
    ck_assert_int_eq(tool_out_close(&later, false), TOOL_INVALID);
    check_file("said", "stillframe-rdb: /no/such: cannot be written: No such file or directory\n");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("tool/out");
    TCase *t = tcase_create("out");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_file_appears_when_it_is_complete);
    tcase_add_test(t, a_file_that_is_there_stays_unless_forced);
    tcase_add_test(t, a_file_that_came_meanwhile_stays);
    tcase_add_test(t, a_links_file_is_replaced_not_the_link);
    tcase_add_test(t, what_is_not_kept_leaves_nothing);
    tcase_add_test(t, a_place_that_is_none_is_named);
    tcase_add_test(t, many_pieces_come_in_their_order);
    tcase_add_test(t, standard_output_gets_everything);
    tcase_add_test(t, a_reader_that_goes_away_ends_it_quietly);
    tcase_add_loop_test(t, a_full_disk_is_one_line, 0, 2);
    tcase_add_test(t, a_file_that_could_not_be_written_leaves_nothing);
    tcase_add_loop_test(t, a_signal_takes_away_what_is_half_done, 0, 3);
    tcase_add_test(t, what_is_kept_for_later_comes_back);
    tcase_add_test(t, what_cannot_be_kept_for_later_is_said);
    suite_add_tcase(s, t);
    return run_suite(s);
}
