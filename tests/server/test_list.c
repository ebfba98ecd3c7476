/* tests/server/test_list.c - the list type: both forms, the way from one to the other, a model
 * beside random writes, memory that runs out at every point. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/cut.h"
#include "server/data/list/list_impl.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

static bool
is_large(const char *key)
{
    return record_encoding(talk_record(key)) == ENC_ROOT;
}

static const struct list_root *
root(const char *key)
{
    return record_root(talk_record(key));
}

/* ---- forms ---- */

START_TEST(a_list_leaves_its_record_and_comes_back)
{
    talk("rpush l @400*a @400*b");
    ck_assert(!is_large("l"));
    talk("rpush l @400*c");
    ck_assert(is_large("l"));
    ck_assert_str_eq(talk("object encoding l"), "$8\r\nlistpack\r\n");
    talk("lpop l");
    ck_assert(is_large("l")); /* not at once: it may be on its way up */
    talk("lpop l");
    ck_assert(!is_large("l"));
    ck_assert_str_eq(talk("llen l"), ":1\r\n");
    db_verify();
}
END_TEST

START_TEST(a_quicklist_is_what_redis_would_call_one)
{
    talk("rpush l @4000*a @4000*b");
    ck_assert_str_eq(talk("object encoding l"), "$8\r\nlistpack\r\n");
    talk("rpush l @200*c");
    ck_assert_str_eq(talk("object encoding l"), "$9\r\nquicklist\r\n");
    talk("rpop l");
    /* above half of the limit */
    ck_assert_str_eq(talk("object encoding l"), "$9\r\nquicklist\r\n");
    talk("rpop l");
    ck_assert_str_eq(talk("object encoding l"), "$8\r\nlistpack\r\n");
    list_limits.listpack_size = 3;
    talk("rpush m a b c");
    ck_assert_str_eq(talk("object encoding m"), "$8\r\nlistpack\r\n");
    talk("rpush m d");
    ck_assert_str_eq(talk("object encoding m"), "$9\r\nquicklist\r\n");
    talk("ltrim m 0 1");
    ck_assert_str_eq(talk("object encoding m"), "$9\r\nquicklist\r\n");
    talk("ltrim m 0 0");
    ck_assert_str_eq(talk("object encoding m"), "$8\r\nlistpack\r\n");
    /* The limits are asked before an element is replaced, as if it were added. */
    talk("rpush n a b c");
    talk("lset n 0 x");
    ck_assert_str_eq(talk("object encoding n"), "$9\r\nquicklist\r\n");
    talk("rpush o a b");
    talk("lset o 0 x");
    ck_assert_str_eq(talk("object encoding o"), "$8\r\nlistpack\r\n");
}
END_TEST

