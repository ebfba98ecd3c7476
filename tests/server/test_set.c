/* tests/server/test_set.c - the set type: its three forms, the ways between them, sets of several,
 * draws, all or nothing. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/cut.h"
#include "server/data/db/draw.h"
#include "server/data/set/set.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static const char *
encoding(const char *key)
{
    static char text[32];

    sscanf(talk("object encoding %s", key), "$%*d %31s", text);
    return text;
}

static void
limit_sets(int64_t ints, int64_t entries, int64_t value)
{
    set_limits.intset_members = ints;
    set_limits.listpack_members = entries;
    set_limits.listpack_member_bytes = value;
}

static struct set
set_at(const char *key)
{
    return set_of(talk_record(key));
}

START_TEST(integers_are_an_intset_up_to_the_limit)
{
    limit_sets(8, 128, 64);
    for (int i = 0; i < 8; i++)
        talk("sadd s %d", i * 1000);
    ck_assert_str_eq(encoding("s"), "intset");
    talk("sadd s 3000");
    ck_assert_str_eq(encoding("s"), "intset");
    talk("sadd s 8000");
    ck_assert_str_eq(encoding("s"), "hashtable");
    talk("srem s 0 1000 2000 3000 4000");
    ck_assert_str_eq(encoding("s"), "hashtable");
    ck_assert_str_eq(talk("smismember s 0 5000 8000 x"), "*4\r\n:0\r\n:1\r\n:1\r\n:0\r\n");
}
END_TEST

START_TEST(a_word_makes_an_intset_a_listpack_or_a_table)
{
    limit_sets(512, 4, 8);
    talk("sadd a 1 2 3");
    talk("sadd a x");
    ck_assert_str_eq(encoding("a"), "listpack");
    talk("sadd a y");
    ck_assert_str_eq(encoding("a"), "hashtable");
    talk("sadd b 1 2 3 4");
    talk("sadd b x");
    ck_assert_str_eq(encoding("b"), "hashtable");
    talk("sadd c 1");
    talk("sadd c @9*x");
    ck_assert_str_eq(encoding("c"), "hashtable");
    talk("sadd d 123456789"); /* nine characters: too long for the listpack, not for the intset */
    ck_assert_str_eq(encoding("d"), "intset");
    talk("sadd d x");
    ck_assert_str_eq(encoding("d"), "hashtable");
    talk("sadd e x 1 2");
    talk("srem e x");
    ck_assert_str_eq(encoding("e"), "listpack"); /* it does not go back */
    talk("expire e 100");
    talk("sadd e @9*y");
    ck_assert_str_eq(encoding("e"), "hashtable");
    ck_assert_str_eq(talk("ttl e"), ":100\r\n");
    db_verify();
}
END_TEST

/* The block was written anew where it stood, and its record went on saying that it is an intset. */
START_TEST(an_intset_outside_the_record_that_becomes_a_listpack_is_one)
{
    limit_sets(512, 128, 64);
    /* the listpack is smaller or larger than the intset */
    for (int large = 20; large < 120; large++) {
        talk("del s");
        for (int i = 0; i < 127; i++)
            ck_assert_str_eq(talk("sadd s %lld", (i < large ? 1LL << 40 : 10000000) + i), ":1\r\n");
        ck_assert_str_eq(encoding("s"), "intset");
        ck_assert_str_eq(talk("sadd s x"), ":1\r\n");
        ck_assert_str_eq(encoding("s"), "listpack");
        ck_assert_str_eq(talk("sismember s %lld", (1LL << 40) + large - 1), ":1\r\n");
        ck_assert_str_eq(talk("sismember s x"), ":1\r\n");
        db_verify();
    }
}
END_TEST

