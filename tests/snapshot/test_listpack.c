/* tests/snapshot/test_listpack.c - listpacks against bytes written by hand, against a model, and
 * against damage. */
#include "snapshot/rdb/listpack.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/num.h"
#include "tests/support/runner.h"

struct lp {
    uint8_t *bytes;
    uint32_t len;
};

static struct lp
make(void)
{
    struct lp l = {malloc(1 << 21), 0};

    l.len = lp_init(l.bytes);
    return l;
}

static void
add(struct lp *l, const void *bytes, size_t len)
{
    l->len = lp_append(l->bytes, bytes, len);
    ck_assert_uint_eq(l->len, lp_bytes(l->bytes));
}

static void
add_text(struct lp *l, const char *text)
{
    add(l, text, strlen(text));
}

/* valid: a copy of exactly the listpack's size validates (so that a sanitizer sees a read past its
 * end). */
static bool
valid(const uint8_t *bytes, size_t len, uint32_t *ret_count)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    uint32_t count = 0;
    bool is_valid;

    memcpy(copy, bytes, len);
    is_valid = lp_validate(copy, len, &count);
    if (is_valid)
        ck_assert_uint_eq(count, lp_count(copy));
    free(copy);
    *ret_count = count;
    return is_valid;
}

static const struct {
    const char *text, *entry;
    unsigned len;
} entries[] = {
    {"0", "\x00\x01", 2},
    {"127", "\x7f\x01", 2},
    {"128", "\xc0\x80\x02", 3},
    {"4095", "\xcf\xff\x02", 3},
    {"-1", "\xdf\xff\x02", 3},
    {"-4096", "\xd0\x00\x02", 3},
    {"4096", "\xf1\x00\x10\x03", 4},
    {"-4097", "\xf1\xff\xef\x03", 4},
    {"32767", "\xf1\xff\x7f\x03", 4},
    {"-32768", "\xf1\x00\x80\x03", 4},
    {"32768", "\xf2\x00\x80\x00\x04", 5},
    {"8388607", "\xf2\xff\xff\x7f\x04", 5},
    {"-8388608", "\xf2\x00\x00\x80\x04", 5},
    {"8388608", "\xf3\x00\x00\x80\x00\x05", 6},
    {"-2147483648", "\xf3\x00\x00\x00\x80\x05", 6},
    {"2147483648", "\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09", 10},
    {"9223372036854775807", "\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09", 10},
    {"-9223372036854775808", "\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09", 10},
    {"", "\x80\x01", 2},
    {"a",
     "\x81"
     "a"
     "\x02",
     3},
    {"-",
     "\x81"
     "-"
     "\x02",
     3},
    {"-0",
     "\x82"
     "-0"
     "\x03",
     4},
    {"+1",
     "\x82"
     "+1"
     "\x03",
     4},
    {"01",
     "\x82"
     "01"
     "\x03",
     4},
    {"00",
     "\x82"
     "00"
     "\x03",
     4},
    {"1 ",
     "\x82"
     "1 "
     "\x03",
     4},
    {"-01",
     "\x83"
     "-01"
     "\x04",
     5},
    {"9223372036854775808",
     "\x93"
     "9223372036854775808"
     "\x14",
     21},
    {"-9223372036854775809",
     "\x94"
     "-9223372036854775809"
     "\x15",
     22},
    {"100000000000000000000",
     "\x95"
     "100000000000000000000"
     "\x16",
     23},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

START_TEST(an_empty_listpack_is_seven_bytes)
{
    struct lp l = make();
    uint32_t count;

    ck_assert_uint_eq(l.len, 7);
    ck_assert_mem_eq(l.bytes, "\x07\x00\x00\x00\x00\x00\xff", 7);
    ck_assert_uint_eq(lp_first(l.bytes), 0);
    ck_assert(valid(l.bytes, l.len, &count));
    ck_assert_uint_eq(count, 0);
    free(l.bytes);
}
END_TEST

START_TEST(each_form_has_the_bytes_that_the_format_gives_it)
{
    const char *text = entries[_i].text;
    struct lp l = make();
    char scratch[LP_INT_TEXT_BYTES];
    struct lp_elem e;
    uint32_t len, count;
    const uint8_t *back;

    add_text(&l, text);
    ck_assert_uint_eq(l.len, 7 + entries[_i].len);
    ck_assert_uint_eq(lp_entry_bytes(text, strlen(text)), entries[_i].len);
    ck_assert_mem_eq(l.bytes + 6, entries[_i].entry, entries[_i].len);
    ck_assert_mem_eq(l.bytes + 4, "\x01\x00", 2);
    ck_assert(valid(l.bytes, l.len, &count));
    lp_get(l.bytes, lp_first(l.bytes), &e);
    back = lp_text(&e, scratch, &len);
    ck_assert_uint_eq(len, strlen(text));
    ck_assert_mem_eq(back, text, len);
    ck_assert(lp_equal(l.bytes, lp_first(l.bytes), text, strlen(text)));
    ck_assert(!lp_equal(l.bytes, lp_first(l.bytes), "something else", 14));
    ck_assert_uint_eq(lp_next(l.bytes, lp_first(l.bytes)), 0);
    free(l.bytes);
}
END_TEST

/* Lengths of strings, and the head and backlen that they get.  A backlen of 16383 takes three
 * bytes. */
static const struct {
    uint32_t len;
    unsigned head, backlen;
} lengths[] = {{63, 1, 1},   {64, 2, 1},    {125, 2, 1},   {126, 2, 2},   {4095, 2, 2},
               {4096, 5, 2}, {16377, 5, 2}, {16378, 5, 3}, {16379, 5, 3}, {100000, 5, 3}};

START_TEST(each_length_has_its_head_and_backlen)
{
    uint32_t len = lengths[_i].len, count;
    char *text = malloc(len);
    struct lp l = make();

    memset(text, 'x', len);
    add_text(&l, "before");
    add(&l, text, len);
    add_text(&l, "after");
    ck_assert_uint_eq(lp_entry_bytes(text, len), lengths[_i].head + len + lengths[_i].backlen);
    ck_assert_uint_eq(l.len, 7 + 8 + lengths[_i].head + len + lengths[_i].backlen + 7);
    ck_assert(valid(l.bytes, l.len, &count));
    ck_assert_uint_eq(count, 3);
    ck_assert(lp_equal(l.bytes, lp_next(l.bytes, lp_first(l.bytes)), text, len));
    ck_assert(lp_equal(l.bytes, lp_next(l.bytes, lp_next(l.bytes, lp_first(l.bytes))), "after", 5));
    free(text);
    free(l.bytes);
}
END_TEST

START_TEST(find_steps_over_values_and_knows_integers_in_both_forms)
{
    struct lp l = make();
    uint32_t at;

    for (int i = 0; i < 200; i++) {
        char text[32];

        add(&l, text, (size_t)snprintf(text, sizeof text, i % 2 != 0 ? "%d" : "f%d", i));
        add(&l, text, (size_t)snprintf(text, sizeof text, "%d", 1000 + i));
    }
    ck_assert_uint_eq(lp_count(l.bytes), 400);
    ck_assert_uint_eq(lp_find(l.bytes, "f0", 2, 1), LP_HEADER_BYTES);
    at = lp_find(l.bytes, "77", 2, 1);
    ck_assert_uint_ne(at, 0);
    ck_assert(lp_equal(l.bytes, lp_next(l.bytes, at), "1077", 4));
    ck_assert_uint_eq(lp_find(l.bytes, "1077", 4, 1), 0); /* it is a value */
    ck_assert_uint_eq(lp_find(l.bytes, "1077", 4, 0), lp_next(l.bytes, at));
    ck_assert_uint_eq(lp_find(l.bytes, "077", 3, 1), 0);
    ck_assert_uint_eq(lp_find(l.bytes, "", 0, 1), 0);
    add_text(&l, "alone"); /* with nothing to step over */
    ck_assert_uint_ne(lp_find(l.bytes, "alone", 5, 1), 0);
    ck_assert_uint_eq(lp_find(l.bytes, "none", 4, 1), 0);
    free(l.bytes);
}
END_TEST

START_TEST(a_string_entry_that_looks_like_an_integer_is_found)
{
    /* Nobody writes it so, but it is well formed. */
    static const uint8_t lp[] = {11, 0, 0, 0, 1, 0, 0x82, '1', '2', 3, 0xff};
    uint32_t count;

    ck_assert(valid(lp, sizeof lp, &count));
    ck_assert_uint_eq(lp_find(lp, "12", 2, 0), 6);
}
END_TEST

/* The model: an array of texts. */
enum { MODEL_MOST = 300 };
struct model {
    char *text[MODEL_MOST];
    size_t len[MODEL_MOST];
    unsigned count;
};

static uint32_t seed = 2463534242u;

static uint32_t
random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}

