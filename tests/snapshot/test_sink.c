/* tests/snapshot/test_sink.c - sinks: bytes arrive, in order and durable, or the old file stays and
 * nothing else does. */
#include "snapshot/rdb/sink.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/fault.h"
#include "mm/base/log.h"
#include "snapshot/rdb/temp_file.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

static char dir[SCRATCH_BYTES], path[SCRATCH_BYTES + 32], temp[SCRATCH_BYTES + 32];

static void
make_dir(void)
{
    scratch_make(dir, "sink");
    snprintf(path, sizeof path, "%s/dump.rdb", dir);
    snprintf(temp, sizeof temp, "%s/temp-1.rdb", dir);
}

static void
remove_dir(void)
{
    fault_disarm();
    unlink(path);
    unlink(temp);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else was left */
}

static bool
exists(const char *name)
{
    return access(name, F_OK) == 0;
}

static void
write_old_dump(void)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs("old", f);
    fclose(f);
}

/* holds: the file consists of these bytes. */
static bool
holds(const char *name, const void *bytes, size_t len)
{
    uint8_t *has = malloc(len + 1);
    int fd = open(name, O_RDONLY);
    ssize_t n = 0, got;
    bool is_same;

    ck_assert_int_ge(fd, 0);
    while ((size_t)n <= len && (got = read(fd, has + n, len + 1 - (size_t)n)) > 0)
        n += got;
    is_same = (size_t)n == len && memcmp(has, bytes, len) == 0;
    close(fd);
    free(has);
    return is_same;
}

static uint8_t *
some_bytes(size_t len)
{
    uint8_t *p = malloc(len);
    uint32_t x = 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(x >> 24);
    }
    return p;
}

/* put_in_pieces: of many sizes, small and larger than the buffer. */
static void
put_in_pieces(struct sink *s, const uint8_t *bytes, size_t len)
{
    static const size_t sizes[] = {
        1, 3, 100, 4095, 65536, 7, SINK_BUFFER_BYTES - 1, 1, SINK_BUFFER_BYTES, 700000, 9};
    size_t at = 0;

    for (unsigned i = 0; at < len; i = (i + 1) % (sizeof sizes / sizeof *sizes)) {
        size_t n = sizes[i] < len - at ? sizes[i] : len - at;

        sink_put(s, bytes + at, n);
        at += n;
        ck_assert_uint_eq(s->put_bytes + s->fill, sink_error(s) == 0 ? at : s->put_bytes + s->fill);
    }
}

static struct sink *
open_file(size_t writeout_bytes)
{
    struct sink *s = NULL;

    ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = path,
                                                                .temp_name = "temp-1.rdb",
                                                                .writeout_bytes = writeout_bytes},
                                    &s),
                     0);
    return s;
}

START_TEST(memory_gets_every_byte_in_order)
{
    enum { LEN = 3000000 };
    uint8_t *bytes = some_bytes(LEN), *has;
    struct sink *s;
    size_t len;

    ck_assert_int_eq(sink_memory_open(&s), 0);
    s->with_crc = true;
    put_in_pieces(s, bytes, LEN);
    ck_assert_uint_eq(sink_crc(s), crc64(0, bytes, LEN));
    ck_assert_int_eq(sink_commit(s), 0);
    ck_assert_uint_eq(s->crc, crc64(0, bytes, LEN));
    has = sink_memory_take(s, &len);
    ck_assert_uint_eq(len, LEN);
    ck_assert_mem_eq(has, bytes, LEN);
    free(has);
    has = sink_memory_take(s, &len);
    ck_assert_ptr_nonnull(has);
    ck_assert_uint_eq(len, 0);
    free(has);
    sink_close(s);
    ck_assert_int_eq(sink_memory_open(&s), 0);
    sink_put_slow(s, bytes, 10); /* what fits in the buffer stays there */
    ck_assert_uint_eq(s->put_bytes, 0);
    has = sink_memory_take(s, &len);
    ck_assert_uint_eq(len, 10);
    ck_assert_mem_eq(has, bytes, 10);
    free(has);
    sink_close(s);
    free(bytes);
}
END_TEST

