/* What is saved from files with one damage: each byte changed in several ways, each prefix.  What
 * comes out is an RDB, and every key in it was in the file, with the same value, database and
 * expiry. */
#include "snapshot/rdb/rdb.h"
#include "tests/tool/salvage_files.h"

static struct kept all, now;

START_TEST(what_is_whole_is_copied_as_it_is)
{
    static const char *const tails[] = {"ff crc", "ff zero"};
    struct spelled s = spell(ALL_TYPES), with = s;
    struct rescued r;

    for (unsigned i = 0; i < 2; i++) {
        with = s;
        spell_until(&with, tails[i], '\0');
        rescue_bytes(with.bytes, with.len, NULL, &r);
        ck_assert(r.is_whole);
        ck_assert_uint_eq(r.keys, FIRST_KEYS + SECOND_KEYS);
        ck_assert_uint_eq(r.len, with.len);
        ck_assert_int_eq(memcmp(r.bytes, with.bytes, with.len - 8), 0);
        ck_assert_int_eq(kept_of(r.bytes, r.len, true, &now), 0);
        free(r.bytes);
    }
}
END_TEST

START_TEST(a_changed_byte_is_put_right_by_the_checksum)
{
    struct spelled s = spell(ALL_TYPES "ff crc");
    struct rescued r;

    for (size_t at = 0; at < s.len; at++)
        for (unsigned way = 0; way < WAYS; way++) {
            uint8_t was = s.bytes[at];

            s.bytes[at] = damaged(was, way);
            if (s.bytes[at] == was)
                continue;
            rescue_bytes(s.bytes, s.len, NULL, &r);
            s.bytes[at] = was;
            ck_assert_msg(r.is_whole, "byte %zu, %u", at, way);
            ck_assert_uint_eq(r.len, s.len);
            ck_assert_int_eq(memcmp(r.bytes, s.bytes, s.len), 0);
            ck_assert_uint_eq(r.losses[LOSS_REPAIRED], 1);
            free(r.bytes);
        }
}
END_TEST

/* Without a checksum nobody sees a byte changed to another that could be there as well. */
START_TEST(a_changed_byte_that_is_seen_costs_no_other_key_its_truth)
{
    struct spelled s = spell(ALL_TYPES "ff zero");
    unsigned seen = 0, unseen = 0;
    uint64_t kept = 0;
    struct rescued r;

    ck_assert_int_eq(kept_of(s.bytes, s.len, true, &all), 0);
    for (size_t at = 0; at < s.len; at++)
        for (unsigned way = 0; way < WAYS; way++) {
            uint8_t was = s.bytes[at];
            bool is_seen;

            s.bytes[at] = damaged(was, way);
            if (s.bytes[at] == was)
                continue;
            is_seen = kept_of(s.bytes, s.len, true, &now) != 0 || now.findings > 0;
            rescue_bytes(s.bytes, s.len, NULL, &r);
            s.bytes[at] = was;
            check_saved(&r, is_seen ? &all : &now, "byte", at, way);
            /* but for a nonzero trailer, which says that all is wrong */
            ck_assert_msg(!is_seen || !r.is_whole, "byte %zu, %u", at, way);
            seen += is_seen;
            unseen += !is_seen;
            kept += is_seen ? r.keys : 0;
            free(r.bytes);
        }
    printf("seen %u, unseen %u, kept %.1f of %u keys\n", seen, unseen, (double)kept / seen,
           all.count);
    ck_assert_uint_gt(seen, unseen / 2);
    /* most of the file is saved */
    ck_assert_uint_gt(kept / seen, all.count / 2);
}
END_TEST

START_TEST(a_library_that_comes_again_is_kept_once)
{
    struct spelled s = spell(HEAD "fe 00 " FIRST_DB "63 x 200 " SECOND_DB
                                  "f5 ['#!lua name=x'] " SECOND_DB "ff zero");
    struct rescued r;

    rescue_bytes(s.bytes, s.len, NULL, &r);
    ck_assert(!r.is_whole);
    ck_assert_int_eq(kept_of(r.bytes, r.len, true, &now), 0); /* twice, it could not be read */
    ck_assert_uint_eq(now.functions, crc64(1, "#!lua name=x", 12));
    ck_assert_uint_gt(now.count, FIRST_KEYS);
    ck_assert_uint_ge(r.losses[LOSS_DAMAGED], 1);
    free(r.bytes);
}
END_TEST

START_TEST(without_a_version_it_is_one_that_has_all_that_is_kept)
{
    static const char *const between[] = {"f4 05 02 00 ", "f5 ['#!lua name=x'] "};
    static const int least[] = {RDB_SLOT_INFO_FROM_VERSION, RDB_FUNCTIONS_FROM_VERSION};
    const struct rescue how = {.keep_doubtful = true};
    char text[2000] = "'nobody..' fe 00 ";
    struct rescued r;

    for (unsigned i = 0; i < 30; i++)
        strcat(text, "00 ['key'] ['its value'] ");
    for (unsigned i = 0; i < 2; i++) {
        char whole[3000];
        struct spelled s;

        snprintf(whole, sizeof whole, "%s%s%sff zero", text, between[i], strstr(text, "00 ["));
        s = spell(whole);
        rescue_bytes(s.bytes, s.len, &how, &r);
        ck_assert_int_eq(kept_of(r.bytes, r.len, true, &now), 0);
        ck_assert_int_ge(now.version, least[i]);
        ck_assert_uint_ge(now.count, 30);
        free(r.bytes);
    }
}
END_TEST

START_TEST(of_each_prefix_all_that_is_whole_is_saved)
{
    struct spelled s = spell(ALL_TYPES "ff crc");
    unsigned exact = 0, less = 0;
    struct rescued r;

    ck_assert_int_eq(kept_of(s.bytes, s.len, true, &all), 0);
    for (size_t len = 0; len < s.len; len++) {
        (void)kept_of(s.bytes, len, true, &now); /* a key that is cut comes, too */
        rescue_bytes(s.bytes, len, NULL, &r);
        ck_assert(!r.is_whole);
        check_saved(&r, &all, "prefix", len, 0);
        ck_assert_uint_le(r.keys, now.count);
        exact += r.keys + 1 >= now.count;
        less += r.keys + 1 < now.count;
        free(r.bytes);
    }
    printf("exact %u, less %u\n", exact, less);
    /* where the last bytes happen to look like an end mark, less is believed */
    ck_assert_uint_le(less, s.len / 20);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("salvage");
    TCase *t = tcase_create("one damage");
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_is_whole_is_copied_as_it_is);
    tcase_add_test(t, a_changed_byte_is_put_right_by_the_checksum);
    tcase_add_test(t, a_changed_byte_that_is_seen_costs_no_other_key_its_truth);
    tcase_add_test(t, a_library_that_comes_again_is_kept_once);
    tcase_add_test(t, without_a_version_it_is_one_that_has_all_that_is_kept);
    tcase_add_test(t, of_each_prefix_all_that_is_whole_is_saved);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
