/* tests/server/test_config_set.c - CONFIG SET and GET: all or nothing. */
#include <check.h>

#include "mm/base/text.h"
#include "server/config/config.h"
#include "tests/support/conf.h"
#include "tests/support/runner.h"

static const struct {
    const char *pairs, *error;
} refused_sets[] = {
    {"foo|bar", "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"},
    {"timeout|1|foo|2", "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"},
    {"timeout|1|port|abc",
     "ERR CONFIG SET failed (possibly related to argument 'port') - argument couldn't "
     "be parsed into an integer"},
    {"databases|3",
     "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"},
    {"dir|/tmp",
     "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"},
    {"dbfilename|x",
     "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config"},
    {"timeout|1|Timeout|2",
     "ERR CONFIG SET failed (possibly related to argument 'Timeout') - duplicate parameter"},
    {"save|60",
     "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters"},
    {"maxclients|0",
     "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and "
     "4294967295 inclusive"},
    {"hash-max-listpack-entries|-1",
     "ERR CONFIG SET failed (possibly related to argument 'hash-max-listpack-entries') - "
     "argument must be between 0 and 9223372036854775807 inclusive"},
    {"proto-max-bulk-len|abc",
     "ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - "
     "argument must be a memory value"},
};

START_TEST(a_refused_set_names_the_parameter_and_changes_nothing)
{
    static struct text before;

    text_free(&before);
    text_add(&before, conf_get("*"));
    ck_assert_int_eq(conf_set(refused_sets[_i].pairs), -22);
    ck_assert_str_eq(text_str(&conf_why), refused_sets[_i].error);
    ck_assert_str_eq(conf_get("*"), text_str(&before));
}
END_TEST

START_TEST(several_parameters_are_set_together)
{
    ck_assert_int_eq(conf_set("timeout|9|save|5 6 7 8|loglevel|debug|hash-max-ziplist-value|2kb"),
                     0);
    ck_assert_int_eq(config.timeout_s, 9);
    ck_assert_int_eq(config.save_point_count, 2);
    ck_assert_uint_eq(config.hash_max_listpack_value, 2048);
    ck_assert_int_eq(conf_set("save|''"), 0);
    ck_assert_int_eq(config.save_point_count, 0);
    ck_assert_int_eq(conf_set("client-output-buffer-limit|normal 1mb 2 3 slave 1 2 3"), 0);
    ck_assert_str_eq(
        conf_get("client-output*"),
        "client-output-buffer-limit=normal 1048576 2 3 slave 1 2 3 pubsub 33554432 8388608 60");
}
END_TEST

START_TEST(protected_parameters_can_be_set_where_that_is_permitted)
{
    struct slice pair[] = {SLICE("dbfilename"), SLICE("other.rdb")};

    ck_assert_int_eq(config_set(pair, 1, true, &conf_why), 0);
    ck_assert_str_eq(config.dbfilename, "other.rdb");
}
END_TEST

/* What apply functions saw, newest last. */
static int64_t seen[8];
static int seen_count;
static bool refuse_hz;

static bool
see_timeout(const struct config *next, const char **reason)
{
    (void)reason;
    seen[seen_count++] = next->timeout_s;
    return true;
}

static bool
see_hz(const struct config *next, const char **reason)
{
    seen[seen_count++] = next->hz;
    *reason = "not now";
    return !refuse_hz;
}

START_TEST(a_change_that_cannot_be_applied_takes_the_others_back)
{
    config_on_change("timeout", see_timeout);
    config_on_change("hz", see_hz);
    seen_count = 0;
    refuse_hz = true;
    ck_assert_int_lt(conf_set("timeout|30|maxclients|77|hz|50"), 0);
    ck_assert_str_eq(text_str(&conf_why),
                     "ERR CONFIG SET failed (possibly related to argument 'hz') - not now");
    ck_assert_int_eq(seen_count, 3);
    ck_assert_int_eq(seen[0], 30);
    ck_assert_int_eq(seen[1], 50);
    ck_assert_int_eq(seen[2], 0); /* timeout again, with the old value */
    ck_assert_int_eq(config.timeout_s, 0);
    ck_assert_int_eq(config.maxclients, 10000);
    refuse_hz = false;
    ck_assert_int_eq(conf_set("timeout|30|maxclients|77|hz|50"), 0);
    ck_assert_int_eq(config.hz, 50);
}
END_TEST

START_TEST(get_takes_patterns_of_any_case_and_aliases)
{
    ck_assert_str_eq(conf_get("HASH-max-*"),
                     "hash-max-listpack-entries=512;hash-max-ziplist-entries=512;"
                     "hash-max-listpack-value=64;hash-max-ziplist-value=64");
    ck_assert_str_eq(conf_get("t?meout"), "timeout=0");
    ck_assert_str_eq(conf_get("nothing*"), "");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("config set");
    TCase *running = tcase_create("running");

    tcase_add_checked_fixture(running, conf_open, conf_close);
    tcase_add_loop_test(running, a_refused_set_names_the_parameter_and_changes_nothing, 0,
                        sizeof refused_sets / sizeof refused_sets[0]);
    tcase_add_test(running, several_parameters_are_set_together);
    tcase_add_test(running, protected_parameters_can_be_set_where_that_is_permitted);
    tcase_add_test(running, a_change_that_cannot_be_applied_takes_the_others_back);
    tcase_add_test(running, get_takes_patterns_of_any_case_and_aliases);
    suite_add_tcase(s, running);
    return run_suite(s);
}