START_TEST(a_file_appears_under_its_name_with_commit_and_not_before)
{
    static const size_t writeout[] = {0, 1, 300000, 1 << 20};
    enum { LEN = 5000000 };
    uint8_t *bytes = some_bytes(LEN);
    struct sink *s = open_file(writeout[_i]);
    struct stat st;

    put_in_pieces(s, bytes, LEN);
    ck_assert_int_eq(sink_flush(s), 0);
    ck_assert(exists(temp));
    ck_assert(!exists(path));
    ck_assert_int_eq(sink_commit(s), 0);
    ck_assert(!exists(temp));
    ck_assert(holds(path, bytes, LEN));
    ck_assert_uint_eq(s->put_bytes, LEN);
    sink_close(s);
    ck_assert(holds(path, bytes, LEN));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    free(bytes);
}
END_TEST

START_TEST(close_without_commit_leaves_no_trace)
{
    struct sink *s;

    write_old_dump();
    s = open_file(0);
    sink_put(s, "new", 3);
    sink_flush(s);
    sink_close(s);
    ck_assert(!exists(temp));
    ck_assert(holds(path, "old", 3));
}
END_TEST

START_TEST(a_stale_temporary_file_is_replaced_and_its_links_are_not_written_to)
{
    char link_name[SCRATCH_BYTES + 32];
    struct sink *s;

    snprintf(link_name, sizeof link_name, "%s/linked", dir);
    write_old_dump();
    ck_assert_int_eq(link(path, link_name), 0);
    ck_assert_int_eq(symlink(path, temp), 0);
    s = open_file(0);
    sink_put(s, "new", 3);
    ck_assert_int_eq(sink_commit(s), 0);
    sink_close(s);
    ck_assert(holds(path, "new", 3));
    ck_assert(holds(link_name, "old", 3));
    unlink(link_name);
}
END_TEST

/* temp_name: of the temporary file in the working directory; "": there is none. */
static void
temp_name(char ret[TEMP_NAME_BYTES])
{
    DIR *d = opendir(".");
    struct dirent *e;

    ck_assert_ptr_nonnull(d);
    ret[0] = '\0';
    while ((e = readdir(d)) != NULL)
        if (temp_file_kind(e->d_name) == TEMP_DUMP)
            snprintf(ret, TEMP_NAME_BYTES, "%.*s", TEMP_NAME_BYTES - 1, e->d_name);
    closedir(d);
}

START_TEST(what_is_being_written_is_not_taken_for_a_leftover)
{
    char *before = getcwd(NULL, 0), name[TEMP_NAME_BYTES], none[TEMP_NAME_BYTES];
    struct sink *s;
    FILE *left;

    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = "dump.rdb"}, &s), 0);
    temp_name(name);
    ck_assert_str_ne(name, "");
    ck_assert_int_eq(temp_file_remove(name), 0);
    ck_assert(exists(name));
    ck_assert_int_eq(sink_commit(s), 0);
    sink_close(s);
    temp_name(none);
    ck_assert_str_eq(none, "");
    write_old_dump(); /* which is nobody's temporary file */
    ck_assert_int_eq(temp_file_remove("dump.rdb"), 0);
    ck_assert(exists("dump.rdb"));
    ck_assert_ptr_nonnull(left = fopen(name, "w"));
    fclose(left);
    ck_assert_int_eq(temp_file_remove(name), 1); /* one whose maker is gone */
    ck_assert(!exists(name));
    ck_assert_int_eq(chdir(before), 0);
    free(before);
}
END_TEST

START_TEST(a_name_without_a_directory_is_beside_us)
{
    struct sink *s;
    char *before = getcwd(NULL, 0);

    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(
        sink_file_open(&(struct sink_file_options){.path = "dump.rdb", .temp_name = "temp-1.rdb"},
                       &s),
        0);
    sink_put(s, "here", 4);
    ck_assert_int_eq(sink_commit(s), 0);
    sink_close(s);
    ck_assert(holds(path, "here", 4));
    ck_assert_int_eq(chdir(before), 0);
    free(before);
}
END_TEST

