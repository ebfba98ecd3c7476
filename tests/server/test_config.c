/* tests/server/test_config.c - the configuration: at start: what is taken, what is refused, in
 * which words. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/text.h"
#include "server/commands/table.h"
#include "server/config/config.h"
#include "tests/support/conf.h"
#include "tests/support/runner.h"

/* ---- defaults and values ---- */

static const char *const defaults[] = {
    "port=6379",
    "bind=* -::*",
    "tcp-backlog=511",
    "timeout=0",
    "tcp-keepalive=300",
    "maxclients=10000",
    "protected-mode=yes",
    "databases=16",
    "loglevel=notice",
    "logfile=",
    "pidfile=",
    "dbfilename=dump.rdb",
    "save=3600 1 300 100 60 10000",
    "stop-writes-on-bgsave-error=yes",
    "rdbcompression=yes",
    "rdbchecksum=yes",
    "hash-max-listpack-entries=512",
    "hash-max-ziplist-entries=512",
    "hash-max-listpack-value=64",
    "proto-max-bulk-len=536870912",
    "client-query-buffer-limit=1073741824",
    "hz=10",
    "appendonly=no",
    "replicaof=",
    "slaveof=",
    "cluster-enabled=no",
    "daemonize=no",
    "arena-size=0",
    "snapshot-memory-limit=25%",
    "client-output-buffer-limit=normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"};

START_TEST(defaults_are_redis_defaults)
{
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(defaults[_i], "="), defaults[_i]);
    ck_assert_str_eq(conf_get(name), defaults[_i]);
}
END_TEST

START_TEST(a_file_in_redis_syntax_is_read)
{
    ck_assert_int_eq(conf_load("# a comment\n"
                               "\n"
                               "   port 7000   \r\n"
                               "TIMEOUT 5\n"
                               "logfile \"a b\\x41.log\"\n"
                               "pidfile 'it\\'s'\n"
                               "bind 127.0.0.1 -::1\n"
                               "proto-max-bulk-len 64mb\n"
                               "client-query-buffer-limit 2G\n"
                               "hash-max-ziplist-entries 7\n"
                               "loglevel Warning\n"
                               "daemonize no\n"
                               "replicaof no one\n"
                               "appendonly NO"),
                     0);
    ck_assert_int_eq(config.port, 7000);
    ck_assert_int_eq(config.timeout_s, 5);
    ck_assert_str_eq(config.logfile, "a bA.log");
    ck_assert_str_eq(config.pidfile, "it's");
    ck_assert_str_eq(config.bind, "127.0.0.1 -::1");
    ck_assert_uint_eq(config.proto_max_bulk_len, 64 << 20);
    ck_assert_uint_eq(config.client_query_buffer_limit, 2000000000);
    ck_assert_int_eq(config.hash_max_listpack_entries, 7);
    ck_assert_int_eq(config.log_level, LOG_WARNING);
}
END_TEST

START_TEST(save_lines_add_up_and_replace_the_default)
{
    ck_assert_int_eq(conf_load("save 900 1\nsave 300 10 60 10000\n"), 0);
    ck_assert_str_eq(conf_get("save"), "save=900 1 300 10 60 10000");
    ck_assert_int_eq(config.save_point_count, 3);
    ck_assert_int_eq(config.save_points[2].seconds, 60);
    ck_assert_int_eq(config.save_points[2].changes, 10000);
    ck_assert_int_eq(conf_load("save 5 5\nsave \"\"\n"), 0);
    ck_assert_str_eq(conf_get("save"), "save=");
    ck_assert_int_eq(conf_load("save ''\nsave 7 7\n"), 0);
    ck_assert_str_eq(conf_get("save"), "save=7 7");
}
END_TEST

