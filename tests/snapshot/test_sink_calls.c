/* tests/snapshot/test_sink_calls.c - the system calls of a save, in their order (N4): what makes a
 * dump durable is seen itself, not the place before it where it can be made to fail.
 *
 * The program's own open, write, fsync, close, rename and unlink stand before the C library's: each
 * is noted with the file that it is about, and then done by syscall(). */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "snapshot/rdb/sink.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

static char dir[SCRATCH_BYTES], path[SCRATCH_BYTES + 32], temp[SCRATCH_BYTES + 32];
static ino_t dir_inode, old_inode;

/* ---- what was called ---- */

static char calls[4096];
static bool is_noting;
static size_t written_bytes;

static const char *
what_is(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return "?";
    if (st.st_ino == dir_inode)
        return "directory";
    return S_ISREG(st.st_mode) && st.st_ino != old_inode ? "file" : "another";
}

/* note: a call; the same one again and again is one. */
static void
note(const char *call, const char *about)
{
    char line[64];
    size_t len = strlen(calls), n;

    if (!is_noting)
        return;
    n = (size_t)snprintf(line, sizeof line, "%s %s\n", call, about);
    if (len >= n && strcmp(calls + len - n, line) == 0)
        return;
    snprintf(calls + len, sizeof calls - len, "%s", line);
}

int
open(const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list args;
    int fd;

    va_start(args, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(args, mode_t);
    va_end(args);
    fd = (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
    note("open", what_is(fd));
    return fd;
}

/* write() takes so much at most, and is interrupted now and then; 0: all */
static size_t takes_bytes;
static bool write_fails;
static unsigned writes;

ssize_t
write(int fd, const void *bytes, size_t len)
{
    ssize_t n;

    writes += is_noting;
    if (is_noting && (write_fails || (takes_bytes != 0 && writes % 3 == 0))) {
        errno = write_fails ? EIO : EINTR;
        return -1;
    }
    n = syscall(SYS_write, fd, bytes,
                is_noting && takes_bytes != 0 && len > takes_bytes ? takes_bytes : len);

    if (is_noting && n > 0)
        written_bytes += (size_t)n;
    note("write", what_is(fd));
    return n;
}

int
fsync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        ck_assert_uint_eq((size_t)st.st_size, written_bytes);
    note("fsync", what_is(fd));
    return (int)syscall(SYS_fsync, fd);
}

int
close(int fd)
{
    const char *what = what_is(fd);

    note("close", what);
    return (int)syscall(SYS_close, fd);
}

int
rename(const char *from, const char *to)
{
    note("rename", strcmp(from, temp) == 0 && strcmp(to, path) == 0 ? "file" : "another");
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlink(const char *name)
{
    int r = (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);

    note(r == 0 ? "unlink" : "unlink of nothing", strcmp(name, temp) == 0 ? "file" : "another");
    return r;
}

/* ---- */

static void
setup(void)
{
    struct stat st;
    FILE *f;

    scratch_make(dir, "calls");
    snprintf(path, sizeof path, "%s/dump.rdb", dir);
    snprintf(temp, sizeof temp, "%s/temp-1.rdb", dir);
    ck_assert_int_eq(stat(dir, &st), 0);
    dir_inode = st.st_ino;
    ck_assert_ptr_nonnull(f = fopen(path, "w"));
    fclose(f);
    ck_assert_int_eq(stat(path, &st), 0);
    old_inode = st.st_ino;
}

static void
teardown(void)
{
    is_noting = false;
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static bool sets_aside;

static struct sink *
begin(size_t bytes)
{
    struct sink *s;
    char *some = calloc(1, bytes);

    calls[0] = '\0';
    written_bytes = writes = 0;
    is_noting = true;
    ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = path,
                                                                .temp_name = "temp-1.rdb",
                                                                .writeout_bytes = 1 << 20,
                                                                .sets_aside = sets_aside},
                                    &s),
                     0);
    sink_put(s, some, bytes);
    free(some);
    return s;
}

START_TEST(a_dump_is_durable_before_it_has_its_name_and_its_name_after_that)
{
    static const size_t sizes[] = {0, 5, SINK_BUFFER_BYTES, 5000000};
    struct sink *s = begin(sizes[_i]);
    char want[512];

    ck_assert_int_eq(sink_commit(s), 0);
    sink_close(s);
    is_noting = false;
    snprintf(
        want, sizeof want,
        "unlink of nothing file\nopen file\n%sfsync file\nclose file\nopen directory\nrename file\n"
        "fsync directory\nclose directory\nclose file\n", /* the last one is the lock's */
        sizes[_i] > 0 ? "write file\n" : "");
    ck_assert_str_eq(calls, want);
    ck_assert_uint_eq(written_bytes, sizes[_i]);
}
END_TEST

START_TEST(a_write_that_takes_a_part_is_gone_on_with)
{
    struct sink *s;

    takes_bytes = 10007;
    s = begin(1000000);
    ck_assert_int_eq(sink_commit(s), 0); /* fsync() sees that the file has all of it */
    sink_close(s);
    is_noting = false;
    takes_bytes = 0;
    ck_assert_uint_eq(written_bytes, 1000000);
    ck_assert_uint_ge(writes, 1000000 / 10007);
}
END_TEST

START_TEST(after_an_error_nothing_more_is_written)
{
    static const char some[3 * SINK_BUFFER_BYTES];
    struct sink *s;

    write_fails = true;
    s = begin(1000000);
    ck_assert_int_eq(sink_error(s), -EIO);
    write_fails = false;
    sink_put(s, some, sizeof some);
    ck_assert_int_eq(sink_flush(s), -EIO);
    ck_assert_int_eq(sink_commit(s), -EIO);
    ck_assert_uint_eq(writes, 1);
    sink_close(s);
    is_noting = false;
    ck_assert_str_eq(calls,
                     "unlink of nothing file\nopen file\nclose file\nunlink file\nclose file\n");
}
END_TEST

START_TEST(what_is_given_up_gets_no_name)
{
    struct sink *s = begin(1000000);

    sink_close(s);
    is_noting = false;
    ck_assert_str_eq(
        calls,
        "unlink of nothing file\nopen file\nwrite file\nclose file\nunlink file\nclose file\n");
}
END_TEST

START_TEST(what_is_given_up_is_gone_for_good_where_the_system_does_not_see_to_it)
{
    struct sink *s;

    sets_aside = true;
    s = begin(1000000);
    sink_close(s);
    is_noting = sets_aside = false;
    ck_assert_str_eq(
        calls,
        "unlink of nothing file\nopen file\nwrite file\nclose file\nunlink file\nclose file\n"
        "open directory\nfsync directory\nclose directory\n");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/sink_calls");
    TCase *t = tcase_create("calls");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_dump_is_durable_before_it_has_its_name_and_its_name_after_that, 0, 4);
    tcase_add_test(t, a_write_that_takes_a_part_is_gone_on_with);
    tcase_add_test(t, after_an_error_nothing_more_is_written);
    tcase_add_test(t, what_is_given_up_gets_no_name);
    tcase_add_test(t, what_is_given_up_is_gone_for_good_where_the_system_does_not_see_to_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