START_TEST(what_cannot_be_opened_is_an_error)
{
    struct sink *s = NULL;

    ck_assert_int_eq(
        sink_file_open(&(struct sink_file_options){.path = "/nowhere/at/all/dump.rdb"}, &s),
        -ENOENT);
    ck_assert_int_eq(
        sink_file_open(&(struct sink_file_options){.path = path, .temp_name = "../t"}, &s),
        -EINVAL);
    ck_assert_ptr_null(s);
}
END_TEST

/* ---- verifying ---- */

static struct {
    int calls, answer;
    const char *why;
    bool saw_all; /* the file was whole, and nothing had its name yet */
    uint8_t *bytes;
    size_t len;
} seen;

static int
look(void *ctx, const char *temp_path, char *why, size_t why_bytes)
{
    ck_assert_ptr_eq(ctx, &seen);
    seen.calls++;
    seen.saw_all = holds(temp_path, seen.bytes, seen.len) && !exists(path);
    if (seen.why != NULL)
        snprintf(why, why_bytes, "%s", seen.why);
    return seen.answer;
}

static struct sink *
verified_file(bool write_it)
{
    struct sink *s;

    ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = path,
                                                                .temp_name = "temp-1.rdb",
                                                                .verify = look,
                                                                .verify_ctx = &seen},
                                    &s),
                     0);
    seen.calls = seen.answer = 0;
    seen.why = NULL;
    seen.len = 3000000;
    seen.bytes = some_bytes(seen.len);
    if (write_it)
        put_in_pieces(s, seen.bytes, seen.len);
    return s;
}

START_TEST(a_verifier_sees_the_whole_file_before_it_has_its_name)
{
    struct sink *s = verified_file(true);

    ck_assert_int_eq(sink_commit(s), 0);
    ck_assert_int_eq(seen.calls, 1);
    ck_assert(seen.saw_all);
    sink_close(s);
    ck_assert(holds(path, seen.bytes, seen.len));
    free(seen.bytes);
}
END_TEST

START_TEST(what_a_verifier_refuses_leaves_the_old_dump)
{
    struct sink *s = verified_file(true);

    write_old_dump();
    seen.answer = -EBADMSG;
    seen.why = "two and two are five";
    ck_assert_int_eq(sink_commit(s), -EBADMSG);
    ck_assert_int_eq(sink_error(s), -EBADMSG);
    ck_assert_str_eq(s->failed_step, "verify");
    ck_assert_str_eq(s->failed_why, "two and two are five");
    sink_close(s);
    ck_assert(holds(path, "old", 3));
    ck_assert(!exists(temp));
    free(seen.bytes);
}
END_TEST

START_TEST(what_failed_before_is_not_verified)
{
    struct sink *s = verified_file(false);

    sink_fail(s, -EIO, "write");
    ck_assert_int_eq(sink_commit(s), -EIO);
    ck_assert_int_eq(seen.calls, 0);
    sink_close(s);
    free(seen.bytes);
}
END_TEST

/* ---- the page cache ---- */

/* cached_pages: of the dump. */
static size_t
cached_pages(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (len + page - 1) / page, n = 0;
    unsigned char *has = malloc(pages);
    int fd = open(path, O_RDONLY);
    void *at = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);

    ck_assert(at != MAP_FAILED);
    ck_assert_int_eq(mincore(at, len, has), 0);
    for (size_t i = 0; i < pages; i++)
        n += has[i] & 1;
    munmap(at, len);
    close(fd);
    free(has);
    return n;
}

/* can_drop: some file systems are nothing but cache. */
static bool
can_drop(size_t len)
{
    int fd = open(path, O_RDONLY);

    ck_assert_int_eq(fsync(fd), 0);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return cached_pages(len) == 0;
}

