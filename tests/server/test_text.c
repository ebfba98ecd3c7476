/* tests/server/test_text.c - numbers, growing text, words and glob patterns. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/base/glob.h"
#include "mm/base/num.h"
#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "tests/support/runner.h"

static uint64_t
random_bits(unsigned *seed)
{
    uint64_t v =
        (uint64_t)rand_r(seed) << 42 ^ (uint64_t)rand_r(seed) << 21 ^ (uint64_t)rand_r(seed);

    return v >> (unsigned)rand_r(seed) % 64; /* all magnitudes */
}

/* ---- numbers ---- */

static void
check_number(int64_t v)
{
    char want[32], got[NUM_MAX_BYTES + 1];
    int64_t back;
    size_t len = (size_t)(num_put(got, v) - got);

    snprintf(want, sizeof want, "%" PRId64, v);
    got[len] = '\0';
    ck_assert_str_eq(got, want);
    ck_assert(num_parse(got, len, &back));
    ck_assert_int_eq(back, v);
}

START_TEST(numbers_are_written_as_printf_writes_them)
{
    unsigned seed = 1;
    char buf[NUM_MAX_BYTES];

    for (int64_t v = 1; v > 0 && v < INT64_MAX / 10; v *= 10)
        for (int64_t d = -2; d <= 2; d++) {
            check_number(v + d);
            check_number(-v + d);
        }
    check_number(INT64_MAX);
    check_number(INT64_MIN);
    for (int i = 0; i < 200000; i++)
        check_number((int64_t)random_bits(&seed));
    ck_assert_int_eq(num_put_unsigned(buf, UINT64_MAX) - buf, 20);
    ck_assert_int_eq(memcmp(buf, "18446744073709551615", 20), 0);
}
END_TEST

static const char *const not_numbers[] = {"",
                                          "-",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "01",
                                          "-0",
                                          "-01",
                                          "00",
                                          "1x",
                                          "0x1",
                                          "1.0",
                                          "9223372036854775808",
                                          "-9223372036854775809",
                                          "18446744073709551616",
                                          "99999999999999999999",
                                          "1e3",
                                          "--1"};

START_TEST(only_the_one_form_of_a_number_is_read)
{
    int64_t v = 77;

    ck_assert_msg(!num_parse(not_numbers[_i], strlen(not_numbers[_i]), &v), "%s", not_numbers[_i]);
    ck_assert_int_eq(v, 77);
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    uint64_t value;
} memory[] = {{"0", true, 0},
              {"100", true, 100},
              {"1b", true, 1},
              {"1k", true, 1000},
              {"1Kb", true, 1024},
              {"2m", true, 2000000},
              {"2MB", true, 2 << 20},
              {"1g", true, 1000000000},
              {"1gB", true, 1 << 30},
              {"007mb", true, 7 << 20},
              {"", false, 0},
              {"mb", false, 0},
              {"1tb", false, 0},
              {"-1", false, 0},
              {"1 mb", false, 0},
              {"1.5gb", false, 0},
              {"99999999999gb", false, 0},
              {"18446744073709551616", false, 0}};

START_TEST(memory_sizes_have_units)
{
    uint64_t v = 0;

    ck_assert_int_eq(num_parse_memory(memory[_i].text, strlen(memory[_i].text), &v), memory[_i].ok);
    if (memory[_i].ok)
        ck_assert_uint_eq(v, memory[_i].value);
}
END_TEST

/* ---- text ---- */

START_TEST(text_grows_and_ends_with_a_zero)
{
    struct text t = {0};

    ck_assert_str_eq(text_str(&t), "");
    for (int i = 0; i < 1000; i++) {
        text_add(&t, "abc");
        text_addf(&t, "%03d", i);
        ck_assert_uint_eq(strlen(t.at), t.len);
    }
    ck_assert_uint_eq(t.len, 6000);
    ck_assert_int_eq(memcmp(t.at + 5994, "abc999", 7), 0);
    text_free(&t);
    ck_assert_ptr_null(t.at);
}
END_TEST