START_TEST(how_many_are_given_decides_how_a_set_begins)
{
    limit_sets(4, 6, 64);
    talk("sadd a 1 2 3 4 5"); /* more than an intset takes: a listpack from the start */
    ck_assert_str_eq(encoding("a"), "listpack");
    talk("sadd b 1 1 1 1 1 1 1");
    ck_assert_str_eq(encoding("b"), "hashtable");
    ck_assert_str_eq(talk("scard b"), ":1\r\n");
    talk("sadd c 1");
    talk("sadd c 1 1 1 1 1");
    ck_assert_str_eq(encoding("c"), "hashtable");
    talk("sadd d 1 2 x 3 4 5");
    ck_assert_str_eq(encoding("d"), "listpack");
}
END_TEST

START_TEST(an_intset_widens_with_its_members)
{
    static const char *const words[] = {"0",
                                        "-1",
                                        "32767",
                                        "-32768",
                                        "32768",
                                        "2147483647",
                                        "-2147483648",
                                        "-2147483649",
                                        "2147483648",
                                        "9223372036854775807",
                                        "-9223372036854775808"};
    enum { WORDS = sizeof words / sizeof *words };

    for (unsigned i = 0; i < WORDS; i++) {
        ck_assert_str_eq(talk("sadd s %s", words[i]), ":1\r\n");
        ck_assert_str_eq(talk("sadd s %s", words[i]), ":0\r\n");
        ck_assert_str_eq(encoding("s"), "intset");
        for (unsigned k = 0; k < WORDS; k++)
            ck_assert_str_eq(talk("sismember s %s", words[k]), k <= i ? ":1\r\n" : ":0\r\n");
    }
    ck_assert_str_eq(talk("sadd s 9223372036854775808"), ":1\r\n");
    ck_assert_str_eq(encoding("s"), "listpack");
    ck_assert_uint_eq(set_at("s").count, WORDS + 1);
}
END_TEST

/* ---- a model: random changes against a table of flags ---- */

enum { KEYS = 4, WORDS = 700 };
static bool model[KEYS][WORDS];

static struct slice
word(unsigned w)
{
    static char text[WORDS][400];
    size_t len = 0;

    if (text[w][0] == '\0') {
        if (w < 500)
            snprintf(text[w], sizeof text[w], "%lld",
                     (long long)(w % 50 == 0 ? (int64_t)w << 40 : w * 7 - 900));
        else
            len = (size_t)snprintf(text[w], sizeof text[w], "word%u", w);
        if (w % 100 == 99) /* some are long */
            memset(text[w] + len, 'x', w / 2);
    }
    return (struct slice){text[w], strlen(text[w])};
}

static unsigned
count_of(unsigned key)
{
    unsigned n = 0;

    for (unsigned w = 0; w < WORDS; w++)
        n += model[key][w];
    return n;
}

static void
check_key(unsigned key)
{
    char name[8];
    struct set s;

    snprintf(name, sizeof name, "s%u", key);
    if (talk_record(name) == NULL) {
        ck_assert_uint_eq(count_of(key), 0);
        return;
    }
    s = set_at(name);
    ck_assert_uint_eq(s.count, count_of(key));
    for (unsigned w = 0; w < WORDS; w++)
        ck_assert_int_eq(set_has(&s, word(w)), model[key][w]);
    if (s.form == SET_TABLE)
        mtable_verify(s.table);
    if (s.form == SET_INTS) {
        uint32_t n;

        ck_assert(intset_validate(s.blob, record_blob(talk_record(name)).len, &n));
    }
}

/* change: SADD or SREM of several words. */
static void
change(unsigned key, bool adds, unsigned from, unsigned to)
{
    enum { MOST = 40 };
    struct slice argv[2 + MOST];
    char name[8];
    unsigned n = 1 + (unsigned)draw_below(draw_below(4) == 0 ? MOST : 3);
    long changed = 0, said;

    argv[0] = adds ? SLICE("sadd") : SLICE("srem");
    argv[1] = (struct slice){name, (size_t)snprintf(name, sizeof name, "s%u", key)};
    for (unsigned i = 0; i < n; i++) {
        unsigned w = from + (unsigned)draw_below(to - from);

        argv[2 + i] = word(w);
        changed += model[key][w] != adds;
        model[key][w] = adds;
    }
    ck_assert_int_eq(sscanf(talk_words((int)n + 2, argv), ":%ld", &said), 1);
    ck_assert_int_eq(said, changed);
}