static const struct {
    const char *line, *reason;
} refused_lines[] = {
    {"foo bar", "Bad directive or wrong number of arguments"},
    {"port", "wrong number of arguments"},
    {"port 1 2", "wrong number of arguments"},
    {"port 1 # no comments behind a directive", "wrong number of arguments"},
    {"port \"1", "Unbalanced quotes in configuration line"},
    {"port abc", "argument couldn't be parsed into an integer"},
    {"port 65536", "argument must be between 0 and 65535 inclusive"},
    {"port -1", "argument must be between 0 and 65535 inclusive"},
    {"port 99999999999999999999", "argument couldn't be parsed into an integer"},
    {"loglevel loud",
     "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"},
    {"protected-mode maybe", "argument must be 'yes' or 'no'"},
    {"proto-max-bulk-len many", "argument must be a memory value"},
    {"proto-max-bulk-len 1zb", "argument must be a memory value"},
    {"proto-max-bulk-len 99999999999gb", "argument must be a memory value"},
    {"proto-max-bulk-len 10", "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"save 1", "Invalid save parameters"},
    {"save 0 1", "Invalid save parameters"},
    {"save 1 x", "Invalid save parameters"},
    {"dbfilename a/b", "dbfilename can't be a path, just a filename"},
    {"dbfilename ..", "dbfilename can't be a path, just a filename"},
    {"dir /nonexistent", "No such file or directory"},
    {"client-output-buffer-limit normal 1 2",
     "Wrong number of arguments in buffer limit configuration."},
    {"client-output-buffer-limit master 1 2 3",
     "Invalid client class specified in buffer limit configuration."},
    {"client-output-buffer-limit normal 1 2 x",
     "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    {"bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."},
    {"bind 127.0.0.1 \"a b\"", "Invalid bind address"},
    {"include /nonexistent/file", NULL},
    {"daemonize yes", NULL},
    {"appendonly yes", NULL},
    {"replicaof 127.0.0.1 6379", NULL},
    {"slaveof 127.0.0.1 6379", NULL},
    {"cluster-enabled yes", NULL},
    {"rdbcompression zstd", "argument(s) must be one of the following: yes, no, lz4"},
    {"rdb-version 8", "argument must be between 9 and 12 inclusive"},
    {"rdb-compression-level 13", "argument must be between -100 and 12 inclusive"},
    {"supervised upstart", NULL},
};

START_TEST(a_refused_line_is_reported_with_file_line_and_reason)
{
    char text[256];

    snprintf(text, sizeof text, "# one\n\n%s\nport 1\n", refused_lines[_i].line);
    ck_assert_int_eq(conf_load(text), -22);
    if (refused_lines[_i].reason == NULL) {
        ck_assert_uint_gt(conf_why.len, 20);
        return;
    }
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "*** FATAL CONFIG FILE ERROR (Stillframe "));
    ck_assert_ptr_nonnull(
        strstr(text_str(&conf_why), "Reading the configuration file test.conf, at line 3\n"));
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), refused_lines[_i].line));
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), refused_lines[_i].reason));
}
END_TEST

START_TEST(what_would_promise_durability_is_refused_with_the_reason)
{
    ck_assert_int_lt(conf_load("daemonize yes"), 0);
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "fork"));
    ck_assert_int_lt(conf_load("appendonly yes"), 0);
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "append-only"));
    ck_assert_int_lt(conf_load("replicaof h 1"), 0);
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "Replication"));
    ck_assert_int_lt(conf_set("appendonly|yes"), 0);
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "append-only"));
    ck_assert_int_eq(conf_set("appendonly|no"), 0);
}
END_TEST

/* ---- files and the command line ---- */