static char *
random_text(size_t *ret_len)
{
    static const unsigned most[] = {3, 70, 200, 5000, 20000};
    char *text = malloc(20001);
    unsigned kind = random_below(10);

    if (kind < 4) {
        int64_t v = (int64_t)((uint64_t)random_below(UINT32_MAX) << random_below(33)) -
                    (int64_t)random_below(1u << 31);

        *ret_len = (size_t)snprintf(text, 30, "%lld", (long long)v);
        return text;
    }
    *ret_len = random_below(most[kind < 9 ? kind % 3 : 3 + random_below(2)]);
    for (size_t i = 0; i < *ret_len; i++)
        text[i] = (char)random_below(256);
    return text;
}

static uint32_t
offset_of(const uint8_t *lp, unsigned index)
{
    uint32_t at = lp_first(lp);

    while (index-- > 0)
        at = lp_next(lp, at);
    return at;
}

static void
compare(const struct lp *l, const struct model *m)
{
    uint32_t at = lp_first(l->bytes), count;

    ck_assert(valid(l->bytes, l->len, &count));
    ck_assert_uint_eq(count, m->count);
    for (unsigned i = 0; i < m->count; i++, at = lp_next(l->bytes, at)) {
        ck_assert_uint_ne(at, 0);
        ck_assert(lp_equal(l->bytes, at, m->text[i], m->len[i]));
    }
    ck_assert_uint_eq(at, 0);
}

