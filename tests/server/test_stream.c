/* tests/server/test_stream.c - streams: entries and groups. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/cut.h"
#include "server/data/db/type.h"
#include "server/data/stream/stream.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static const struct stream *
stream_at(const char *key)
{
    return record_root(talk_record(key));
}

static void
verify(const char *key)
{
    type_of(TYPE_STREAM)->verify(stream_at(key));
}

/* ---- entries ---- */

enum { ENTRIES = 400 };

struct model {
    bool is_in[ENTRIES]; /* by ms - 1 */
    unsigned next, length;
};

static void
model_trim(struct model *m, unsigned length)
{
    for (unsigned i = 0; i < m->next && m->length > length; i++) {
        m->length -= m->is_in[i];
        m->is_in[i] = false;
    }
}

/* check_range: all entries in both directions, against the model. */
static void
check_range(const struct model *m)
{
    struct stream_iter it;
    struct stream_item item;
    struct stream_id low = {1, 0}, high = {ENTRIES + 1, 0};

    ck_assert_uint_eq(stream_at("s")->length, m->length);
    stream_iter_init(&it, stream_at("s"), low, high, false);
    for (unsigned i = 0; i < m->next; i++)
        if (m->is_in[i]) {
            struct stream_pairs pairs;
            struct lp_elem f, v;

            ck_assert(stream_iter_next(&it, &item));
            ck_assert_uint_eq(item.id.ms, i + 1);
            pairs = stream_item_pairs(&item);
            ck_assert_uint_eq(item.fields, i % 5 == 0 ? 2 : 1);
            ck_assert(stream_pairs_next(&pairs, &f, &v));
            ck_assert(f.bytes != NULL && f.len == 1);
            ck_assert(v.bytes == NULL && v.value == (int64_t)i * 1000);
        }
    ck_assert(!stream_iter_next(&it, &item));
    stream_iter_init(&it, stream_at("s"), low, high, true);
    for (unsigned i = m->next; i-- > 0;)
        if (m->is_in[i]) {
            ck_assert(stream_iter_next(&it, &item));
            ck_assert_uint_eq(item.id.ms, i + 1);
        }
    ck_assert(!stream_iter_next(&it, &item));
}

static void
random_step(struct model *m)
{
    unsigned what = (unsigned)rand() % 20, i = (unsigned)rand() % (m->next + 1);

    if (what < 12 && m->next < ENTRIES) {
        talk(m->next % 5 == 0 ? "xadd s %u-0 %c %u b xyz" : "xadd s %u-0 %c %u", m->next + 1,
             "ab"[m->next % 11 == 0], m -> next * 1000);
        m->is_in[m->next++] = true;
        m->length++;
    } else if (what < 18 && i < m->next) {
        ck_assert_str_eq(talk("xdel s %u-0", i + 1), m->is_in[i] ? ":1\r\n" : ":0\r\n");
        m->length -= m->is_in[i];
        m->is_in[i] = false;
    } else if (what == 18) {
        unsigned length = (unsigned)rand() % 300;

        talk("xtrim s maxlen %u", length);
        model_trim(m, length);
    } else {
        talk("xtrim s minid %u-0", i / 4 + 1);
        for (unsigned j = 0; j < i / 4 && j < m->next; j++) {
            m->length -= m->is_in[j];
            m->is_in[j] = false;
        }
    }
}

START_TEST(a_stream_holds_what_a_simple_array_holds)
{
    static const int64_t limits[][2] = {{100, 4096}, {3, 4096}, {1, 4096},
                                        {0, 60},     {0, 0},    {200, 0}};

    stream_limits.node_entries = limits[_i][0];
    stream_limits.node_bytes = limits[_i][1];
    srand((unsigned)_i);
    for (int round = 0; round < 4; round++) {
        struct model m = {.next = 0};

        talk("del s");
        talk("xadd s 0-1 x y");
        talk("xdel s 0-1");
        for (int step = 0; step < 900; step++) {
            random_step(&m);
            verify("s");
            if (step % 20 == 0)
                check_range(&m);
        }
        check_range(&m);
    }
}
END_TEST