static void
write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(the_command_line_comes_after_the_file_and_its_includes)
{
    char dir[] = "/tmp/stillframe-config-XXXXXX";
    char *words[] = {(char[]){"--port"}, (char[]){"7002"},   (char[]){"--save"},
                     (char[]){"60"},     (char[]){"1"},      (char[]){"--logfile"},
                     (char[]){""},       (char[]){"--bind"}, (char[]){"127.0.0.1"},
                     (char[]){"::1"}};

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    write_file("inner.conf", "timeout 7\nport 7001\n");
    write_file("main.conf", "port 7000\ninclude inner.conf\nhz 20\nlogfile x\n");
    ck_assert_int_eq(config_load("main.conf", 10, words, &conf_why), 0);
    ck_assert_int_eq(config.port, 7002);
    ck_assert_int_eq(config.timeout_s, 7);
    ck_assert_int_eq(config.hz, 20);
    ck_assert_str_eq(config.logfile, "");
    ck_assert_str_eq(config.bind, "127.0.0.1 ::1");
    ck_assert_str_eq(conf_get("save"), "save=60 1");
    ck_assert_ptr_nonnull(strstr(config_file(), "/main.conf"));
    ck_assert_int_eq(config_file()[0], '/');
    unlink("inner.conf");
    unlink("main.conf");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(dir);
}
END_TEST