static void
combine(unsigned op, unsigned to)
{
    static const char *const names[] = {"sinterstore", "sunionstore", "sdiffstore"};
    unsigned a = (unsigned)draw_below(KEYS), b = (unsigned)draw_below(KEYS), n = 0;
    char want[24];

    for (unsigned w = 0; w < WORDS; w++)
        n += op == 0   ? model[a][w] && model[b][w]
             : op == 1 ? model[a][w] || model[b][w]
                       : model[a][w] && !model[b][w];
    if (op == 0) {
        snprintf(want, sizeof want, ":%u\r\n", n);
        ck_assert_str_eq(talk("sintercard 2 s%u s%u", a, b), want);
    }
    snprintf(want, sizeof want, "*%u\r\n", n);
    ck_assert(strncmp(talk("%.*s s%u s%u", (int)strlen(names[op]) - 5, names[op], a, b), want,
                      strlen(want)) == 0);
    snprintf(want, sizeof want, ":%u\r\n", n);
    ck_assert_str_eq(talk("%s s%u s%u s%u", names[op], to, a, b), want);
    for (unsigned w = 0; w < WORDS; w++) {
        bool x = model[a][w], y = model[b][w];

        model[to][w] = op == 0 ? x && y : op == 1 ? x || y : x && !y;
    }
}

/* pop: what SPOP answers is taken out of the model; it must have been there. */
static void
pop(unsigned key)
{
    unsigned count = (unsigned)draw_below(count_of(key) + 2), left = count_of(key);
    const char *p = talk("spop s%u %u", key, count);
    long n, len;

    ck_assert_int_eq(sscanf(p, "*%ld", &n), 1);
    ck_assert_int_eq(n, count < left ? count : left);
    for (p = strchr(p, '\n') + 1; n > 0; n--) {
        unsigned w = 0;

        ck_assert_int_eq(sscanf(p, "$%ld", &len), 1);
        p = strchr(p, '\n') + 1;
        while (w < WORDS &&
               !(word(w).len == (size_t)len && memcmp(word(w).ptr, p, (size_t)len) == 0))
            w++;
        ck_assert_uint_lt(w, WORDS);
        ck_assert(model[key][w]);
        model[key][w] = false;
        p += len + 2;
    }
}

static void
move(unsigned from, unsigned to)
{
    unsigned w = (unsigned)draw_below(WORDS);
    char names[2][8];
    struct slice argv[4] = {SLICE("smove"), {names[0], 2}, {names[1], 2}, word(w)};

    snprintf(names[0], sizeof names[0], "s%u", from);
    snprintf(names[1], sizeof names[1], "s%u", to);
    ck_assert_str_eq(talk_words(4, argv), model[from][w] ? ":1\r\n" : ":0\r\n");
    if (model[from][w]) {
        model[from][w] = false;
        model[to][w] = true;
    }
}

static void
any_step(unsigned to_word)
{
    unsigned key = (unsigned)draw_below(KEYS), kind = (unsigned)draw_below(20);

    if (kind < 9)
        change(key, true, 0, to_word);
    else if (kind < 14)
        change(key, false, 0, to_word);
    else if (kind < 15)
        pop(key);
    else if (kind < 18)
        move(key, (unsigned)draw_below(KEYS));
    else
        combine(kind - 18 + (unsigned)draw_below(2), key);
}

static const int64_t limits[][3] = {{512, 128, 64}, {16, 16, 64},      {64, 8, 300},
                                    {0, 0, 0},      {1000, 1000, 500}, {4, 0, 64}};