START_TEST(a_dump_leaves_the_page_cache_to_others)
{
    enum { LEN = 8000000 };
    uint8_t *bytes = some_bytes(LEN);

    for (int keeps = 0; keeps < 2; keeps++) {
        struct sink *s;
        size_t cached;

        ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = path,
                                                                    .writeout_bytes = 1 << 20,
                                                                    .keeps_cache = keeps != 0},
                                        &s),
                         0);
        put_in_pieces(s, bytes, LEN);
        ck_assert_int_eq(sink_commit(s), 0);
        sink_close(s);
        cached = cached_pages(LEN);
        if (keeps != 0)
            ck_assert_uint_gt(cached, LEN / 4096 / 2);
        else
            ck_assert_msg(cached == 0 || !can_drop(LEN), "%zu pages are cached", cached);
    }
    ck_assert(holds(path, bytes, LEN));
    free(bytes);
}
END_TEST

/* ---- room ---- */

/* log_of: what opening a file of so many bytes writes into the log. */
static const char *
log_of(uint64_t expected_bytes)
{
    static char text[1000], name[SCRATCH_BYTES + 32];
    struct sink *s;
    FILE *f;

    snprintf(name, sizeof name, "%s/log", dir);
    ck_assert_int_eq(log_open(name), 0);
    ck_assert_int_eq(sink_file_open(&(struct sink_file_options){.path = path,
                                                                .temp_name = "temp-1.rdb",
                                                                .expected_bytes = expected_bytes},
                                    &s),
                     0);
    sink_close(s);
    ck_assert_ptr_nonnull(f = fopen(name, "r"));
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    unlink(name);
    return text;
}

START_TEST(a_dump_that_will_not_fit_is_warned_of_and_tried)
{
    char expected[SCRATCH_BYTES + 100];

    ck_assert_str_eq(log_of(0), "");
    ck_assert_str_eq(log_of(1), "");
    snprintf(expected, sizeof expected, " # The file system of %s has ", path);
    ck_assert_ptr_nonnull(strstr(log_of(1ull << 60), expected));
    ck_assert_ptr_nonnull(strstr(log_of(1ull << 60),
                                 " MB free, and the new dump is expected to have about "
                                 "1152921504606 MB: this save may fail for want of room\n"));
}
END_TEST

/* ---- whose the temporary file is (temp_file.h) ---- */

START_TEST(names_are_new_and_known_again)
{
    char names[100][TEMP_NAME_BYTES];

    for (int i = 0; i < 100; i++) {
        temp_file_name(TEMP_DUMP, names[i]);
        ck_assert(temp_file_kind(names[i]) == TEMP_DUMP);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(names[i], names[k]);
    }
}
END_TEST

START_TEST(a_name_has_one_kind_or_none)
{
    static const char *const nobodys[] = {".stillframe-12.conf",
                                          ".stillframe-12-0123456789abcdef.rdb",
                                          "temp-stillframe-12-0123456789abcdef.conf",
                                          "x.stillframe-12-0123456789abcdef.conf",
                                          ".stillframe--0123456789abcdef.conf",
                                          ".stillframe-12-0123456789abcde.conf",
                                          ".stillframe-12-0123456789abcdef.conf~",
                                          ""};
    char name[TEMP_NAME_BYTES];

    temp_file_name(TEMP_CONF, name);
    ck_assert_int_eq(temp_file_kind(name), TEMP_CONF);
    for (unsigned i = 0; i < sizeof nobodys / sizeof nobodys[0]; i++)
        ck_assert_int_eq(temp_file_kind(nobodys[i]), TEMP_NONE);
}
END_TEST

START_TEST(a_file_is_locked_until_it_has_its_name)
{
    struct sink *s;
    int fd;

    s = open_file(0);
    sink_put(s, "new", 3);
    sink_flush(s);
    ck_assert_int_ge(fd = open(temp, O_RDWR), 0);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
    ck_assert_int_eq(temp_file_hold(fd), -EAGAIN);
    ck_assert_int_eq(sink_commit(s), 0);
    sink_close(s);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
}
END_TEST