static const struct {
    const char *words[6], *pattern, *value;
} forms[] = {
    {{"--save"}, "save", ""},
    {{"--save", "--loglevel", "verbose"}, "loglevel", "verbose"},
    {{"--SAVE", "--loglevel", "verbose"}, "save", ""},
    {{"--loglevel", "verbose", "--save"}, "save", ""},
    {{"--save", "", "--hz", "20"}, "save", ""},
    {{"--save", "60", "1", "--save", "10", "2"}, "save", "60 1 10 2"},
    {{"--save", "60 1 10 2"}, "save", "60 1 10 2"},
    {{"--save 60 1", "5", "5"}, "save", "60 1 5 5"},
    {{"--save \"\""}, "save", ""},
    {{"--save ", "--hz", "20"}, "save", ""},
    {{"--dbfilename", "--odd.rdb"}, "dbfilename", "--odd.rdb"},
    {{"--dbfilename", "--odd.rdb", "--hz", "20"}, "hz", "20"},
    {{"--maxmemory 100mb"}, "maxmemory", "104857600"},
    {{"--maxmemory ", "100mb"}, "maxmemory", "104857600"},
    {{"--requirepass", "--hz 20"}, "requirepass", "--hz 20"},
    {{"--requirepass \"a b\"", "--port", "7001"}, "requirepass", "a b"},
    {{"--bind"}, "bind", ""},
    {{"--client-output-buffer-limit"},
     "client-output-buffer-limit",
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
    {{"--latency-tracking-info-percentiles", "--hz"},
     NULL,
     "Invalid latency-tracking-info-percentiles"},
    {{"--shutdown-on-sigint"},
     NULL,
     "argument(s) must be one of the following: default, save, nosave"},
    {{"--oom-score-adj-values"}, NULL, "wrong number of arguments"},
    {{"--replicaof"}, NULL, "wrong number of arguments"},
    {{"--loglevel", "--port", "7000"}, NULL, ">>> 'loglevel \"--port\" \"7000\"'"},
    {{"--maxmemory 1mb", "2mb"}, NULL, ">>> 'maxmemory \"1mb\" \"2mb\"'"},
    {{"--maxmemory \"1mb"}, NULL, "Unbalanced quotes"},
};

START_TEST(the_command_line_has_the_forms_of_redis_7)
{
    char copies[6][64], *words[6];
    char want[256];
    int n = 0;

    for (; n < 6 && forms[_i].words[n] != NULL; n++) {
        snprintf(copies[n], sizeof copies[n], "%s", forms[_i].words[n]);
        words[n] = copies[n];
    }
    if (forms[_i].pattern == NULL) {
        ck_assert_int_eq(config_load(NULL, n, words, &conf_why), -22);
        ck_assert_msg(strstr(text_str(&conf_why), forms[_i].value) != NULL, "%s",
                      text_str(&conf_why));
        return;
    }
    ck_assert_msg(config_load(NULL, n, words, &conf_why) == 0, "%s", text_str(&conf_why));
    snprintf(want, sizeof want, "%s=%s", forms[_i].pattern, forms[_i].value);
    ck_assert_str_eq(conf_get(forms[_i].pattern), want);
}
END_TEST

static const char *const spellings[][3] = {
    /* name, given, shown */
    {"latency-tracking-info-percentiles", "0.0 50.0 100.0", "0 50 100"},
    {"latency-tracking-info-percentiles", "99.999 1e1 0x10", "99.999 10 16"},
    {"latency-tracking-info-percentiles", "50.123456789 99.99999999", "50.123457 100"},
    {"latency-tracking-info-percentiles", "''", ""},
    {"latency-tracking-info-percentiles", "nan", NULL},
    {"latency-tracking-info-percentiles", "100.1", NULL},
    {"shutdown-on-sigint", "nosave FORCE now", "nosave now force"},
    {"shutdown-on-sigterm", "force save now force", "save now force"},
    {"shutdown-on-sigint", "default save", "save"},
    {"shutdown-on-sigint", "default", "default"},
    {"shutdown-on-sigint", "''", NULL},
    {"oom-score-adj", "RELATIVE", "yes"},
    {"oom-score-adj", "absolute", "absolute"},
    {"oom-score-adj-values", "+1 -2000 007", "1 -2000 7"},
    {"oom-score-adj-values", "1e2 0 0", NULL},
    {"oom-score-adj-values", "''", NULL},
    {"repl-backlog-size", "1kb", "1024"},
    {"repl-backlog-size", "0", NULL},
    {"cluster-announce-hostname", "a_b", NULL},
    {"cluster-announce-hostname", "ok.host-1", "ok.host-1"},
    {"proc-title-template", "{title} {port} x", "{title} {port} x"},
    {"proc-title-template", "{foo}", NULL},
    {"client-output-buffer-limit", "''",
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
    {"key-load-delay", "-3", "-3"},
    {"use-exit-on-panic", "YES", "yes"},
    {"loading-process-events-interval-bytes", "1023", NULL},
};

START_TEST(a_value_is_shown_in_one_spelling)
{
    char words[256], want[256];

    snprintf(words, sizeof words, "%s|%s", spellings[_i][0], spellings[_i][1]);
    if (spellings[_i][2] == NULL) {
        ck_assert_int_eq(conf_set(words), -22);
        return;
    }
    ck_assert_msg(conf_set(words) == 0, "%s", text_str(&conf_why));
    snprintf(want, sizeof want, "%s=%s", spellings[_i][0], spellings[_i][2]);
    ck_assert_str_eq(conf_get(spellings[_i][0]), want);
}
END_TEST

START_TEST(a_password_may_hold_any_byte)
{
    struct slice pair[] = {SLICE("requirepass"), SLICE("a\0b"), SLICE("masterauth"), SLICE("\0")};

    ck_assert_int_eq(config_set(pair, 2, false, &conf_why), 0);
    ck_assert_uint_eq(config.requirepass.len, 3);
    ck_assert_mem_eq(config.requirepass.at, "a\0b", 4);
    ck_assert_int_eq(conf_load("requirepass \"x\\x00\"\n"), 0);
    ck_assert_mem_eq(config.requirepass.at, "x\0", 3);
}
END_TEST

START_TEST(what_is_hidden_is_shown_by_its_name_alone)
{
    ck_assert_str_eq(conf_get("key-load-delay"), "key-load-delay=0");
    ck_assert_str_eq(conf_get("KEY-load-delay"), "KEY-load-delay=0");
    ck_assert_str_eq(conf_get("key-load-dela?"), "");
    ck_assert_ptr_null(strstr(conf_get("*"), "aof-disable-auto-gc"));
    ck_assert_str_eq(conf_get("aof-disable-auto-gc"), "aof-disable-auto-gc=no");
    ck_assert_str_eq(conf_get("user"), "");
    ck_assert_int_eq(conf_set("user|x"), -22);
    ck_assert_str_eq(text_str(&conf_why),
                     "ERR Unknown option or number of arguments for CONFIG SET - 'user'");
}
END_TEST

START_TEST(a_file_that_includes_itself_is_refused)
{
    char dir[] = "/tmp/stillframe-config-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    write_file("loop.conf", "port 7000\ninclude loop.conf\n");
    ck_assert_int_lt(config_load("loop.conf", 0, NULL, &conf_why), 0);
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "include is nested too deeply"));
    unlink("loop.conf");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(dir);
}
END_TEST