/* What failed once fails until the text is freed: a text with a hole would be worse than none. */
START_TEST(a_text_without_memory_stays_as_it_was)
{
    struct text t = {0};

    text_clear(&t); /* of nothing */
    text_add_bytes(&t, NULL, 0);
    ck_assert_str_eq(text_str(&t), "");
    text_add(&t, "abc");
    text_addf(&t, "%ls", L"\x4e2d"); /* no such letter in the C locale: no text */
    ck_assert(!t.failed);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    text_add_bytes(&t, "", SIZE_MAX / 8);
    ck_assert(t.failed);
    text_add(&t, "d");
    text_addf(&t, "%s", "e");
#endif
    ck_assert_str_eq(text_str(&t), "abc");
    ck_assert_str_eq(text_why(&t), "abc");
    text_clear(&t);
    ck_assert_str_eq(text_str(&t), "");
    ck_assert_str_eq(text_why(&t), t.failed ? "out of memory, for the reason too" : "");
    text_free(&t);
    text_add(&t, "d");
    ck_assert_str_eq(text_str(&t), "d");
    text_free(&t);
}
END_TEST

START_TEST(a_text_that_was_reserved_needs_no_more_memory)
{
    struct text t = {0};
    const char *at;

    text_reserve(&t, 1000);
    ck_assert_str_eq(text_str(&t), "");
    at = t.at;
    for (int i = 0; i < 1000; i++)
        text_add(&t, "r");
    ck_assert_ptr_eq(t.at, at);
    ck_assert_uint_eq(t.len, 1000);
    text_free(&t);
}
END_TEST

START_TEST(sizes_for_people_are_redis_sizes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {{0, "0B"},          {1023, "1023B"},         {1024, "1.00K"},
                {1633520, "1.56M"}, {25276026880, "23.54G"}, {UINT64_MAX, "16384.00P"}};
    struct text t = {0};

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        text_add_human(&t, rows[i].bytes);
        ck_assert_str_eq(text_str(&t), rows[i].text);
        text_free(&t);
    }
}
END_TEST

START_TEST(quoted_text_splits_back_into_what_it_was)
{
    unsigned seed = 3;

    for (int round = 0; round < 20000; round++) {
        char bytes[2][12], scratch[256];
        size_t len[2];
        struct text line = {0};
        struct slice words[4];

        for (int w = 0; w < 2; w++) {
            len[w] = (size_t)rand_r(&seed) % sizeof bytes[w];
            for (size_t i = 0; i < len[w]; i++)
                bytes[w][i] =
                    (char)(rand_r(&seed) % 2 ? rand_r(&seed) : "\"\\'\n\0x7 "[rand_r(&seed) % 8]);
            text_add(&line, "  ");
            text_add_quoted(&line, bytes[w], len[w]);
        }
        ck_assert_int_eq(text_split_words(line.at, line.len, scratch, words, 4), 2);
        for (int w = 0; w < 2; w++) {
            ck_assert_uint_eq(words[w].len, len[w]);
            ck_assert_int_eq(memcmp(words[w].ptr, bytes[w], len[w]), 0);
        }
        text_free(&line);
    }
}
END_TEST

/* One word, or NULL: it is none. */
static const struct {
    const char *line, *word;
} quoted[] = {
    {"\"\\x41\\x6a\\xFf\\x0A\"", "Aj\xff\n"},
    {"\"\\x4g\\xg4\\xG4\\x/1\\x:1\\x@1\\x`1\\x1\"", "x4gxg4xG4x/1x:1x@1x`1x1"},
    {"\"\\n\\r\\t\\b\\a\\q\\\\\\\"\"", "\n\r\t\b\aq\\\""},
    {"'\\'\\n\\x41'", "'\\n\\x41"},
    {"\"'\"", "'"},
    {"'\"'", "\""},
    {"''", ""},
    {"a\"b\"", "ab"},
    {"\x01", "\x01"},
    {"\x0e", "\x0e"},
    {"\"a", NULL},
    {"\"a\\", NULL},
    {"'a\\", NULL},
    {"'a\\'", NULL},
    {"\"a\"b", NULL},
    {"'a'\"b\"", NULL},
    {"\"a\\x4", NULL},
};

START_TEST(quotes_and_what_is_escaped_within_them)
{
    const char *line = quoted[_i].line;
    struct slice word;
    char scratch[64];
    int n = text_split_words(line, strlen(line), scratch, &word, 1);

    ck_assert_msg(n == (quoted[_i].word != NULL ? 1 : -1), "%s: %d", line, n);
    if (n == 1)
        ck_assert_msg(slice_is(word, quoted[_i].word), "%s: %.*s", line, (int)word.len, word.ptr);
}
END_TEST

START_TEST(a_line_ends_at_its_zero)
{
    static const char line[] = "a \0b";
    struct slice words[2];
    char scratch[16];

    ck_assert_int_eq(text_split_words(line, sizeof line - 1, scratch, words, 2), 1);
    ck_assert(slice_is(words[0], "a"));
}
END_TEST

