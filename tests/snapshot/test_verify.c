/* tests/snapshot/test_verify.c - a dump that is read back: whatever is not what was written is
 * found. */
#include "snapshot/verify.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/support/runner.h"
#include "tests/support/scratch.h"

enum { KEYS = 300 };

static char dir[SCRATCH_BYTES], path[SCRATCH_BYTES + 32], why[200];

static void
setup(void)
{
    scratch_make(dir, "verify");
    snprintf(path, sizeof path, "%s/dump.rdb", dir);
    why[0] = '\0';
}

static void
teardown(void)
{
    fault_disarm();
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static void
put_keys(struct rdb_enc *e, unsigned value_bytes)
{
    char name[16], *value = malloc(value_bytes);

    memset(value, 'v', value_bytes);
    for (int i = 0; i < KEYS; i++) {
        int n = snprintf(name, sizeof name, "key%d", i);

        rdb_put_byte(e, RDB_TYPE_STRING);
        rdb_put_string(e, name, (size_t)n);
        if (i % 2 == 0)
            rdb_put_int_string(e, i);
        else
            rdb_put_string(e, value, value_bytes);
    }
    free(value);
}

static void
write_dump(bool checksum, bool compress, unsigned value_bytes)
{
    struct rdb_enc e;
    struct sink *s;

    ck_assert_int_eq(
        sink_file_open(&(struct sink_file_options){.path = path, .temp_name = "temp.rdb"}, &s), 0);
    s->with_crc = checksum;
    ck_assert_int_eq(rdb_enc_init(&e, s, RDB_VERSION_DEFAULT, compress), 0);
    rdb_put_magic(&e);
    rdb_put_aux(&e, "redis-ver", "7.2.0");
    rdb_put_selectdb(&e, 0);
    rdb_put_resizedb(&e, KEYS, 0);
    put_keys(&e, value_bytes);
    rdb_put_eof(&e);
    ck_assert_int_eq(sink_commit(s), 0);
    rdb_enc_fini(&e);
    sink_close(s);
}

static int
verify(uint64_t keys, bool checksum)
{
    return verify_dump(&(struct verify_options){.path = path, .keys = keys, .checksum = checksum},
                       why, sizeof why);
}

START_TEST(what_was_written_is_good)
{
    bool checksum = (_i & 1) != 0;

    write_dump(checksum, (_i & 2) != 0, 100);
    ck_assert_msg(verify(KEYS, checksum) == 0, "%s", why);
    ck_assert_str_eq(why, "");
}
END_TEST

START_TEST(another_number_of_keys_is_told)
{
    write_dump(true, true, 100);
    ck_assert_int_eq(verify(KEYS + 1, true), -EBADMSG);
    ck_assert_str_eq(why, "300 keys were read back, and 301 were written");
}
END_TEST

START_TEST(a_checksum_that_is_gone_is_told)
{
    write_dump(false, true, 100);
    ck_assert_int_eq(verify(KEYS, true), -EBADMSG);
    ck_assert_str_eq(why, "the checksum is not there any more");
}
END_TEST

/* pack: the dump, of one block, in an LZ4 frame. */
static void
pack(bool checksums)
{
    uint8_t *raw = malloc(LZ4_FRAME_BLOCK_BYTES), *packed = malloc(2 * LZ4_FRAME_BLOCK_BYTES);
    void *state = malloc(lz4_frame_state_bytes());
    struct lz4_frame_sum sum;
    size_t len, at;
    FILE *f;

    ck_assert_ptr_nonnull(f = fopen(path, "r"));
    len = fread(raw, 1, LZ4_FRAME_BLOCK_BYTES, f);
    ck_assert(feof(f));
    fclose(f);
    lz4_frame_sum_begin(&sum);
    lz4_frame_sum_add(&sum, raw, len);
    at = lz4_frame_head(packed, checksums);
    at += lz4_frame_block(state, packed + at, raw, len, 1, checksums);
    at += lz4_frame_tail(packed + at, checksums, lz4_frame_sum_end(&sum));
    ck_assert_ptr_nonnull(f = fopen(path, "w"));
    ck_assert_uint_eq(fwrite(packed, 1, at, f), at);
    ck_assert_int_eq(fclose(f), 0);
    free(raw);
    free(packed);
    free(state);
}

START_TEST(the_checksum_of_the_frame_around_it_is_as_good)
{
    write_dump(false, false, 100);
    pack(true);
    ck_assert_msg(verify(KEYS, true) == 0, "%s", why);
    write_dump(false, false, 100);
    pack(false);
    ck_assert_int_eq(verify(KEYS, true), -EBADMSG);
    ck_assert_str_eq(why, "the checksum is not there any more");
    ck_assert_int_eq(verify(KEYS, false), 0);
}
END_TEST

START_TEST(every_byte_that_changes_is_found)
{
    struct stat st;
    int fd;

    write_dump(true, true, 60);
    ck_assert_int_ge(fd = open(path, O_RDWR), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (off_t at = 0; at < st.st_size; at++) {
        uint8_t was, is;

        ck_assert_int_eq(pread(fd, &was, 1, at), 1);
        is = was ^ (uint8_t)(1u << (at % 8));
        ck_assert_int_eq(pwrite(fd, &is, 1, at), 1);
        ck_assert_msg(verify(KEYS, true) == -EBADMSG, "byte %ld of %ld: %s", (long)at,
                      (long)st.st_size, why);
        ck_assert_str_ne(why, "");
        ck_assert_int_eq(pwrite(fd, &was, 1, at), 1);
    }
    ck_assert_int_eq(verify(KEYS, true), 0);
    close(fd);
}
END_TEST

START_TEST(every_cut_is_found)
{
    struct stat st;

    write_dump(true, true, 60);
    ck_assert_int_eq(stat(path, &st), 0);
    for (off_t len = st.st_size - 1; len >= 0; len--) {
        ck_assert_int_eq(truncate(path, len), 0);
        ck_assert_int_eq(verify(KEYS, true), -EBADMSG);
    }
}
END_TEST

START_TEST(a_cancel_ends_it)
{
    _Atomic bool cancel = false;
    struct verify_options o = {.path = path, .keys = KEYS, .checksum = true, .cancel = &cancel};

    write_dump(true, false, 100000); /* some looks at the flag */
    ck_assert_int_eq(verify_dump(&o, why, sizeof why), 0);
    o.keeps_cache = true;
    ck_assert_int_eq(verify_dump(&o, why, sizeof why), 0);
    cancel = true;
    ck_assert_int_eq(verify_dump(&o, why, sizeof why), -ECANCELED);
    ck_assert_str_eq(why, "");
}
END_TEST

START_TEST(what_cannot_be_read_is_told)
{
    ck_assert_int_eq(verify(KEYS, true), -ENOENT);
    ck_assert_str_eq(why, "it cannot be opened: No such file or directory");
#ifdef STILLFRAME_FAULTS
    write_dump(true, true, 100);
    fault_arm(FAULT_load_read, 1, true);
    ck_assert_int_eq(verify(KEYS, true), -EIO);
    ck_assert_str_eq(why, "not read on at offset 0: cannot be read: Input/output error");
#endif
}
END_TEST

START_TEST(no_descriptor_is_no_damage)
{
    struct rlimit had, none;

    write_dump(true, true, 100);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &had), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = had.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(verify(KEYS, true), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &had), 0);
    ck_assert_str_eq(why, "it cannot be opened: Too many open files");
}
END_TEST

