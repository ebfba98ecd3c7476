/* tests/snapshot/test_file_errors.c - what file systems and kernels answer now and then: a save, a
 * kept dump, a temporary file and what is set aside, with calls that fail with each such error.
 *
 * The program's own calls stand before the C library's, also where they are looked up by name: a
 * chosen one fails, or says something else, and the others are done by syscall(). */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "snapshot/rdb/rdb_dec.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/rdb/set_aside.h"
#include "snapshot/rdb/sink.h"
#include "snapshot/rdb/sink_socket.h"
#include "snapshot/rdb/temp_file.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

/* ---- calls that fail ---- */

enum { PLANS = 2, FOREVER = 1000 };

/* plan: this call fails with this error: `times` times, after `skip` that do not. */
static struct plan {
    const char *call;
    int error, skip, times;
} plans[PLANS];
static unsigned failed;                /* calls */
static void (*alter)(struct stat *st); /* what lstat() says; NULL: what there is */
static size_t read_most;               /* so much at most; 0: all */
static bool is_size_of_blocks_zero;    /* of fstatvfs() */

static bool
fails(const char *call)
{
    for (int i = 0; i < PLANS; i++) {
        struct plan *p = &plans[i];

        if (p->call == NULL || strcmp(p->call, call) != 0 || p->times == 0 || p->skip-- > 0)
            continue;
        p->skip = 0;
        p->times--;
        failed++;
        errno = p->error;
        return true;
    }
    return false;
}

#pragma GCC visibility push(default)

int
open(const char *name, int flags, ...)
{
    return fails("open") ? -1 : (int)syscall(SYS_openat, AT_FDCWD, name, flags, 0644);
}

ssize_t
read(int fd, void *dst, size_t len)
{
    return fails("read")
               ? -1
               : syscall(SYS_read, fd, dst, read_most > 0 && len > read_most ? read_most : len);
}

/* As on Linux: the descriptor is gone, whatever is said. */
int
close(int fd)
{
    int r = (int)syscall(SYS_close, fd);

    return fails("close") ? -1 : r;
}

int
fsync(int fd)
{
    return fails("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int
sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags)
{
    (void)fd, (void)offset, (void)bytes, (void)flags;
    return fails("sync_file_range") ? -1 : 0;
}

int
flock(int fd, int operation)
{
    return fails("flock") ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int
fstat(int fd, struct stat *st)
{
    return fails("fstat") ? -1 : fstatat(fd, "", st, AT_EMPTY_PATH);
}

int
lstat(const char *name, struct stat *st)
{
    int r = fails("lstat") ? -1 : fstatat(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW);

    if (r == 0 && alter != NULL)
        alter(st);
    return r;
}

int
fstatvfs(int fd, struct statvfs *fs)
{
    (void)fd;
    *fs = (struct statvfs){.f_frsize = is_size_of_blocks_zero ? 0 : 4096, .f_bavail = 1};
    return fails("fstatvfs") ? -1 : 0;
}

int
rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails("renameat") ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned how)
{
    return fails("renameat2") ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, how);
}

int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return fails("linkat") ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int
unlink(const char *name)
{
    return fails("unlink") ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}

int
unlinkat(int dir, const char *name, int flags)
{
    return fails("unlinkat") ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
}

ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
    return fails("send") ? -1 : syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

#pragma GCC visibility pop

/* ---- a save ---- */

static const char aside[] = "temp-stillframe-aside-dump.rdb";
static char dir[SCRATCH_BYTES];
static struct retained kept;

static void
forget_plans(void)
{
    memset(plans, 0, sizeof plans);
    failed = 0;
    alter = NULL;
    read_most = 0;
    is_size_of_blocks_zero = false;
}

static struct sink_file_options options;

static void
setup(void)
{
    scratch_enter(dir, "file-errors");
    options = (struct sink_file_options){.path = "dump.rdb", .retained = &kept};
}

static void
teardown(void)
{
    forget_plans();
    scratch_leave(dir);
}

