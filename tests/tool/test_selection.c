/* Which keys the options select, and what is said of options that are wrong. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/runner.h"
#include "tool/base/tool.h"
#include "tool/keys/selection.h"

enum { FROM_MS = 1000000 };

/* select_with: options as on a command line: "name", "text", ..., NULL. */
static struct selection *
select_with(struct tool_options *o, const char *const *given)
{
    tool_options_init(o);
    for (; *given != NULL; given += 2) {
        unsigned i = 0;

        while (strcmp(tool_options[i].name, given[0]) != 0)
            i++;
        ck_assert(tool_options_set(o, &tool_options[i], given[1]));
    }
    return selection_new(o);
}

static struct rdb_key
key_of(struct slice name)
{
    return (struct rdb_key){
        .name = name, .expire_at_ms = -1, .idle_s = -1, .freq = -1, .kind = RDB_VALUE_STRING};
}

static bool
takes(const char *const *given, const struct rdb_key *key)
{
    struct tool_options o;
    struct selection *s = select_with(&o, given);
    bool r;

    ck_assert_ptr_nonnull(s);
    r = selection_takes_key(s, key, FROM_MS);
    ck_assert(!selection_needs_facts(s));
    selection_free(s);
    tool_options_fini(&o);
    return r;
}

#define TAKES(key, ...) takes((const char *const[]){__VA_ARGS__, NULL}, key)

static bool
takes_name(const char *option, const char *text, struct slice name)
{
    struct rdb_key k = key_of(name);

    return TAKES(&k, option, text);
}

START_TEST(names_by_glob)
{
    struct rdb_key k = key_of(SLICE("user:17"));

    ck_assert(takes_name("match", "user:*", SLICE("user:17")));
    ck_assert(!takes_name("match", "user:", SLICE("user:17")));
    ck_assert(takes_name("match", "user:[0-9]?", SLICE("user:17")));
    ck_assert(takes_name("match", "*", SLICE("")));
    ck_assert(takes_name("match", "a*z", SLICE("a\0z")));
    ck_assert(TAKES(&k, "match", "x*", "match", "*17"));
    ck_assert(!TAKES(&k, "match", "*17", "exclude", "user*"));
    ck_assert(TAKES(&k, "exclude", "users*"));
    ck_assert(!TAKES(&k, "exclude", "users*", "exclude", "*:*"));
}
END_TEST

START_TEST(names_by_regular_expression)
{
    ck_assert(takes_name("regex", "^user:[0-9]+$", SLICE("user:17")));
    ck_assert(!takes_name("regex", "^user:[0-9]+$", SLICE("user:17x")));
    ck_assert(takes_name("regex", "7|8", SLICE("user:17")));
    ck_assert(takes_name("regex", "a.b$", SLICE("\xff\0a\0b")));
    ck_assert(!takes_name("regex", "^b", SLICE("a\nb")));
    ck_assert(takes_name("regex", "^$", SLICE("")));
    ck_assert(takes_name("regex", "\xff", SLICE("x\xff")));
}
END_TEST

START_TEST(types_and_databases)
{
    struct rdb_key k = key_of(SLICE("k"));

    k.kind = RDB_VALUE_ZSET;
    k.db = 12;
    ck_assert(TAKES(&k, "type", "string,zset"));
    ck_assert(TAKES(&k, "type", "ZSET"));
    ck_assert(TAKES(&k, "type", "list", "type", "zset"));
    ck_assert(!TAKES(&k, "type", "string,stream"));
    ck_assert(TAKES(&k, "db", "12"));
    ck_assert(TAKES(&k, "db", "1,12"));
    ck_assert(!TAKES(&k, "db", "1,2", "db", "3"));
}
END_TEST

START_TEST(times_to_live)
{
    struct rdb_key k = key_of(SLICE("k"));

    ck_assert(TAKES(&k, "ttl", "none") && !TAKES(&k, "ttl", "any"));
    ck_assert(!TAKES(&k, "ttl", "past") && !TAKES(&k, "ttl", "0-"));
    k.expire_at_ms = FROM_MS; /* now, so over */
    ck_assert(TAKES(&k, "ttl", "past") && TAKES(&k, "ttl", "any"));
    ck_assert(!TAKES(&k, "ttl", "none") && !TAKES(&k, "ttl", "0-"));
    k.expire_at_ms = -5; /* long ago */
    ck_assert(TAKES(&k, "ttl", "past") && !TAKES(&k, "ttl", "0-"));
    k.expire_at_ms = FROM_MS + 1;
    ck_assert(TAKES(&k, "ttl", "0-") && TAKES(&k, "ttl", "0") && !TAKES(&k, "ttl", "past"));
    k.expire_at_ms = FROM_MS + 90999; /* 90 whole seconds */
    ck_assert(TAKES(&k, "ttl", "90") && TAKES(&k, "ttl", "-90") && TAKES(&k, "ttl", "1m-2m"));
    ck_assert(TAKES(&k, "ttl", "1.5m") && TAKES(&k, "ttl", "90s-"));
    ck_assert(!TAKES(&k, "ttl", "91-") && !TAKES(&k, "ttl", "-89") && !TAKES(&k, "ttl", "1h-2d"));
}
END_TEST