START_TEST(an_entry_is_added_where_it_stands)
{
    struct mm_figures f;
    epoch_t epoch;

    for (int i = 0; i < 5000; i++)
        talk("xadd s %d-1 field value:%d other text", i, i);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    talk("xadd s 100000-1 field value other text");
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 4);
    talk("xadd s 100000-2 field value other text");
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 4);
    mm_cut_end();
    while (mm_settle(1000))
        ;
}
END_TEST

/* A number of the master entry takes more bytes when it grows, and a node has room for that
 * (E1). */
START_TEST(many_entries_of_a_node_may_be_deleted)
{
    stream_limits.node_entries = 0;
    stream_limits.node_bytes = 0;
    for (int i = 1; i <= 5000; i++)
        talk("xadd s %d-1 f v", i);
    talk("copy s t"); /* its node's block has no more room than it must */
    for (int i = 1; i < 5000; i++)
        talk("xdel t %d-1", i);
    verify("t");
    ck_assert_str_eq(talk("xrange t - +"),
                     "*1\r\n*2\r\n$6\r\n5000-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
}
END_TEST

static void
fill_for_trimming(void)
{
    for (int i = 1; i <= 5000; i++)
        talk("xadd s %d-1 field value:%d", i, i);
}

/* 5000 entries in 50 nodes. */
START_TEST(many_entries_are_trimmed_without_touching_them)
{
    static const char *const ways[][2] = {{"xtrim s maxlen 40", ":4960\r\n"},
                                          {"xtrim s maxlen 3100", ":1900\r\n"},
                                          {"xtrim s maxlen 3000", ":2000\r\n"},
                                          {"xtrim s minid 4321", ":4320\r\n"},
                                          {"xtrim s maxlen ~ 40 limit 0", ":4900\r\n"},
                                          {"xtrim s maxlen 0", ":5000\r\n"},
                                          {"xtrim s minid ~ 3333 limit 3050", ":3000\r\n"},
                                          {"xtrim s minid 9999", ":5000\r\n"}};
    const char *const *way = ways[_i];
    struct mm_figures f;
    epoch_t epoch;

    fill_for_trimming();
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    ck_assert_str_eq(talk("%s", way[0]), way[1]);
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 12);
    ck_assert_uint_eq(db_dead_values(), 1);
    verify("s");
    mm_cut_end();
    while (mm_settle(1000) || db_work(1000))
        ;
    verify("s");
    ck_assert_uint_eq(db_dead_values(), 0);
    talk("xadd s 10000-1 f v");
    ck_assert_uint_eq(strtoul(talk("xlen s") + 1, NULL, 10), 5001 - strtoul(way[1] + 1, NULL, 10));
    verify("s");
}
END_TEST

#ifdef STILLFRAME_FAULTS
START_TEST(trimming_needs_no_memory)
{
    ck_assert_uint_eq(talk_starve(fill_for_trimming, "xtrim s maxlen 40", false), 0);
    ck_assert_uint_eq(talk_starve(fill_for_trimming, "xtrim s minid 4321", true), 0);
}
END_TEST
#endif

/* ---- groups ---- */