/* save: so many bytes, in pieces.  What sink_commit() says; *ret_step: at which step. */
static int
save(size_t bytes, const char **ret_step)
{
    static const char some[100000];
    struct sink *s;
    int r = sink_file_open(&options, &s);

    *ret_step = "open";
    if (r == 0) {
        for (size_t left = bytes, n; left > 0; left -= n)
            sink_put(s, some, n = left < sizeof some ? left : sizeof some);
        r = sink_commit(s);
        *ret_step = s->failed_step;
        sink_close(s);
    }
    return r;
}

static const struct {
    struct plan plan;
    const char *step; /* that fails; NULL: the save does not */
    unsigned failed;  /* calls */
} saves[] = {
    {{"sync_file_range", EINTR, 0, 3}, NULL, 3},
    {{"sync_file_range", ENOSYS, 0, FOREVER}, NULL, 1}, /* it is not asked again */
    {{"sync_file_range", EINVAL, 0, FOREVER}, NULL, 1},
    {{"sync_file_range", ESPIPE, 2, FOREVER}, NULL, 1}, /* the first one that waits */
    {{"sync_file_range", EIO, 1, 1}, "write-out", 1},
    {{"sync_file_range", ENOSPC, 2, 1}, "write-out", 1},
    {{"close", EINTR, 0, 1}, NULL, 1},
    {{"close", EDQUOT, 0, 1}, "close", 1},
    {{"fsync", EIO, 0, 1}, "fsync", 1},
    {{"fsync", EINTR, 0, 1}, "fsync", 1}, /* a second one would say nothing */
    {{"fsync", EINVAL, 1, 1}, NULL, 1},   /* the directory's */
    {{"fsync", EBADF, 1, 1}, NULL, 1},
    {{"fsync", ENOSYS, 1, 1}, NULL, 1},
    {{"fsync", EIO, 1, 1}, "directory fsync", 1},
    {{"rename", EACCES, 0, 1}, "rename", 1},
    {{"flock", EWOULDBLOCK, 0, FOREVER}, "open", 8}, /* each name is another's */
    {{"flock", EWOULDBLOCK, 0, 3}, NULL, 3},
    {{"flock", ENOLCK, 0, FOREVER}, NULL, 1},
    {{"fstat", EIO, 0, 1}, NULL, 1},
    {{"fstatvfs", ENOSYS, 0, 1}, NULL, 1},
};
enum { SAVES = sizeof saves / sizeof *saves };

static unsigned
files(void)
{
    DIR *d = opendir(".");
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2; /* without . and .. */
}

START_TEST(a_save_fails_by_what_matters_and_by_nothing_else)
{
    const char *step;
    bool has_dump;
    int r;

    options.writeout_bytes = 1 << 20;
    options.expected_bytes = 100;
    plans[0] = saves[_i].plan;
    r = save(5 << 20, &step);
    ck_assert_uint_eq(failed, saves[_i].failed);
    forget_plans();
    if (saves[_i].step == NULL) {
        ck_assert_int_eq(r, 0);
    } else {
        ck_assert_int_eq(r, -saves[_i].plan.error);
        ck_assert_str_eq(step, saves[_i].step);
    }
    has_dump = saves[_i].step == NULL || strcmp(saves[_i].step, "directory fsync") == 0;
    ck_assert_int_eq(scratch_exists("dump.rdb"), has_dump);
    /* nothing else is left, but what is another's now */
    ck_assert_uint_eq(files(),
                      has_dump + (saves[_i].plan.error == EWOULDBLOCK ? saves[_i].failed : 0));
}
END_TEST

START_TEST(a_file_system_that_does_not_say_its_room_is_not_warned_of)
{
    const char *step;

    options.expected_bytes = 1 << 20;
    is_size_of_blocks_zero = true;
    ck_assert_int_eq(save(100, &step), 0);
}
END_TEST

/* ---- kept dumps ---- */

static const int no_links[] = {EPERM, ENOSYS, EMLINK, ENOTSUP};