START_TEST(idle_times_and_frequencies)
{
    struct rdb_key k = key_of(SLICE("k"));

    ck_assert(!TAKES(&k, "idle", "0-") && !TAKES(&k, "freq", "0-"));
    k.idle_s = 7200;
    ck_assert(TAKES(&k, "idle", "2h") && TAKES(&k, "idle", "3600-") && !TAKES(&k, "idle", "-1h"));
    k.freq = 5;
    ck_assert(TAKES(&k, "freq", "5") && TAKES(&k, "freq", "-10") && !TAKES(&k, "freq", "6-"));
}
END_TEST

static bool
takes_facts(const char *option, const char *text, const struct key_facts *f)
{
    struct tool_options o;
    struct selection *s = select_with(&o, (const char *const[]){option, text, NULL});
    bool r;

    ck_assert_ptr_nonnull(s);
    ck_assert(selection_needs_facts(s) && !selection_is_all(s));
    ck_assert(selection_takes_key(s, f->key, FROM_MS));
    r = selection_takes_facts(s, f);
    selection_free(s);
    tool_options_fini(&o);
    return r;
}

START_TEST(what_is_known_behind_the_value)
{
    struct rdb_key k = key_of(SLICE("k"));
    struct key_facts f = {.key = &k,
                          .encoding_number = KEY_LISTPACK,
                          .encoding = "listpack",
                          .elements = 10,
                          .record_bytes = 4096};

    ck_assert(takes_facts("size", "4k", &f) && takes_facts("size", "100-", &f));
    ck_assert(!takes_facts("size", "-4095", &f) && !takes_facts("size", "1mb-", &f));
    ck_assert(takes_facts("encoding", "raw,listpack", &f) && !takes_facts("encoding", "raw", &f));
    ck_assert(!takes_facts("elements", "1-", &f)); /* a string has none */
    k.kind = RDB_VALUE_HASH;
    ck_assert(takes_facts("elements", "10", &f) && takes_facts("elements", "5-", &f));
    ck_assert(!takes_facts("elements", "11-", &f));
}
END_TEST

START_TEST(everything_is_everything)
{
    struct tool_options o;
    struct selection *s = select_with(&o, (const char *const[]){NULL});
    struct rdb_key k = key_of(SLICE(""));

    ck_assert(selection_is_all(s) && !selection_needs_facts(s));
    ck_assert(selection_takes_key(s, &k, FROM_MS));
    ck_assert(selection_share(s) == 1);
    ck_assert_uint_eq(selection_left(s), UINT64_MAX);
    for (int i = 0; i < 1000; i++)
        ck_assert(!selection_count(s));
    selection_free(s);
    s = select_with(&o, (const char *const[]){"sample", "100", NULL});
    ck_assert(selection_is_all(s));
    selection_free(s);
}
END_TEST

START_TEST(the_limit_tells_its_last_key)
{
    struct tool_options o;
    struct selection *s = select_with(&o, (const char *const[]){"limit", "3", NULL});

    ck_assert(!selection_is_all(s));
    ck_assert_uint_eq(selection_left(s), 3);
    ck_assert(!selection_count(s) && !selection_count(s));
    ck_assert_uint_eq(selection_left(s), 1);
    ck_assert(selection_count(s));
    selection_free(s);
}
END_TEST

/* sampled: how many of so many keys, and a sum over their numbers. */
static unsigned
sampled(const char *percent, const char *seed, uint64_t db, unsigned keys, uint64_t *ret_sum)
{
    struct tool_options o;
    struct selection *s =
        select_with(&o, (const char *const[]){"sample", percent, "seed", seed, NULL});
    unsigned n = 0;
    char name[32];

    *ret_sum = 0;
    for (unsigned i = 0; i < keys; i++) {
        struct rdb_key k =
            key_of((struct slice){name, (size_t)snprintf(name, sizeof name, "key:%u", i)});

        k.db = db;
        if (selection_takes_key(s, &k, FROM_MS)) {
            n++;
            *ret_sum += i;
        }
    }
    selection_free(s);
    return n;
}