/* The second descriptor is for the page cache alone. */
START_TEST(one_descriptor_is_enough)
{
    struct rlimit had, one;
    int next;

    write_dump(true, false, 20000); /* some looks at how far it is */
    ck_assert_int_ge(next = dup(STDIN_FILENO), 0);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &had), 0);
    one = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = had.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &one), 0);
    ck_assert_msg(verify(KEYS, true) == 0, "%s", why);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &had), 0);
}
END_TEST

START_TEST(a_version_that_is_not_read_is_damage)
{
    int fd;

    write_dump(true, true, 100);
    ck_assert_int_ge(fd = open(path, O_RDWR), 0);
    ck_assert_int_eq(pwrite(fd, "REDIS0078", 9, 0), 9);
    close(fd);
    ck_assert_int_eq(verify(KEYS, true), -EBADMSG);
    ck_assert_msg(strstr(why, "at offset 0: REDIS0078 (RDB version 78) is not read") == why, "%s",
                  why);
}
END_TEST

#ifdef STILLFRAME_FAULTS

/* Each allocation of reading it back fails in turn. */
START_TEST(no_memory_is_no_damage)
{
    unsigned long n, failed = 0;

    write_dump(true, true, 100);
    for (n = 1; n == 1 || failed == n - 1; n++) {
        int r;

        fault_arm(FAULT_load_alloc, n, false);
        r = verify(KEYS, true);
        if (fault_disarm() == 0) {
            ck_assert_int_eq(r, 0);
            continue;
        }
        failed++;
        ck_assert_msg(r == -ENOMEM, "allocation %lu: %d: %s", n, r, why);
        ck_assert_msg(strstr(why, "no memory") != NULL || strstr(why, "Cannot allocate") != NULL,
                      "allocation %lu: %s", n, why);
    }
    ck_assert_uint_gt(failed, 3); /* the source's, and at least two of the decoder's */
}
END_TEST

#endif

int
main(void)
{
    Suite *s = suite_create("snapshot/verify");
    TCase *t = tcase_create("verify");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, what_was_written_is_good, 0, 4);
    tcase_add_test(t, another_number_of_keys_is_told);
    tcase_add_test(t, a_checksum_that_is_gone_is_told);
    tcase_add_test(t, the_checksum_of_the_frame_around_it_is_as_good);
    tcase_add_test(t, every_byte_that_changes_is_found);
    tcase_add_test(t, every_cut_is_found);
    tcase_add_test(t, a_cancel_ends_it);
    tcase_add_test(t, what_cannot_be_read_is_told);
    tcase_add_test(t, no_descriptor_is_no_damage);
    tcase_add_test(t, one_descriptor_is_enough);
    tcase_add_test(t, a_version_that_is_not_read_is_damage);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, no_memory_is_no_damage);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