START_TEST(without_links_the_old_dump_is_kept_by_an_exchange)
{
    const char *step;

    options.retain = 2;
    ck_assert_int_eq(save(100, &step), 0);
    plans[0] = (struct plan){"linkat", no_links[_i], 0, FOREVER};
    ck_assert_int_eq(save(200, &step), 0);
    ck_assert_int_eq(kept.error, 0);
    ck_assert(retained_is_of(kept.name, "dump.rdb"));
    ck_assert(scratch_exists(kept.name));
}
END_TEST

START_TEST(what_cannot_be_kept_is_told_and_the_save_succeeds)
{
    static const struct {
        struct plan plan[PLANS];
        int error;
        const char *step;
    } cases[] = {
        {{{"linkat", EACCES, 0, FOREVER}}, -EACCES, "link"},
        /* neither links nor an exchange */
        {{{"linkat", EPERM, 0, FOREVER}, {"renameat2", ENOSYS, 0, FOREVER}}, -EOPNOTSUPP, "link"},
        /* exchanged, and then the old one gets no name: it goes, as it always did */
        {{{"linkat", EPERM, 0, FOREVER}, {"renameat2", EIO, 1, FOREVER}}, -EIO, "rename"},
        {{{"unlinkat", EBUSY, 0, 1}}, -EBUSY, "removal"},
        {{{"unlinkat", ENOENT, 0, 1}}, 0, NULL}, /* somebody else has removed it */
    };
    const char *step;

    options.retain = 1;
    ck_assert_int_eq(save(100, &step), 0);
    memcpy(plans, cases[_i].plan, sizeof plans);
    ck_assert_int_eq(save(200, &step), 0);
    ck_assert_uint_gt(failed, 0);
    ck_assert_int_eq(kept.error, cases[_i].error);
    if (cases[_i].step != NULL)
        ck_assert_str_eq(kept.step, cases[_i].step);
    ck_assert_int_ne(system("ls temp-* 2>/dev/null | grep -q ."), 0); /* none */
}
END_TEST

START_TEST(a_save_that_fails_where_nothing_was_kept_says_why_it_failed)
{
    const char *step;

    options.retain = 1;
    plans[0] = (struct plan){"linkat", EACCES, 0, FOREVER};
    plans[1] = (struct plan){"rename", EROFS, 0, FOREVER};
    ck_assert_int_eq(save(100, &step), -EROFS);
    ck_assert_str_eq(step, "rename");
    ck_assert_str_eq(kept.name, "");
}
END_TEST

/* Where what is removed gets another name first. */
START_TEST(a_kept_dump_that_gets_no_other_name_stays)
{
    static const struct {
        struct plan plan;
        int error;
    } cases[] = {{{"renameat", EIO, 0, 1}, -EIO},
                 {{"renameat", ENOENT, 0, 1}, 0},
                 {{"fsync", EIO, 0, 1}, -EIO}};
    struct retained r = {.is_careful = true};
    int dir_fd = open(".", O_RDONLY | O_DIRECTORY);

    scratch_write("dump-20200101T000000Z.rdb", "old");
    scratch_write("dump-20200102T000000Z.rdb", "new");
    plans[0] = cases[_i].plan;
    ck_assert(!retained_prune(dir_fd, "dump.rdb", 1, &r));
    ck_assert_uint_eq(failed, 1);
    ck_assert_int_eq(r.error, cases[_i].error);
    ck_assert(scratch_exists("dump-20200102T000000Z.rdb"));
    close(dir_fd);
}
END_TEST

/* ---- what is set aside ---- */

START_TEST(what_cannot_be_set_aside_fails_the_save_before_anything_is_changed)
{
    static const struct plan cases[] = {
        {"rename", EIO, 0, 1}, {"lstat", EIO, 0, 1}, {"unlink", EIO, 1, 1}};
    const char *step;

    options.sets_aside = true;
    scratch_write("dump.rdb", "old");
    plans[0] = cases[_i];
    ck_assert_int_eq(save(100, &step), -EIO);
    ck_assert_str_eq(step, "rename");
    ck_assert_uint_eq(failed, 1);
    ck_assert(scratch_holds("dump.rdb", "old"));
    ck_assert_uint_eq(files(), 1);
}
END_TEST