START_TEST(random_changes_agree_with_a_model)
{
    memset(model, 0, sizeof model);
    limit_sets(limits[_i][0], limits[_i][1], limits[_i][2]);
    for (unsigned step = 0; step < 900; step++) {
        any_step(step / 100 % 3 == 0 ? WORDS : step / 100 % 3 == 1 ? 490 : 30);
        for (unsigned k = 0; k < KEYS && step % 5 == 0; k++)
            check_key(k);
        if (step % 50 == 0) {
            db_verify();
            talk("del s%u", step / 50 % KEYS);
            memset(model[step / 50 % KEYS], 0, sizeof model[0]);
        }
    }
    talk("del s0 s1 s2 s3");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

/* ---- large intsets ---- */

START_TEST(a_large_intset_is_changed_where_it_stands)
{
    struct mm_figures f;
    const char *block;
    epoch_t epoch;

    limit_sets(1 << 20, 128, 64);
    for (int i = 0; i < 20000; i++)
        talk("sadd s %d", 100000 + i * 2);
    talk("srem s 100000"); /* room for one more in the block */
    block = record_blob(talk_record("s")).ptr;
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    ck_assert_str_eq(talk("sadd s 139997"), ":1\r\n"); /* second but one from the end */
    ck_assert_str_eq(talk("srem s 139996"), ":1\r\n");
    ck_assert_ptr_eq(record_blob(talk_record("s")).ptr, block);
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 3);
    mm_cut_end();
    while (mm_settle(1000))
        ;
    ck_assert_str_eq(talk("smismember s 139995 139996 139997 139998"),
                     "*4\r\n:0\r\n:0\r\n:1\r\n:1\r\n");
    ck_assert_uint_eq(set_at("s").count, 19999);
}
END_TEST

START_TEST(many_integers_at_once_are_merged)
{
    enum { MANY = 5000 };
    struct slice argv[2 + MANY];
    static char text[MANY][12];

    limit_sets(1 << 20, 128, 64);
    talk("sadd s -5 7 70000");
    argv[0] = SLICE("sadd");
    argv[1] = SLICE("s");
    for (unsigned i = 0; i < MANY; i++) /* each twice, in no order, two of them there already */
        argv[2 + i] = (struct slice){text[i], (size_t)snprintf(text[i], sizeof text[i], "%d",
                                                               (int)(i * 7919 % (MANY / 2)) - 10)};
    ck_assert_str_eq(talk_words(2 + MANY, argv), ":2498\r\n");
    argv[0] = SLICE("srem");
    ck_assert_str_eq(talk_words(2 + MANY, argv), ":2500\r\n");
    ck_assert_str_eq(talk("smembers s"), "*1\r\n$5\r\n70000\r\n");
    ck_assert_str_eq(encoding("s"), "intset");
}
END_TEST

/* ---- draws ---- */

/* Each of ten members is as likely as any other: 20000 draws, 2000 expected, deviation 42. */
static void
check_evenness(const char *command, unsigned draws, unsigned per_draw)
{
    unsigned seen[10] = {0}, expected = draws * per_draw / 10;

    for (unsigned i = 0; i < draws; i++) {
        const char *p = talk("%s", command);

        for (unsigned k = 0; k < per_draw; k++) {
            unsigned w;

            p = strstr(p, "m");
            ck_assert_int_eq(sscanf(p++, "m%u", &w), 1);
            ck_assert_uint_lt(w, 10);
            seen[w]++;
        }
    }
    for (unsigned w = 0; w < 10; w++) {
        ck_assert_uint_gt(seen[w], expected - expected / 8);
        ck_assert_uint_lt(seen[w], expected + expected / 8);
    }
}

START_TEST(draws_are_even)
{
    limit_sets(0, _i == 0 ? 128 : 0, 64);
    talk("sadd s m0 m1 m2 m3 m4 m5 m6 m7 m8 m9");
    check_evenness("srandmember s", 20000, 1);
    check_evenness("srandmember s -4", 5000, 4);
    check_evenness("srandmember s 3", 7000, 3); /* by drawing, from a table */
    check_evenness("srandmember s 7", 3000, 7);
}
END_TEST