START_TEST(a_large_element_has_a_node_of_its_own)
{
    talk("rpush l a @9000*b c");
    ck_assert_uint_eq(root("l")->nodes, 3);
    ck_assert_str_eq(talk("object encoding l"), "$9\r\nquicklist\r\n");
    talk("lset l 1 b");
    ck_assert_str_eq(talk("lrange l 0 -1"), "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    ck_assert(!is_large("l"));
    list_packed_threshold = 5;
    list_limits.listpack_size = 2;
    talk("rpush m 1234 12345 abc");
    ck_assert_uint_eq(root("m")->nodes, 3);
    ck_assert_str_eq(talk("lrem m 0 12345"), ":1\r\n");
    ck_assert_str_eq(talk("lrange m 0 -1"), "*2\r\n$4\r\n1234\r\n$3\r\nabc\r\n");
    list_packed_threshold = 0;
    db_verify();
}
END_TEST

START_TEST(the_key_goes_with_its_last_element)
{
    talk("rpush a x y");
    talk("expire a 100");
    talk("lpop a 5");
    talk("rpush b @9000*x @9000*x");
    talk("lrem b 0 @9000*x");
    talk("rpush c @900*x @900*y @900*z");
    talk("ltrim c 5 9");
    talk("rpush d x");
    talk("lmove d e left left");
    talk("del e");
    ck_assert_uint_eq(db_size(talk_db()), 0);
    ck_assert_uint_eq(db_expires(talk_db()), 0);
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

/* What is written while a snapshot can see the list: the pages of what is written, however long it
 * is. */
START_TEST(a_push_preserves_few_pages)
{
    struct mm_figures f;
    epoch_t epoch;

    for (int i = 0; i < 5000; i++)
        talk("rpush l element:%06d", i);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    talk("rpush l new");
    talk("lpush l new");
    mm_figures(&f);
    /* root, and of each end the header and where the element goes */
    ck_assert_uint_le(f.preserved_pages, 5);
    talk("lset l 2500 different");
    mm_figures(&f);
    ck_assert_uint_le(f.preserved_pages, 5 + 9); /* half a node at most, its header */
    mm_cut_end();
    while (mm_settle(1000))
        ;
    ck_assert_str_eq(talk("lindex l 2500"), "$9\r\ndifferent\r\n");
}
END_TEST

START_TEST(a_trim_frees_what_it_cuts_off_later)
{
    list_limits.listpack_size = 1;
    for (int i = 0; i < 3000; i++)
        talk("rpush l %d", i);
    talk("ltrim l 1490 1500");
    ck_assert_uint_eq(db_dead_values(), 2);
    ck_assert_str_eq(talk("llen l"), ":11\r\n");
    ck_assert_str_eq(talk("lindex l 0"), "$4\r\n1490\r\n");
    ck_assert_str_eq(talk("lindex l -1"), "$4\r\n1500\r\n");
    db_verify();
    talk("del l");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST

/* ---- a model ---- */

enum { MODEL_MAX = 4000 };

struct model {
    char *at[MODEL_MAX];
    int count;
};

static unsigned
draw(unsigned below)
{
    static uint64_t state = 88172645463325252ULL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 20) % below;
}

static char *
new_word(void)
{
    static const unsigned lengths[] = {1, 3, 10, 40, 70, 200, 300, 1500, 5000, 9000};
    unsigned len = draw(10) < 8 ? 0 : lengths[draw(10)];
    char text[16];
    char *w;

    if (len == 0) {
        snprintf(text, sizeof text, "%u", draw(draw(2) ? 20 : 100000));
        return strdup(text);
    }
    w = malloc(len + 1);
    memset(w, 'a' + (int)draw(3), len);
    w[len] = '\0';
    return w;
}

static void
model_insert(struct model *m, int at, char *w)
{
    memmove(&m->at[at + 1], &m->at[at], (size_t)(m->count - at) * sizeof m->at[0]);
    m->at[at] = w;
    m->count++;
}

static void
model_delete(struct model *m, int at)
{
    free(m->at[at]);
    m->count--;
    memmove(&m->at[at], &m->at[at + 1], (size_t)(m->count - at) * sizeof m->at[0]);
}

static void
expect_elem(const struct list_elem *e, const char *want)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice text = list_text(e, scratch);

    ck_assert_uint_eq(text.len, strlen(want));
    ck_assert_int_eq(memcmp(text.ptr, want, text.len), 0);
}

/* check_model: from both ends, and some by their number. */
static void
check_model(const struct model *m)
{
    const struct record *r = talk_record("l");
    struct list_iter it;
    struct list_elem e;

    db_verify();
    if (m->count == 0) {
        ck_assert_ptr_null(r);
        return;
    }
    ck_assert_uint_eq(list_len(r), (uint64_t)m->count);
    list_iter_init(&it, r, 0, false);
    for (int i = 0; i < m->count; i++) {
        ck_assert(list_iter_next(&it, &e));
        expect_elem(&e, m->at[i]);
    }
    ck_assert(!list_iter_next(&it, &e));
    list_iter_init(&it, r, (uint64_t)m->count - 1, true);
    for (int i = m->count - 1; i >= 0; i--) {
        ck_assert(list_iter_next(&it, &e));
        expect_elem(&e, m->at[i]);
    }
    ck_assert(!list_iter_next(&it, &e));
    for (int i = 0; i < 20; i++) {
        int at = (int)draw((unsigned)m->count);

        list_get(r, (uint64_t)at, &e);
        expect_elem(&e, m->at[at]);
    }
}

static void
push_step(struct model *m)
{
    bool head = draw(2);
    char *w = new_word();

    talk_words(
        3, (struct slice[]){head ? SLICE("lpush") : SLICE("rpush"), SLICE("l"), {w, strlen(w)}});
    model_insert(m, head ? 0 : m->count, w);
}

static void
pop_step(struct model *m)
{
    bool head = draw(2);
    int n = (int)draw(draw(20) == 0 ? 200 : 4);

    talk("%s l %d", head ? "lpop" : "rpop", n);
    while (n-- > 0 && m->count > 0)
        model_delete(m, head ? 0 : m->count - 1);
}

static void
insert_step(struct model *m)
{
    int pivot = (int)draw((unsigned)m->count), after = (int)draw(2), at = 0;
    char *w = new_word();

    while (strcmp(m->at[at], m->at[pivot]) != 0)
        at++;
    talk_words(5, (struct slice[]){SLICE("linsert"),
                                   SLICE("l"),
                                   after ? SLICE("after") : SLICE("before"),
                                   {m->at[pivot], strlen(m->at[pivot])},
                                   {w, strlen(w)}});
    model_insert(m, at + after, w);
}

static void
set_step(struct model *m)
{
    int at = (int)draw((unsigned)m->count), len;
    char *w = new_word(), index[16];

    len = snprintf(index, sizeof index, "%d", at);
    talk_words(4,
               (struct slice[]){SLICE("lset"), SLICE("l"), {index, (size_t)len}, {w, strlen(w)}});
    free(m->at[at]);
    m->at[at] = w;
}

static void
remove_step(struct model *m)
{
    int count = (int)draw(7) - 3, left = count < 0 ? -count : count, len;
    char *w = strdup(m->at[draw((unsigned)m->count)]), text[16];

    len = snprintf(text, sizeof text, "%d", count);
    talk_words(4, (struct slice[]){SLICE("lrem"), SLICE("l"), {text, (size_t)len}, {w, strlen(w)}});
    if (count == 0)
        left = m->count;
    if (count >= 0) {
        for (int i = 0; i < m->count && left > 0;)
            if (strcmp(m->at[i], w) == 0) {
                model_delete(m, i);
                left--;
            } else {
                i++;
            }
    } else {
        for (int i = m->count - 1; i >= 0 && left > 0; i--)
            if (strcmp(m->at[i], w) == 0) {
                model_delete(m, i);
                left--;
            }
    }
    free(w);
}

static void
trim_step(struct model *m)
{
    int first = (int)draw(6), last = m->count - 1 - (int)draw(6);

    if (draw(10) == 0)
        last = (int)draw((unsigned)m->count);
    talk("ltrim l %d %d", first, last);
    if (last < 0)
        last = first > m->count + last ? -1 : m->count + last;
    while (m->count > 0 && m->count - 1 > last)
        model_delete(m, m->count - 1);
    while (m->count > 0 && first-- > 0)
        model_delete(m, 0);
}

static void
rotate_step(struct model *m)
{
    char *w = strdup(m->at[0]);

    talk("lmove l l left right");
    model_delete(m, 0);
    model_insert(m, m->count, w);
}

static void
random_step(struct model *m)
{
    unsigned what = draw(100);

    if (m->count == 0 || (what < 55 && m->count < MODEL_MAX - 10))
        push_step(m);
    else if (what < 65)
        pop_step(m);
    else if (what < 75)
        insert_step(m);
    else if (what < 87)
        set_step(m);
    else if (what < 92)
        remove_step(m);
    else if (what < 94)
        trim_step(m);
    else
        rotate_step(m);
}

static const int sizes[] = {-2, -1, -3, -5, 1, 4, 30, 0, 1000};
enum { SIZES = sizeof sizes / sizeof *sizes };

START_TEST(random_writes_do_what_the_model_does)
{
    struct model m = {.count = 0};
    char *copy;

    list_limits.listpack_size = sizes[_i];
    for (int i = 0; i < 6000; i++) {
        if (i % 1500 == 1499) /* other limits meet nodes made under the old ones */
            list_limits.listpack_size = sizes[draw(SIZES)];
        random_step(&m);
        if (i % 40 == 0 || i < 50)
            check_model(&m);
    }
    check_model(&m);
    talk("copy l m");
    copy = strdup(talk("debug digest-value m")); /* a reply is good until the next one */
    ck_assert_str_eq(copy, talk("debug digest-value l"));
    free(copy);
    while (m.count > 0)
        model_delete(&m, m.count - 1);
}
END_TEST

/* ---- without memory ---- */

#ifdef STILLFRAME_FAULTS
static const struct {
    const char *setup, *write;
} writes[] = {
    {"set x y", "rpush l a b c"},
    {"set x y", "rpush l @9000*a @500*b @700*c"},
    {"rpush l a b", "rpush l c d e"},
    {"rpush l a b", "lpush l @900*a @900*b @9000*c"},
    {"rpush l @900*a @900*b @900*c", "rpush l @7000*d @7000*e @7000*f @7000*g"},
    {"rpush l @5000*a @5000*b @5000*c @5000*d @5000*e", "lpush l @5000*f @5000*g @5000*h @9000*i"},
    {"rpush l @5000*a @5000*b @5000*c @5000*d @5000*e", "lset l 2 @9000*x"},
    {"rpush l @5000*a @5000*b @5000*c @5000*d @5000*e", "linsert l before @5000*c @5000*x"},
    {"rpush l @500*a @500*b @500*c @500*d @500*e", "linsert l after @500*c @9000*x"},
    {"rpush l @300*a @300*b", "lset l 0 @900*x"},
    {"rpush l a b c d", "lset l 0 @200*x"},
    {"rpush l @300*a @300*b c", "lpop l 2"},
    {"rpush l a b @300*a @300*a c", "lrem l 0 @300*a"},
    {"rpush l a b @300*a @300*a c", "ltrim l 0 1"},
    {"rpush l a @300*b;rpush m c", "lmove l m right left"},
    {"rpush l a @300*b;expire l 100", "lmove l m right left"},
    {"rpush l a;rpush m @900*c", "lmove l m left right"},
    {"rpush l @5000*a @5000*b @5000*c @5000*d", "lmove l m left right"},
    {"rpush l @5000*a @5000*b @5000*c @5000*d", "lmove l l left right"},
    {"rpush l @5000*a @5000*b @5000*c @5000*d", "copy l m"},
    {"rpush l @5000*a b c d e", "lrem l 1 b"},
};
enum { WRITES = sizeof writes / sizeof *writes };

static void
run_all(const char *commands)
{
    while (*commands != '\0') {
        size_t len = strcspn(commands, ";");

        talk("%.*s", (int)len, commands);
        commands += len + (commands[len] == ';');
    }
}

/* The n-th allocation fails, for every n: done, or refused and as it was. */
START_TEST(writes_are_done_or_not_at_all)
{
    for (unsigned n = 1;; n++) {
        char before[64];
        bool is_refused;

        talk("flushall");
        talk_finish_work();
        run_all(writes[_i].setup);
        snprintf(before, sizeof before, "%s", talk_digest());
        fault_arm(FAULT_ANY, n, false);
        is_refused = strncmp(talk("%s", writes[_i].write), "-OOM", 4) == 0;
        if (fault_disarm() == 0)
            break;
        ck_assert_int_eq(strcmp(before, talk_digest()) == 0, is_refused);
        db_verify();
    }
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/list");
    TCase *t = tcase_create("list");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, a_list_leaves_its_record_and_comes_back);
    tcase_add_test(t, a_quicklist_is_what_redis_would_call_one);
    tcase_add_test(t, a_large_element_has_a_node_of_its_own);
    tcase_add_test(t, the_key_goes_with_its_last_element);
    tcase_add_test(t, a_push_preserves_few_pages);
    tcase_add_test(t, a_trim_frees_what_it_cuts_off_later);
    tcase_add_loop_test(t, random_writes_do_what_the_model_does, 0, SIZES);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, writes_are_done_or_not_at_all, 0, WRITES);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
