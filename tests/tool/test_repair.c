/* Finding damaged bytes by the checksum alone. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "tool/salvage/repair.h"

enum { BYTES = 40000, SUM_BYTES = 8, ALL = BYTES + SUM_BYTES };
static uint8_t file[ALL];

static void
make_file(void)
{
    uint64_t state = 88172645463325252u;

    for (size_t i = 0; i < BYTES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        file[i] = (uint8_t)(state >> 56);
    }
    le_store(file + BYTES, crc64(0, file, BYTES), SUM_BYTES);
}

/* find: by the file that is in memory. */
static int
find(struct flat_patch *ret)
{
    struct flat f;
    int fd = memfd_create("file", MFD_CLOEXEC), r;

    ck_assert_int_eq(write(fd, file, ALL), ALL);
    ck_assert_int_eq(flat_init(&f, fd, ALL), 0);
    r = repair_find(&f, NULL, NULL, ret);
    flat_fini(&f);
    close(fd);
    return r;
}

/* check_undone: a burst of so many bytes, anywhere, is found. */
static void
check_undone(size_t at, const uint8_t *with, unsigned len)
{
    struct flat_patch p;

    for (unsigned i = 0; i < len; i++)
        file[at + i] ^= with[i];
    ck_assert_int_eq(find(&p), REPAIR_FOUND);
    ck_assert_uint_eq(p.at, at);
    ck_assert_uint_eq(p.len, len);
    ck_assert_int_eq(memcmp(p.with, with, len), 0);
    for (unsigned i = 0; i < len; i++)
        file[at + i] ^= with[i];
}

START_TEST(a_burst_is_found_wherever_it_is)
{
    static const size_t places[] = {0, 1, 7, 4095, 16383, 16384, 20000, BYTES - 4};
    static const uint8_t one[] = {0x10}, two[] = {0x01, 0x80}, three[] = {0xff, 0x00, 0x01};
    struct flat_patch p;

    make_file();
    ck_assert_int_eq(find(&p), REPAIR_NEEDLESS);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        check_undone(places[i], one, 1);
        check_undone(places[i], two, 2);
        check_undone(places[i], three, 3);
    }
}
END_TEST

START_TEST(the_checksum_itself_may_be_damaged)
{
    static const uint8_t one[] = {0x40}, four[] = {1, 2, 3, 4};

    make_file();
    for (size_t at = BYTES; at < ALL; at++)
        check_undone(at, one, 1);
    check_undone(BYTES + 4, four, 4);
}
END_TEST

START_TEST(what_is_no_burst_is_not_found)
{
    struct flat_patch p;

    make_file();
    for (size_t apart = 8; apart < 20000; apart = apart * 2 + 1) {
        file[10] ^= 1;
        file[10 + apart] ^= 1;
        ck_assert_int_eq(find(&p), REPAIR_NONE);
        file[10] ^= 1;
        file[10 + apart] ^= 1;
    }
    memset(file + BYTES, 0, SUM_BYTES); /* no checksum */
    file[10] ^= 1;
    ck_assert_int_eq(find(&p), REPAIR_NONE);
}
END_TEST

START_TEST(the_longest_burst_depends_on_the_length)
{
    ck_assert_uint_eq(repair_burst_bytes(1000), 4);
    ck_assert_uint_eq(repair_burst_bytes(1 << 20), 3);
    ck_assert_uint_eq(repair_burst_bytes(1000000000), 2);
    ck_assert_uint_eq(repair_burst_bytes(100000000000), 1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("repair");
    TCase *t = tcase_create("repair");
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_burst_is_found_wherever_it_is);
    tcase_add_test(t, the_checksum_itself_may_be_damaged);
    tcase_add_test(t, what_is_no_burst_is_not_found);
    tcase_add_test(t, the_longest_burst_depends_on_the_length);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