START_TEST(random_edits_agree_with_an_array)
{
    struct model m = {.count = 0};
    struct lp l = make();

    printf("listpack: seed %u\n", seed);
    for (int step = 0; step < 3000; step++) {
        unsigned what = random_below(8), i = m.count > 0 ? random_below(m.count) : 0;

        if (m.count == 0 || (what < 3 && m.count < MODEL_MOST && l.len < 1 << 20)) {
            m.text[m.count] = random_text(&m.len[m.count]);
            l.len = lp_append(l.bytes, m.text[m.count], m.len[m.count]);
            m.count++;
        } else if (what < 6) {
            free(m.text[i]);
            m.text[i] = random_text(&m.len[i]);
            l.len = lp_replace(l.bytes, offset_of(l.bytes, i), m.text[i], m.len[i]);
        } else {
            unsigned n = 1 + random_below(3);

            n = n > m.count - i ? m.count - i : n;
            l.len = lp_delete(l.bytes, offset_of(l.bytes, i), n);
            for (unsigned k = 0; k < n; k++)
                free(m.text[i + k]);
            memmove(m.text + i, m.text + i + n, (m.count - i - n) * sizeof *m.text);
            memmove(m.len + i, m.len + i + n, (m.count - i - n) * sizeof *m.len);
            m.count -= n;
        }
        compare(&l, &m);
    }
    for (unsigned i = 0; i < m.count; i++)
        free(m.text[i]);
    free(l.bytes);
}
END_TEST

START_TEST(more_elements_than_the_header_can_say_are_counted)
{
    struct lp l = make();
    uint32_t count;

    for (int i = 0; i < 65534; i++)
        add(&l, "1", 1);
    ck_assert_mem_eq(l.bytes + 4, "\xfe\xff", 2);
    for (int i = 0; i < 10; i++)
        add(&l, "2", 1);
    ck_assert_mem_eq(l.bytes + 4, "\xff\xff", 2);
    ck_assert_uint_eq(lp_count(l.bytes), 65544);
    ck_assert(valid(l.bytes, l.len, &count));
    ck_assert_uint_eq(count, 65544);
    l.len = lp_insert(l.bytes, LP_HEADER_BYTES, "3", 1);
    ck_assert_uint_eq(lp_count(l.bytes), 65545);
    ck_assert(lp_equal(l.bytes, LP_HEADER_BYTES, "3", 1));
    l.len = lp_delete(l.bytes, LP_HEADER_BYTES, 1);
    /* the header goes on saying "unknown": that is allowed */
    l.len = lp_delete(l.bytes, LP_HEADER_BYTES, 20);
    ck_assert_uint_eq(lp_count(l.bytes), 65524);
    ck_assert(valid(l.bytes, l.len, &count));
    free(l.bytes);
}
END_TEST

static const struct {
    const char *why, *bytes;
    unsigned len;
} damaged[] = {
    {"nothing", "", 0},
    {"less than a header", "\x06\x00\x00\x00\x00\x00", 6},
    {"no end", "\x07\x00\x00\x00\x00\x00\x00", 7},
    {"total too small", "\x06\x00\x00\x00\x00\x00\xff", 7},
    {"total too large", "\x08\x00\x00\x00\x00\x00\xff", 7},
    {"count too small", "\x09\x00\x00\x00\x00\x00\x05\x01\xff", 9},
    {"count too large", "\x09\x00\x00\x00\x02\x00\x05\x01\xff", 9},
    {"an end before the end", "\x08\x00\x00\x00\x00\x00\xff\xff", 8},
    {"an end within", "\x0a\x00\x00\x00\x01\x00\x05\x01\xff\xff", 10},
    {"backlen too small", "\x09\x00\x00\x00\x01\x00\x05\x00\xff", 9},
    {"backlen too large", "\x09\x00\x00\x00\x01\x00\x05\x02\xff", 9},
    {"no backlen", "\x08\x00\x00\x00\x01\x00\x05\xff", 8},
    {"encoding f5", "\x09\x00\x00\x00\x01\x00\xf5\x01\xff", 9},
    {"encoding fe", "\x09\x00\x00\x00\x01\x00\xfe\x01\xff", 9},
    {"a string past the end",
     "\x0a\x00\x00\x00\x01\x00\x83"
     "a"
     "\x04\xff",
     10},
    {"a long string past the end", "\x0c\x00\x00\x00\x01\x00\xf0\xff\xff\xff\xff\xff", 12},
    {"a cut head", "\x08\x00\x00\x00\x01\x00\xf0\xff", 8},
    {"a cut integer", "\x09\x00\x00\x00\x01\x00\xf4\x01\xff", 9},
    {"a backlen in more bytes than it takes", "\x0a\x00\x00\x00\x01\x00\x05\x00\x81\xff", 10},
};