START_TEST(more_words_than_room_are_refused)
{
    struct slice words[2];
    char scratch[16];

    ck_assert_int_eq(text_split_words("a b", 3, scratch, words, 2), 2);
    ck_assert_int_eq(text_split_words("a b ", 4, scratch, words, 2), 2);
    ck_assert_int_eq(text_split_words("a b c", 5, scratch, words, 2), -2);
}
END_TEST

START_TEST(a_form_feed_is_a_blank_between_words_alone)
{
    static const char line[] = "\f a\fb\v\"c\"\fd \v'e'\v";
    static const char *const expected[] = {"a\fb\vc", "d", "e"};
    struct slice words[4];
    char scratch[32];

    ck_assert_int_eq(text_split_words(line, sizeof line - 1, scratch, words, 4), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(words[i].len, strlen(expected[i]));
        ck_assert_int_eq(memcmp(words[i].ptr, expected[i], words[i].len), 0);
    }
}
END_TEST

/* ---- glob ---- */

static const struct {
    const char *pattern, *text;
    bool nocase, match;
} globs[] = {
    {"", "", false, true},
    {"", "a", false, false},
    {"a", "", false, false},
    {"*", "", false, false},
    {"***", "", false, false},
    {"?", "", false, false},
    {"*?", "", false, false},
    {"*", "abc", false, true},
    {"a*c", "abc", false, true},
    {"a*c", "abcd", false, false},
    {"a*b*c", "a1b2b3c", false, true},
    {"a?c", "abc", false, true},
    {"a?c", "ac", false, false},
    {"h[ae]llo", "hallo", false, true},
    {"h[ae]llo", "hillo", false, false},
    {"h[^e]llo", "hallo", false, true},
    {"h[^e]llo", "hello", false, false},
    {"h[a-c]llo", "hbllo", false, true},
    {"h[c-a]llo", "hbllo", false, true},
    {"h[a-c]llo", "hdllo", false, false},
    {"h[c-a]llo", "hdllo", false, false},
    {"h[c-b]llo", "hallo", false, false},
    {"H[{-~]l_O", "h|L_o", true, true},
    {"h{", "H{", true, true},
    {"a1", "A1", true, true},
    {"[a\\]b]", "]", false, true},
    {"[\\-]", "-", false, true},
    {"[a-]", "-", false, false},
    {"[]", "a", false, false},
    {"[^]", "a", false, true},
    {"[a", "a", false, true},
    {"[a", "b", false, false},
    {"[", "[", false, false},
    {"\\*", "*", false, true},
    {"\\*", "a", false, false},
    {"a\\", "a\\", false, true},
    {"\\\\", "\\", false, true},
    {"HELLO", "hello", true, true},
    {"HELLO", "hello", false, false},
    {"[A-C]x", "bX", true, true},
    {"*[0-9]", "key:7", false, true},
    {"a*[bc]*d", "axxbxxcxd", false, true},
};

START_TEST(patterns_match_as_in_redis)
{
    struct slice pattern = {globs[_i].pattern, strlen(globs[_i].pattern)};
    struct slice text = {globs[_i].text, strlen(globs[_i].text)};

    ck_assert_msg(glob_match(pattern, text, globs[_i].nocase) == globs[_i].match, "%s ~ %s",
                  pattern.ptr, text.ptr);
}
END_TEST

/* The definition, by trying everything; for patterns without classes. */
static bool
matches_from(const char *p, const char *t)
{
    if (*p == '\0')
        return *t == '\0';
    if (*p == '*')
        return matches_from(p + 1, t) || (*t != '\0' && matches_from(p, t + 1));
    return *t != '\0' && (*p == '?' || *p == *t) && matches_from(p + 1, t + 1);
}

static bool
matches_slowly(const char *p, const char *t)
{
    return *t == '\0' ? *p == '\0' : matches_from(p, t);
}

START_TEST(random_patterns_match_as_defined)
{
    unsigned seed = 5, matches = 0;

    for (int round = 0; round < 300000; round++) {
        char p[9] = "", t[11] = "";
        int plen = rand_r(&seed) % 9, tlen = rand_r(&seed) % 11;

        for (int i = 0; i < plen; i++)
            p[i] = "ab*?*"[rand_r(&seed) % 5];
        for (int i = 0; i < tlen; i++)
            t[i] = "ab"[rand_r(&seed) % 2];
        bool match = matches_slowly(p, t);
        matches += match;
        ck_assert_msg(glob_match((struct slice){p, (size_t)plen}, (struct slice){t, (size_t)tlen},
                                 false) == match,
                      "%s ~ %s", p, t);
    }
    ck_assert_uint_gt(matches, 10000);
}
END_TEST