START_TEST(groups_keep_their_rules_in_random_use)
{
    char *copy;
    static const char *const names[] = {"ann", "bob", "eve", "joe", "zoe"};

    stream_limits.node_entries = 7;
    srand(3);
    talk("xgroup create s g 0 mkstream");
    for (unsigned step = 0, next = 1; step < 6000; step++) {
        const char *name = names[(unsigned)rand() % 5];
        unsigned id = (unsigned)rand() % (next + 1);

        switch (rand() % 9) {
        case 0:
        case 1:
        case 2:
            talk("xadd s %u-1 f v", next++);
            break;
        case 3:
            talk("xreadgroup group g %s count 5 streams s >", name);
            break;
        case 4:
            talk("xack s g %u-1 %u-1 %u-1", id, id + 3, id + 6);
            break;
        case 5:
            talk("xclaim s g %s 0 %u-1 %u-1 %s", name, id, id + 1, rand() % 2 ? "force" : "justid");
            break;
        case 6:
            talk("xautoclaim s g %s 0 %u-1 count 7", name, id);
            break;
        case 7:
            talk("xdel s %u-1", id);
            break;
        default:
            if (rand() % 8 == 0)
                talk("xgroup delconsumer s g %s", name);
            if (rand() % 20 == 0)
                talk("xgroup setid s g 0");
        }
        verify("s");
    }
    talk("copy s t");
    verify("t");
    copy = strdup(talk("xpending s g")); /* a reply is good until the next one */
    ck_assert_str_eq(copy, talk("xpending t g"));
    free(copy);
}
END_TEST

/* behind: living entries above id. */
static int64_t
behind(const struct stream *s, struct stream_id id)
{
    struct stream_iter it;
    struct stream_item item;
    int64_t n = 0;

    stream_iter_init(&it, s, id, STREAM_ID_MAX, false);
    while (stream_iter_next(&it, &item))
        n += stream_id_compare(item.id, id) > 0;
    return n;
}

/* check_lag: it is what there is to read, or unknown; and unknown only after XDEL or XGROUP
 * SETID. */
static unsigned
check_lag(const struct stream *s, const struct stream_group *g, bool may_be_unknown)
{
    int64_t lag;

    if (!stream_lag(s, g, &lag)) {
        ck_assert(may_be_unknown);
        return 0;
    }
    ck_assert_int_eq(lag, behind(s, g->last));
    return 1;
}

START_TEST(a_lag_is_what_there_is_to_read_or_unknown) /* X5 */
{
    unsigned known = 0;

    srand((unsigned)_i);
    for (unsigned round = 0; round < 300; round++) {
        bool was_set[2] = {false, false}, was_deleted = false;

        talk("del s");
        talk("xgroup create s g0 0 mkstream");
        talk("xgroup create s g1 %s", rand() % 2 ? "$" : "0");
        for (unsigned step = 0, next = 1; step < 40; step++) {
            unsigned id = 1 + (unsigned)rand() % next, g = (unsigned)rand() % 2;

            switch (rand() % 8) {
            case 0:
            case 1:
                talk("xadd s %u-0 f v", next++);
                break;
            case 2:
                talk("xreadgroup group g%u eve count %d noack streams s >", g, 1 + rand() % 3);
                break;
            case 3:
                talk("xreadgroup group g%u eve streams s >", g);
                break;
            case 4:
                was_deleted |= *(talk("xdel s %u-0", id) + 1) == '1';
                break;
            case 5:
                talk("xtrim s maxlen %u", (unsigned)rand() % 8);
                break;
            default:
                if (rand() % 10 == 0)
                    was_set[g] = *talk("xgroup setid s g%u %u-0", g, id) == '+';
            }
            for (unsigned i = 0; i < 2; i++)
                known += check_lag(stream_at("s"), stream_group_at(stream_at("s"), i),
                                   was_set[i] || was_deleted);
        }
    }
    ck_assert_uint_gt(known, 300 * 40);
}
END_TEST