static const struct {
    const char *words[4], *reason;
} refused_words[] = {
    {{"--port", "abc"}, ">>> 'port \"abc\"'\nargument couldn't be parsed into an integer"},
    {{"--port"}, ">>> 'port'\nwrong number of arguments"},
    {{"--port", "1", "2"}, ">>> 'port \"1\" \"2\"'\nwrong number of arguments"},
    {{"--nonsense", "1"}, "Bad directive or wrong number of arguments"},
    {{"port", "1"}, "options begin with two dashes"},
    {{"--", "1"}, "options begin with two dashes"},
    {{"--appendonly", "yes"}, "append-only"},
    {{"--rename-command", "get"}, "Bad directive or wrong number of arguments"},
    {{"--rename-command", "nosuch", "x"}, "No such command in rename-command"},
};

START_TEST(refused_options_are_reported)
{
    char copies[4][32], *words[4];
    int n = 0;

    for (; n < 4 && refused_words[_i].words[n] != NULL; n++) {
        snprintf(copies[n], sizeof copies[n], "%s", refused_words[_i].words[n]);
        words[n] = copies[n];
    }
    ck_assert_int_eq(config_load(NULL, n, words, &conf_why), -22);
    ck_assert_msg(strstr(text_str(&conf_why), refused_words[_i].reason) != NULL, "%s",
                  text_str(&conf_why));
    ck_assert_ptr_nonnull(strstr(text_str(&conf_why), "Reading the command line"));
}
END_TEST

START_TEST(a_missing_file_is_reported)
{
    ck_assert_int_lt(config_load("/nonexistent.conf", 0, NULL, &conf_why), 0);
    ck_assert_str_eq(
        text_str(&conf_why),
        "Fatal error, can't open config file '/nonexistent.conf': No such file or directory\n");
}
END_TEST

START_TEST(the_directory_is_kept_as_an_absolute_path)
{
    ck_assert_int_eq(chdir("/usr"), 0);
    ck_assert_int_eq(conf_load("dir bin/..\n"), 0);
    ck_assert_str_eq(config.dir, "/usr");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("config");
    TCase *start = tcase_create("start"), *running = tcase_create("running");

    commands_init(); /* rename-command is theirs */
    tcase_add_checked_fixture(start, conf_open, conf_close);
    tcase_add_checked_fixture(running, conf_open, conf_close);
    tcase_add_loop_test(start, defaults_are_redis_defaults, 0,
                        sizeof defaults / sizeof defaults[0]);
    tcase_add_test(start, a_file_in_redis_syntax_is_read);
    tcase_add_test(start, save_lines_add_up_and_replace_the_default);
    tcase_add_loop_test(start, a_refused_line_is_reported_with_file_line_and_reason, 0,
                        sizeof refused_lines / sizeof refused_lines[0]);
    tcase_add_test(start, what_would_promise_durability_is_refused_with_the_reason);
    tcase_add_test(start, the_command_line_comes_after_the_file_and_its_includes);
    tcase_add_loop_test(start, the_command_line_has_the_forms_of_redis_7, 0,
                        (int)(sizeof forms / sizeof forms[0]));
    tcase_add_loop_test(running, a_value_is_shown_in_one_spelling, 0,
                        sizeof spellings / sizeof spellings[0]);
    tcase_add_test(running, a_password_may_hold_any_byte);
    tcase_add_test(running, what_is_hidden_is_shown_by_its_name_alone);
    tcase_add_test(start, a_file_that_includes_itself_is_refused);
    tcase_add_loop_test(start, refused_options_are_reported, 0,
                        sizeof refused_words / sizeof refused_words[0]);
    tcase_add_test(start, a_missing_file_is_reported);
    tcase_add_test(start, the_directory_is_kept_as_an_absolute_path);
    suite_add_tcase(s, start);
    suite_add_tcase(s, running);
    return run_suite(s);
}