START_TEST(what_stays_aside_fails_no_save)
{
    const char *step;

    options.sets_aside = true;
    scratch_write("dump.rdb", "old");
    plans[0] = (struct plan){"unlink", EIO, 2, 1}; /* its removal, when all is done */
    ck_assert_int_eq(save(100, &step), 0);
    ck_assert_uint_eq(failed, 1);
    ck_assert(scratch_holds(aside, "old"));
    options.retain = 1;
    plans[0] = (struct plan){"renameat2", EIO, 0, 1}; /* its name as a kept one */
    ck_assert_int_eq(save(100, &step), 0);
    ck_assert_uint_eq(failed, 2);
    ck_assert_int_eq(kept.error, -EIO);
    ck_assert(!scratch_exists(aside));
}
END_TEST

START_TEST(what_cannot_be_restored_is_told)
{
    static const struct plan cases[] = {{"rename", EIO, 0, 1}, {"lstat", EIO, 1, 1}};

    scratch_write(aside, "old");
    plans[0] = cases[_i];
    ck_assert_int_eq(set_aside_restore("dump.rdb"), -EIO);
    ck_assert(scratch_holds(aside, "old"));
    ck_assert_int_eq(set_aside_restore("dump.rdb"), 1);
    ck_assert(scratch_holds("dump.rdb", "old"));
}
END_TEST

START_TEST(a_path_that_is_too_long_has_nothing_aside)
{
    char path[PATH_MAX + 100], ret[PATH_MAX];

    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 100 == 0 ? '/' : 'd';
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(set_aside_name(ret, path), -ENAMETOOLONG);
    set_aside_undo(path);
    ck_assert_int_eq(set_aside_remove(path), 0);
    ck_assert_int_eq(set_aside_restore(path), 0);
    temp_file_note(path); /* it is too long to be noted */
    temp_file_drop_noted();
}
END_TEST

/* ---- what a killed process leaves ---- */

static void
is_a_socket(struct stat *st)
{
    st->st_mode = S_IFSOCK;
}

static void
is_elsewhere(struct stat *st)
{
    st->st_dev++;
}

static void
is_another(struct stat *st)
{
    st->st_ino++;
}

START_TEST(a_leftover_is_removed_only_if_it_is_surely_one)
{
    static const struct {
        struct plan plan;
        void (*alter)(struct stat *st);
        int r;
    } cases[] = {
        {{"open", ENOENT, 0, 1}, NULL, 0},       {{"open", ELOOP, 0, 1}, NULL, 0},
        {{"open", EISDIR, 0, 1}, NULL, 0},       {{"open", EACCES, 0, 1}, NULL, -EACCES},
        {{"flock", EWOULDBLOCK, 0, 1}, NULL, 0}, {{"flock", ENOLCK, 0, 1}, NULL, 0},
        {{"fstat", EIO, 0, 1}, NULL, -EIO},      {{"lstat", ENOENT, 0, 1}, NULL, 0},
        {{"lstat", EIO, 0, 1}, NULL, -EIO},      {{"unlink", EROFS, 0, 1}, NULL, -EROFS},
        {{NULL, 0, 0, 0}, is_a_socket, 0},       {{NULL, 0, 0, 0}, is_elsewhere, 0},
        {{NULL, 0, 0, 0}, is_another, 0},
    };
    char name[TEMP_NAME_BYTES];

    temp_file_name(TEMP_DUMP, name);
    scratch_write(name, "left");
    plans[0] = cases[_i].plan;
    alter = cases[_i].alter;
    ck_assert_int_eq(temp_file_remove(name), cases[_i].r);
    ck_assert_uint_eq(failed, cases[_i].plan.call != NULL);
    ck_assert(scratch_holds(name, "left"));
    forget_plans();
    ck_assert_int_eq(temp_file_remove(name), 1);
    ck_assert_int_eq(temp_file_remove("./dump.rdb"), 0);
}
END_TEST

/* ---- reading, and sending ---- */