/* in_pieces: the same match, some bytes and some steps at a time. */
static bool
in_pieces(struct slice pattern, struct slice text, size_t piece_len, size_t steps)
{
    enum glob_state state;
    struct glob_walk w;

    glob_begin(&w, pattern, text.len, false);
    do {
        size_t n = text.len - w.at < piece_len ? text.len - w.at : piece_len;

        state = glob_go_on(&w, (struct slice){text.ptr + w.at, n}, w.at, steps);
    } while (state == GLOB_AGAIN);
    return state == GLOB_YES;
}

START_TEST(a_text_in_pieces_matches_as_the_whole_does)
{
    unsigned seed = 20261129, matches = 0;

    for (int round = 0; round < 100000; round++) {
        char p[9] = "", t[30] = "";
        int plen = rand_r(&seed) % 9, tlen = rand_r(&seed) % 30;

        for (int i = 0; i < plen; i++)
            p[i] = "ab*?*[b]\\"[rand_r(&seed) % 9];
        for (int i = 0; i < tlen; i++)
            t[i] = "ab"[rand_r(&seed) % 2];
        struct slice pattern = {p, (size_t)plen}, text = {t, (size_t)tlen};
        bool match = glob_match(pattern, text, false);
        matches += match;
        ck_assert_msg(in_pieces(pattern, text, 10, 1) == match, "%s ~ %s", p, t);
        ck_assert_msg(in_pieces(pattern, text, 13, 5) == match, "%s ~ %s", p, t);
        ck_assert_msg(in_pieces(pattern, text, 1000, SIZE_MAX) == match, "%s ~ %s", p, t);
    }
    ck_assert_uint_gt(matches, 3000);
}
END_TEST

START_TEST(no_pattern_takes_exponential_time)
{
    char pattern[64], text[4096];
    clock_t begin = clock();

    for (int i = 0; i < 30; i++)
        memcpy(pattern + 2 * i, "a*", 2);
    pattern[60] = 'b';
    memset(text, 'a', sizeof text);
    for (int i = 0; i < 10; i++)
        ck_assert(
            !glob_match((struct slice){pattern, 61}, (struct slice){text, sizeof text}, false));
    ck_assert_int_lt(clock() - begin, 2 * CLOCKS_PER_SEC);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("text");
    TCase *numbers = tcase_create("numbers"), *texts = tcase_create("texts"),
          *patterns = tcase_create("patterns");

    tcase_set_timeout(numbers, 60); /* of the clock on the wall: the machine may be busy */
    tcase_set_timeout(patterns, 60);
    tcase_add_test(numbers, numbers_are_written_as_printf_writes_them);
    tcase_add_loop_test(numbers, only_the_one_form_of_a_number_is_read, 0,
                        sizeof not_numbers / sizeof not_numbers[0]);
    tcase_add_loop_test(numbers, memory_sizes_have_units, 0, sizeof memory / sizeof memory[0]);
    tcase_add_test(texts, text_grows_and_ends_with_a_zero);
    tcase_add_test(texts, a_text_without_memory_stays_as_it_was);
    tcase_add_test(texts, a_text_that_was_reserved_needs_no_more_memory);
    tcase_add_test(texts, sizes_for_people_are_redis_sizes);
    tcase_add_test(texts, quoted_text_splits_back_into_what_it_was);
    tcase_add_loop_test(texts, quotes_and_what_is_escaped_within_them, 0,
                        sizeof quoted / sizeof quoted[0]);
    tcase_add_test(texts, a_line_ends_at_its_zero);
    tcase_add_test(texts, more_words_than_room_are_refused);
    tcase_add_test(texts, a_form_feed_is_a_blank_between_words_alone);
    tcase_add_loop_test(patterns, patterns_match_as_in_redis, 0, sizeof globs / sizeof globs[0]);
    tcase_add_test(patterns, random_patterns_match_as_defined);
    tcase_add_test(patterns, a_text_in_pieces_matches_as_the_whole_does);
    tcase_add_test(patterns, no_pattern_takes_exponential_time);
    suite_add_tcase(s, numbers);
    suite_add_tcase(s, texts);
    suite_add_tcase(s, patterns);
    return run_suite(s);
}