START_TEST(spop_takes_few_or_most_of_a_table)
{
    struct set s;

    limit_sets(512, 128, 64);
    for (int i = 0; i < 1000; i++)
        talk("sadd s m%d", i);
    talk("expire s 1000");
    ck_assert(strncmp(talk("spop s 100"), "*100\r\n", 6) == 0);
    ck_assert_str_eq(encoding("s"), "hashtable");
    ck_assert(strncmp(talk("spop s 850"), "*850\r\n", 6) == 0);
    ck_assert_str_eq(encoding("s"), "listpack"); /* what stayed is a new set */
    ck_assert_str_eq(talk("ttl s"), ":1000\r\n");
    s = set_at("s");
    ck_assert_uint_eq(s.count, 50);
    ck_assert(strncmp(talk("spop s 50"), "*50\r\n", 5) == 0);
    ck_assert_ptr_null(talk_record("s"));
    db_verify();
}
END_TEST

START_TEST(a_walk_shows_every_member)
{
    unsigned seen = 0;
    long cursor = 0;

    limit_sets(_i == 0 ? 512 : 0, _i == 1 ? 512 : 0, 64);
    for (int i = 0; i < 300; i++)
        talk("sadd s %d", i * 3);
    do {
        const char *p = talk("sscan s %ld count 20", cursor);
        long n;

        p = strchr(strchr(p, '\n') + 1, '\n') + 1;
        cursor = strtol(p, NULL, 10);
        ck_assert_int_eq(sscanf(strchr(p, '\n') + 1, "*%ld", &n), 1);
        seen += (unsigned)n;
    } while (cursor != 0);
    ck_assert_uint_ge(seen, 300);
    ck_assert_str_eq(talk("sscan s 0 match 897 count 1000"),
                     "*2\r\n$1\r\n0\r\n*1\r\n$3\r\n897\r\n");
}
END_TEST

#ifdef STILLFRAME_FAULTS
/* Every write of several steps: the n-th allocation fails, for every n; then nothing has
 * changed. */
static const char *const writes[] = {
    "sadd s 5 6 7 8 9 10 11 12 13 14 15 16",
    "sadd s a b c d e f g h i j k l m n o p q r s t",
    "sadd s a",
    "sadd new a b c d e f g h i j k l m n o p q r s t",
    "srem s 1 2",
    "srem s 3",
    "smove s other 1",
    "smove s new 1",
    "smove other s z",
    "spop s 2",
    "spop s 1",
    "spop big 90",
    "spop big 3",
    "sunionstore new s other big",
    "sunionstore s s other",
    "sinterstore new big big",
    "sdiffstore new big s other nokey s s s",
    "copy big new",
};

static void
fill(void)
{
    talk("sadd s 1 2 3 4");
    talk("sadd other z y 1");
    talk("expire s 100");
    for (int i = 0; i < 100; i++)
        talk("sadd big m%d", i);
}

START_TEST(a_write_without_memory_changes_nothing)
{
    unsigned refused = 0;

    limit_sets(limits[_i][0], limits[_i][1], limits[_i][2]);
    for (unsigned w = 0; w < sizeof writes / sizeof *writes; w++)
        refused += talk_starve(fill, writes[w], _i % 2 == 1);
    ck_assert_uint_gt(refused, 0);
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST
#endif

int
main(void)
{
    enum { LIMITS = sizeof limits / sizeof *limits };
    Suite *s = suite_create("server/set");
    TCase *t = tcase_create("set");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, integers_are_an_intset_up_to_the_limit);
    tcase_add_test(t, a_word_makes_an_intset_a_listpack_or_a_table);
    tcase_add_test(t, an_intset_outside_the_record_that_becomes_a_listpack_is_one);
    tcase_add_test(t, how_many_are_given_decides_how_a_set_begins);
    tcase_add_test(t, an_intset_widens_with_its_members);
    tcase_add_loop_test(t, random_changes_agree_with_a_model, 0, LIMITS);
    tcase_add_test(t, a_large_intset_is_changed_where_it_stands);
    tcase_add_test(t, many_integers_at_once_are_merged);
    tcase_add_loop_test(t, draws_are_even, 0, 2);
    tcase_add_test(t, spop_takes_few_or_most_of_a_table);
    tcase_add_loop_test(t, a_walk_shows_every_member, 0, 3);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, a_write_without_memory_changes_nothing, 0, LIMITS);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