START_TEST(damage_is_noticed)
{
    uint32_t count;

    ck_assert_msg(!valid((const uint8_t *)damaged[_i].bytes, damaged[_i].len, &count), "%s",
                  damaged[_i].why);
}
END_TEST

START_TEST(random_damage_is_noticed_or_harmless)
{
    struct lp l = make();
    uint8_t *copy;
    unsigned accepted = 0;

    for (int i = 0; i < ENTRIES; i++)
        add_text(&l, entries[i].text);
    copy = malloc(l.len);
    printf("listpack damage: seed %u\n", seed);
    for (int round = 0; round < 20000; round++) {
        size_t len = l.len - (random_below(4) == 0 ? random_below(l.len) : 0);
        uint32_t count;

        memcpy(copy, l.bytes, l.len);
        for (unsigned i = random_below(4) + 1; i > 0; i--)
            copy[random_below((uint32_t)l.len)] = (uint8_t)random_below(256);
        if (!lp_validate(copy, len, &count))
            continue;
        accepted++;
        for (uint32_t at = lp_first(copy); at != 0; at = lp_next(copy, at)) {
            char scratch[LP_INT_TEXT_BYTES];
            struct lp_elem e;
            uint32_t n;

            lp_get(copy, at, &e);
            lp_text(&e, scratch, &n);
            ck_assert_uint_le(n, l.len);
            count--;
        }
        ck_assert_uint_eq(count, 0);
    }
    /* flips within strings are no damage: the loop above saw some */
    ck_assert_uint_gt(accepted, 100);
    free(copy);
    free(l.bytes);
}
END_TEST

START_TEST(decimals_are_canonical_or_no_integers)
{
    static const char *const no[] = {"",
                                     "-",
                                     "+",
                                     "+0",
                                     "-0",
                                     "00",
                                     "01",
                                     "-01",
                                     " 1",
                                     "1 ",
                                     "1a",
                                     "a",
                                     "0x1",
                                     "9223372036854775808",
                                     "-9223372036854775809",
                                     "99999999999999999999"};
    char text[NUM_MAX_BYTES + 1];
    int64_t v;

    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        ck_assert_msg(!num_parse(no[i], strlen(no[i]), &v), "\"%s\"", no[i]);
    for (unsigned bit = 0; bit < 64; bit++)
        for (int64_t off = -2; off <= 2; off++) {
            int64_t want = (int64_t)(((uint64_t)1 << bit) + (uint64_t)off);
            unsigned len = num_print(text, want);

            text[len] = '\0';
            ck_assert_int_eq(strtoll(text, NULL, 10), want);
            ck_assert(num_parse(text, len, &v));
            ck_assert_int_eq(v, want);
        }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/listpack");
    TCase *form = tcase_create("format"), *edit = tcase_create("edit"),
          *damage = tcase_create("damage");

    tcase_add_test(form, an_empty_listpack_is_seven_bytes);
    tcase_add_loop_test(form, each_form_has_the_bytes_that_the_format_gives_it, 0, ENTRIES);
    tcase_add_loop_test(form, each_length_has_its_head_and_backlen, 0,
                        sizeof lengths / sizeof *lengths);
    tcase_add_test(form, find_steps_over_values_and_knows_integers_in_both_forms);
    tcase_add_test(form, a_string_entry_that_looks_like_an_integer_is_found);
    tcase_add_test(form, decimals_are_canonical_or_no_integers);
    tcase_add_test(edit, random_edits_agree_with_an_array);
    tcase_add_test(edit, more_elements_than_the_header_can_say_are_counted);
    tcase_add_loop_test(damage, damage_is_noticed, 0, sizeof damaged / sizeof *damaged);
    tcase_add_test(damage, random_damage_is_noticed_or_harmless);
    suite_add_tcase(s, form);
    suite_add_tcase(s, edit);
    suite_add_tcase(s, damage);
    return run_suite(s);
}