START_TEST(a_large_group_is_freed_in_slices)
{
    talk("xgroup create s g 0 mkstream");
    for (int i = 1; i <= 3000; i++)
        talk("xadd s %d-1 f v", i);
    talk("xreadgroup group g c streams s >");
    ck_assert_str_eq(talk("xgroup destroy s g"), ":1\r\n");
    ck_assert_uint_eq(db_dead_values(), 1);
    talk_finish_work();
    ck_assert_uint_eq(db_dead_values(), 0);
    verify("s");
    talk("del s");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

/* Groups without anything in them take time too. */
START_TEST(many_groups_are_freed_in_slices)
{
    enum { GROUPS = 3000, SLICE = 64 };
    struct drop_cursor at = {.at = {0}};
    const void *copy;
    unsigned slices = 1;

    talk("xadd s 1-1 f v");
    for (int i = 0; i < GROUPS; i++)
        talk("xgroup create s g%d 0", i);
    copy = type_of(TYPE_STREAM)->copy(stream_at("s"));
    while (!type_of(TYPE_STREAM)->drop(copy, &at, SLICE))
        slices++;
    ck_assert_uint_ge(slices, GROUPS / SLICE);
    talk("del s");
    ck_assert_uint_eq(db_dead_values(), 1);
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

#ifdef STILLFRAME_FAULTS
/* dump: everything that the key holds, groups too; the caller frees it. */
static char *
dump(void)
{
    const char *reply = talk("dump s");
    char *copy = malloc(talk_reply_len() + sizeof(size_t));

    memcpy(copy, &(size_t){talk_reply_len()}, sizeof(size_t));
    memcpy(copy + sizeof(size_t), reply, talk_reply_len());
    return copy;
}

static bool
is_same(const char *a, const char *b)
{
    size_t len;

    memcpy(&len, a, sizeof len);
    return memcmp(a, b, sizeof len) == 0 && memcmp(a, b, len + sizeof len) == 0;
}

/* The n-th allocation fails, for every n: all or nothing. */
START_TEST(without_memory_a_command_changes_nothing)
{
    static const char *const commands[] = {"xadd s 5000-1 f v",
                                           "xadd s 5000-1 f @5000*v",
                                           "xadd new 1-1 f v",
                                           "xgroup create s h 0",
                                           "xgroup create new h 0 mkstream",
                                           "xgroup createconsumer s g new",
                                           "xreadgroup group g new count 700 streams s >",
                                           "xclaim s g new 0 1-1 2-1 3-1 4-1 5-1 900-1 901-1 force",
                                           "xautoclaim s g new 0 0 count 300",
                                           "copy s t",
                                           "xgroup setid s g 0"};
    unsigned refused = 0;

    stream_limits.node_entries = _i;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        for (unsigned n = 1;; n++) {
            char *before, *after;
            bool is_refused;

            talk("flushall");
            talk_finish_work();
            for (int id = 1; id <= 1000; id++)
                talk("xadd s %d-1 f v", id);
            talk("xgroup create s g 0");
            talk("xreadgroup group g old count 300 streams s >");
            before = dump();
            fault_arm(FAULT_ANY, n, false);
            is_refused = talk("%s", commands[i])[0] == '-';
            if (fault_disarm() == 0) {
                free(before);
                break;
            }
            after = dump();
            ck_assert_msg(!is_refused || is_same(before, after), "%s, %u", commands[i], n);
            refused += is_refused;
            verify("s");
            free(before);
            free(after);
            if (n > 40)
                n += n / 8; /* many claims: not each of them */
        }
    ck_assert_uint_gt(refused, 20);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/stream");
    TCase *t = tcase_create("stream");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, many_entries_are_trimmed_without_touching_them, 0, 8);
#ifdef STILLFRAME_FAULTS
    tcase_add_test(t, trimming_needs_no_memory);
#endif
    tcase_add_loop_test(t, a_stream_holds_what_a_simple_array_holds, 0, 6);
    tcase_add_test(t, an_entry_is_added_where_it_stands);
    tcase_add_test(t, many_entries_of_a_node_may_be_deleted);
    tcase_add_test(t, groups_keep_their_rules_in_random_use);
    tcase_add_loop_test(t, a_lag_is_what_there_is_to_read_or_unknown, 1, 4);
    tcase_add_test(t, a_large_group_is_freed_in_slices);
    tcase_add_test(t, many_groups_are_freed_in_slices);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, without_memory_a_command_changes_nothing, 1, 2);
    tcase_add_loop_test(t, without_memory_a_command_changes_nothing, 100, 101);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