START_TEST(a_file_that_was_taken_for_a_leftover_is_not_written)
{
    int fd = open(temp, O_RDWR | O_CREAT | O_EXCL, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(temp), 0); /* by a start, between open and lock */
    ck_assert_int_eq(temp_file_hold(fd), -EAGAIN);
    close(fd);
}
END_TEST

START_TEST(without_a_descriptor_for_the_lock_nothing_is_left)
{
    struct rlimit before_it, limit;
    struct sink *s = NULL;
    int fd = open("/dev/null", O_RDONLY), r;

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before_it), 0);
    limit = (struct rlimit){(rlim_t)fd + 1, before_it.rlim_max}; /* room for the file alone */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    r = sink_file_open(&(struct sink_file_options){.path = path, .temp_name = "temp-1.rdb"}, &s);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before_it), 0);
    ck_assert_int_eq(r, -EMFILE);
    ck_assert_ptr_null(s);
    ck_assert(!exists(temp));
}
END_TEST

START_TEST(on_the_way_out_the_noted_file_goes)
{
    struct sink *s = open_file(0);

    sink_put(s, "new", 3);
    sink_flush(s);
    temp_file_drop_noted();
    ck_assert(!exists(temp));
    ck_assert_int_eq(sink_commit(s), -ENOENT);
    ck_assert_str_eq(s->failed_step, "rename");
    sink_close(s);
    write_old_dump();
    temp_file_drop_noted(); /* there is none any more */
    ck_assert(holds(path, "old", 3));
}
END_TEST

START_TEST(a_file_that_may_not_grow_is_told_as_such)
{
    /* A real short write: the kernel takes what the limit allows, then refuses. */
    struct rlimit before_it, limit;
    uint8_t *bytes = some_bytes(2 << 20);
    struct sink *s;

    write_old_dump();
    s = open_file(0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before_it), 0);
    limit = (struct rlimit){400001, before_it.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    put_in_pieces(s, bytes, 2 << 20);
    ck_assert_int_eq(sink_flush(s), -EFBIG);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before_it), 0);
    ck_assert_str_eq(s->failed_step, "write");
    ck_assert_int_eq(sink_commit(s), -EFBIG);
    sink_close(s);
    ck_assert(!exists(temp));
    ck_assert(holds(path, "old", 3));
    free(bytes);
}
END_TEST

#ifdef STILLFRAME_FAULTS
static const struct {
    enum fault point;
    int error;
    const char *step; /* NULL: sink_file_open() fails */
    bool is_replaced; /* the new file is in place all the same */
} faults[] = {
    {FAULT_sink_buffer, -ENOMEM, NULL, false},
    {FAULT_sink_open, -EACCES, NULL, false},
    {FAULT_sink_write, -EIO, "write", false},
    {FAULT_sink_short_write, -ENOSPC, "write", false},
    {FAULT_sink_flush_range, -EIO, "write-out", false},
    {FAULT_sink_fsync, -EIO, "fsync", false},
    {FAULT_sink_close, -EIO, "close", false},
    {FAULT_sink_dir_open, -EMFILE, "directory open", false},
    {FAULT_sink_rename, -EACCES, "rename", false},
    {FAULT_sink_dir_fsync, -EIO, "directory fsync", true},
};

/* save_with_fault: the n-th call of the point fails.  Returns whether one was delivered. */
static bool
save_with_fault(unsigned i, unsigned long n, bool forever, const uint8_t *bytes, size_t len)
{
    struct sink *s = NULL;
    int r;

    write_old_dump();
    fault_arm(faults[i].point, n, forever);
    r = sink_file_open(&(struct sink_file_options){.path = path,
                                                   .temp_name = "temp-1.rdb",
                                                   .writeout_bytes = 300000},
                       &s);
    if (r == 0) {
        put_in_pieces(s, bytes, len);
        r = sink_commit(s);
        ck_assert_int_eq(r, sink_error(s));
        if (r < 0)
            ck_assert_str_eq(s->failed_step, faults[i].step);
        sink_close(s);
    } else {
        ck_assert_ptr_null(faults[i].step);
        ck_assert_ptr_null(s);
    }
    ck_assert(!exists(temp));
    if (fault_disarm() == 0) {
        ck_assert_int_eq(r, 0);
        ck_assert(holds(path, bytes, len));
        return false;
    }
    ck_assert_int_eq(r, faults[i].error);
    ck_assert(faults[i].is_replaced ? holds(path, bytes, len) : holds(path, "old", 3));
    return true;
}