/* A frame's head that comes byte by byte, with interruptions. */
START_TEST(a_read_that_gives_little_is_gone_on_with)
{
    static const uint8_t packed[] = {'V', 'C', 'S', 1, 1, 0, 1, 0x04, 0x22, 0x4d, 0x18};
    static const struct rdb_events none = {.finding = NULL};
    struct rdb_source *src;
    struct rdb_error error;
    FILE *f = fopen("dump.rdb", "w");

    ck_assert_uint_eq(fwrite(packed, 1, sizeof packed, f), sizeof packed);
    fclose(f);
    read_most = 1;
    plans[0] = (struct plan){"read", EINTR, 1, 5};
    ck_assert_int_eq(rdb_source_file("dump.rdb", &src), 0);
    ck_assert_int_eq(rdb_decode(src, &none, NULL, true, &error), -EINVAL);
    rdb_source_close(src);
    ck_assert_uint_eq(failed, 5);
    ck_assert_str_eq(error.text, "the file ends in the middle of the LZ4 frame");
    ck_assert_uint_eq(error.offset, sizeof packed);
}
END_TEST

/* open_copy: a copy's sink, into ends[0]. */
static struct sink *
open_copy(int ends[2], struct sink_reader *reader, const char *head, const char *tail)
{
    struct sink_socket_options to = {
        .readers = reader, .count = 1, .head = head, .tail = tail, .timeout_us = 60000000};
    struct sink *s;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    reader->fd = ends[0];
    ck_assert_int_eq(sink_socket_open(&to, &s), 0);
    return s;
}

START_TEST(a_send_that_is_interrupted_is_made_again)
{
    struct sink_reader reader = {.fd = -1};
    char got[32] = "";
    int ends[2];
    struct sink *s = open_copy(ends, &reader, "head ", "");

    /* what is full for a moment is waited for, also where nobody cancels and memory is no matter */
    plans[0] = (struct plan){"send", EINTR, 1, 2};
    plans[1] = (struct plan){"send", EAGAIN, 1, 1};
    sink_put(s, "bytes", 5);
    sink_pass(s, "", 0);
    ck_assert_int_eq(sink_commit(s), 0);
    sink_close(s);
    ck_assert_uint_eq(failed, 3);
    ck_assert_int_eq(read(ends[1], got, sizeof got - 1), 10);
    ck_assert_str_eq(got, "head bytes");
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_copy_whose_end_cannot_be_sent_has_failed)
{
    struct sink_reader reader = {.fd = -1};
    int ends[2];
    struct sink *s = open_copy(ends, &reader, "head", "tail");

    plans[0] = (struct plan){"send", ECONNRESET, _i, 1}; /* the head, the tail */
    ck_assert_int_eq(sink_commit(s), -ECONNRESET);
    ck_assert_str_eq(s->failed_step, "send");
    sink_close(s);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/file_errors");
    TCase *t = tcase_create("file_errors");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, a_save_fails_by_what_matters_and_by_nothing_else, 0, SAVES);
    tcase_add_test(t, a_file_system_that_does_not_say_its_room_is_not_warned_of);
    tcase_add_loop_test(t, without_links_the_old_dump_is_kept_by_an_exchange, 0, 4);
    tcase_add_loop_test(t, what_cannot_be_kept_is_told_and_the_save_succeeds, 0, 5);
    tcase_add_test(t, a_save_that_fails_where_nothing_was_kept_says_why_it_failed);
    tcase_add_loop_test(t, a_kept_dump_that_gets_no_other_name_stays, 0, 3);
    tcase_add_loop_test(t, what_cannot_be_set_aside_fails_the_save_before_anything_is_changed, 0,
                        3);
    tcase_add_test(t, what_stays_aside_fails_no_save);
    tcase_add_loop_test(t, what_cannot_be_restored_is_told, 0, 2);
    tcase_add_test(t, a_path_that_is_too_long_has_nothing_aside);
    tcase_add_loop_test(t, a_leftover_is_removed_only_if_it_is_surely_one, 0, 13);
    tcase_add_test(t, a_read_that_gives_little_is_gone_on_with);
    tcase_add_test(t, a_send_that_is_interrupted_is_made_again);
    tcase_add_loop_test(t, a_copy_whose_end_cannot_be_sent_has_failed, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