START_TEST(a_sample_is_the_same_each_time_and_as_large_as_asked)
{
    enum { KEYS = 100000 };
    uint64_t sum, again, other;
    unsigned n = sampled("10", "1", 0, KEYS, &sum);

    ck_assert_uint_eq(sampled("10%", "1", 0, KEYS, &again), n);
    ck_assert_uint_eq(again, sum);
    ck_assert_uint_ge(n, 9500); /* five standard errors */
    ck_assert_uint_le(n, 10500);
    sampled("10", "2", 0, KEYS, &other);
    ck_assert_uint_ne(other, sum);
    sampled("10", "1", 1, KEYS, &other);
    ck_assert_uint_ne(other, sum);
    ck_assert_uint_lt(sampled("0.1", "1", 0, KEYS, &sum), 200);
    ck_assert_uint_gt(sampled("99.9", "1", 0, KEYS, &sum), 99700);
}
END_TEST

START_TEST(sums_over_a_sample_are_off_by_what_is_said)
{
    enum { KEYS = 2000, SEEDS = 400 };
    struct tool_options o;
    struct selection *s = select_with(&o, (const char *const[]){"sample", "25", NULL});
    double within = 0, truth = KEYS * (KEYS - 1) / 2.0;
    char seed[16];

    ck_assert(fabs(selection_share(s) - 0.25) < 1e-12);
    for (int i = 0; i < SEEDS; i++) {
        uint64_t sum;
        double squares;

        snprintf(seed, sizeof seed, "%d", i);
        sampled("25", seed, 0, KEYS, &sum);
        /* of the squares their expectation: n^3 / 3, a quarter of it */
        squares = (double)KEYS * KEYS * KEYS / 3 / 4;
        within += fabs((double)sum / 0.25 - truth) < selection_error(s, squares);
    }
    selection_free(s);
    /* of a normal distribution 68 % are within one standard error; five errors of that here */
    ck_assert_msg(within / SEEDS > 0.56 && within / SEEDS < 0.80, "%g", within / SEEDS);
}
END_TEST

START_TEST(wrong_options_are_refused_with_an_example)
{
    static const char *const wrong[][2] = {{"type", "strings"},
                                           {"type", ""},
                                           {"type", "string,"},
                                           {"encoding", "ziplist"},
                                           {"db", "x"},
                                           {"db", "-1"},
                                           {"db", "1,"},
                                           {"size", "big"},
                                           {"elements", "5-1"},
                                           {"ttl", "soon"},
                                           {"ttl", "10-5"},
                                           {"ttl", "-"},
                                           {"ttl", "1y"},
                                           {"idle", "any"},
                                           {"idle", ""},
                                           {"freq", "x"},
                                           {"sample", "0"},
                                           {"sample", "101"},
                                           {"sample", "half"},
                                           {"sample", ""},
                                           {"sample", "nan"},
                                           {"regex", "(a"},
                                           {"regex", "[z"},
                                           {"regex", "a{2,1}"},
                                           {"ttl", "1h-2h-3h"},
                                           {"db", "1 2"},
                                           {"ttl", "99999999999999999999"},
                                           {"sample", "-1"},
                                           {"elements", "1-x"},
                                           {"idle", "1d-1h"}};
    char text[512];
    FILE *was = stderr;

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct tool_options o;

        stderr = fmemopen(text, sizeof text, "w");
        ck_assert_msg(select_with(&o, (const char *const[]){wrong[i][0], wrong[i][1], NULL}) ==
                          NULL,
                      "--%s=%s", wrong[i][0], wrong[i][1]);
        fclose(stderr);
        stderr = was;
        ck_assert_msg(strncmp(text, "stillframe-rdb: --", 18) == 0, "%s", text);
        ck_assert_msg(strstr(text, wrong[i][0]) != NULL && strstr(text, "\nTry: ") != NULL, "%s",
                      text);
        tool_options_fini(&o);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("selection");
    TCase *tc = tcase_create("selection");

    tcase_add_test(tc, names_by_glob);
    tcase_add_test(tc, names_by_regular_expression);
    tcase_add_test(tc, types_and_databases);
    tcase_add_test(tc, times_to_live);
    tcase_add_test(tc, idle_times_and_frequencies);
    tcase_add_test(tc, what_is_known_behind_the_value);
    tcase_add_test(tc, everything_is_everything);
    tcase_add_test(tc, the_limit_tells_its_last_key);
    tcase_add_test(tc, a_sample_is_the_same_each_time_and_as_large_as_asked);
    tcase_add_test(tc, sums_over_a_sample_are_off_by_what_is_said);
    tcase_add_test(tc, wrong_options_are_refused_with_an_example);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