START_TEST(each_step_that_fails_leaves_the_old_file_and_says_so)
{
    enum { LEN = 2000000 };
    uint8_t *bytes = some_bytes(LEN);
    unsigned long n = 1;

    while (save_with_fault((unsigned)_i, n, false, bytes, LEN))
        n++;
    ck_assert_uint_gt(n, 1);
    for (n = 1; n < 4; n++)
        save_with_fault((unsigned)_i, n, true, bytes, LEN);
    free(bytes);
}
END_TEST

START_TEST(memory_that_runs_out_is_a_sticky_error)
{
    struct sink *s;
    size_t len;

    fault_arm(FAULT_sink_buffer, 1, false);
    ck_assert_int_eq(sink_memory_open(&s), -ENOMEM);
    ck_assert_int_eq(sink_memory_open(&s), 0);
    sink_put(s, "a", 1);
    fault_arm(FAULT_sink_write, 1, false);
    ck_assert_int_eq(sink_flush(s), -ENOMEM);
    sink_put(s, "b", 1);
    ck_assert_int_eq(sink_flush(s), -ENOMEM);
    ck_assert_ptr_null(sink_memory_take(s, &len));
    sink_close(s);
    ck_assert_int_eq(sink_memory_open(&s), 0);
    fault_arm(FAULT_sink_write, 1, false);
    ck_assert_ptr_null(sink_memory_take(s, &len)); /* not even for nothing */
    sink_close(s);
}
END_TEST
#endif

int
main(void)
{
    Suite *suite = suite_create("snapshot/sink");
    TCase *memory = tcase_create("memory"), *file = tcase_create("file");

    umask(027);
    tcase_add_test(memory, memory_gets_every_byte_in_order);
    tcase_set_timeout(file, 120);
    tcase_add_checked_fixture(file, make_dir, remove_dir);
    tcase_add_loop_test(file, a_file_appears_under_its_name_with_commit_and_not_before, 0, 4);
    tcase_add_test(file, close_without_commit_leaves_no_trace);
    tcase_add_test(file, a_stale_temporary_file_is_replaced_and_its_links_are_not_written_to);
    tcase_add_test(file, what_is_being_written_is_not_taken_for_a_leftover);
    tcase_add_test(file, a_name_without_a_directory_is_beside_us);
    tcase_add_test(file, what_cannot_be_opened_is_an_error);
    tcase_add_test(file, a_verifier_sees_the_whole_file_before_it_has_its_name);
    tcase_add_test(file, what_a_verifier_refuses_leaves_the_old_dump);
    tcase_add_test(file, what_failed_before_is_not_verified);
    tcase_add_test(file, a_dump_leaves_the_page_cache_to_others);
    tcase_add_test(file, a_dump_that_will_not_fit_is_warned_of_and_tried);
    tcase_add_test(file, names_are_new_and_known_again);
    tcase_add_test(file, a_name_has_one_kind_or_none);
    tcase_add_test(file, a_file_is_locked_until_it_has_its_name);
    tcase_add_test(file, a_file_that_was_taken_for_a_leftover_is_not_written);
    tcase_add_test(file, without_a_descriptor_for_the_lock_nothing_is_left);
    tcase_add_test(file, on_the_way_out_the_noted_file_goes);
    tcase_add_test(file, a_file_that_may_not_grow_is_told_as_such);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(memory, memory_that_runs_out_is_a_sticky_error);
    tcase_add_loop_test(file, each_step_that_fails_leaves_the_old_file_and_says_so, 0,
                        sizeof faults / sizeof *faults);
#endif
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, file);
    return run_suite(suite);
}
