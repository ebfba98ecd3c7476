/* JSON: strings of any bytes, written and read back; keys of every kind. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"
#include "tool/base/tool.h"
#include "tool/values/base64.h"
#include "tool/values/json_key.h"

/* What was written: gathered, then taken as a text. */
static struct tool_out out;
static char text[65536];
static size_t text_bytes;

static int
take(void *ctx, struct slice piece)
{
    (void)ctx;
    ck_assert_uint_lt(text_bytes + piece.len, sizeof text);
    memcpy(text + text_bytes, piece.ptr, piece.len);
    text_bytes += piece.len;
    return 0;
}

static const char *
written(void)
{
    text_bytes = 0;
    ck_assert_int_eq(tool_out_each(&out, take, NULL), 0);
    tool_out_empty(&out);
    text[text_bytes] = '\0';
    return text;
}

static void
setup(void)
{
    ck_assert_int_eq(tool_out_open_spill(&out), TOOL_OK);
}

static void
teardown(void)
{
    ck_assert_int_eq(tool_out_close(&out, false), TOOL_OK);
}

/* ---- strings ---- */

static const struct {
    struct slice bytes;
    const char *plain, *base64;
} strings[] = {
    {{"", 0}, "", NULL},
    {{"plain text", 10}, "plain text", NULL},
    {{"a \"quote\" and a \\", 17}, "a \\\"quote\\\" and a \\\\", NULL},
    {{"\b\t\n\f\r", 5}, "\\b\\t\\n\\f\\r", NULL},
    {{"\xc2\x9b[\xc2\xa0", 5}, "\\u009b[\xc2\xa0", NULL},
    {{"\0\1\37\177", 4}, "\\u0000\\u0001\\u001f\177", NULL},
    {{"0123456789abcdef\n", 17}, "0123456789abcdef\\n", NULL},
    {{"0123456789abcde\n0123456", 23}, "0123456789abcde\\n0123456", NULL},
    {{"\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98", 14},
     "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98",
     NULL},
    /* no UTF-8: stray bytes, cut characters, overlong ones, surrogates, beyond the last one */
    {{"\x80", 1}, "\\udc80", "base64:gA=="},
    {{"a\xff", 2}, "a\\udcff", "base64:Yf8="},
    {{"\xe2\x82", 2}, "\\udce2\\udc82", "base64:4oI="},
    {{"\xe2\x82\xff", 3}, "\\udce2\\udc82\\udcff", "base64:4oL/"},
    {{"\xc3", 1}, "\\udcc3", "base64:ww=="},
    {{"\xc0\xaf", 2}, "\\udcc0\\udcaf", "base64:wK8="},
    {{"\xe0\x9f\xbf", 3}, "\\udce0\\udc9f\\udcbf", "base64:4J+/"},
    {{"\xed\xb2\x80", 3}, "\\udced\\udcb2\\udc80", "base64:7bKA"},
    {{"\xf4\x90\x80\x80", 4}, "\\udcf4\\udc90\\udc80\\udc80", "base64:9JCAgA=="},
    /* what looks like base64 already */
    {{"base64:", 7}, "base64:", "base64:YmFzZTY0Og=="},
    {{"base64", 6}, "base64", NULL},
};
enum { STRINGS = sizeof strings / sizeof *strings };

static void
check_quoted(const char *want)
{
    const char *got = written();
    size_t n = strlen(want);

    ck_assert_msg(text_bytes == n + 2 && got[0] == '"' && got[n + 1] == '"' &&
                      memcmp(got + 1, want, n) == 0,
                  "%s\n%s", got, want);
}

START_TEST(each_string_is_written_in_its_form)
{
    json_string(&out, strings[_i].bytes, BINARY_BYTES);
    check_quoted(strings[_i].plain);
    json_string(&out, strings[_i].bytes, BINARY_BASE64);
    check_quoted(strings[_i].base64 != NULL ? strings[_i].base64 : strings[_i].plain);
}
END_TEST

/* ---- read back ---- */

static unsigned
hex_value(const char *p, unsigned digits)
{
    char copy[8] = "";

    memcpy(copy, p, digits);
    return (unsigned)strtoul(copy, NULL, 16);
}

/* unescape: what is between the quotes of `text`; the bytes that are no text come back as they
 * were. */
static size_t
unescape(uint8_t *dst)
{
    static const char named[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
    const char *p = text + 1, *end = text + text_bytes - 1;
    uint8_t *d = dst;
    bool good = true; /* an assertion is a system call */

    ck_assert(text_bytes >= 2 && text[0] == '"' && *end == '"');
    while (p < end) {
        good = good && (uint8_t)*p >= 0x20 && *p != '"';
        if (*p != '\\') {
            *d++ = (uint8_t)*p++;
        } else if (p[1] != 'u') {
            const char *at = strchr(named, p[1]);

            good = good && at != NULL;
            *d++ = at == NULL ? 0 : (uint8_t)bytes[at - named];
            p += 2;
        } else {
            unsigned v = hex_value(p + 2, 4);

            good = good && (v < 0x20 || (v >= 0xdc80 && v <= 0xdcff));
            *d++ = (uint8_t)v;
            p += 6;
        }
    }
    ck_assert_msg(good, "%s", text);
    return (size_t)(d - dst);
}

/* digit_value: 64: it is no digit. */
static uint8_t
digit_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);

    return (uint8_t)(at == NULL || c == '\0' ? 64 : at - digits);
}

/* read_back: the bytes that `text` stands for. */
static size_t
read_back(uint8_t *dst, enum binary binary)
{
    size_t n = unescape(dst), bytes = 0;
    char copy[65536];
    bool good = true;

    if (binary == BINARY_BYTES || n < 7 || memcmp(dst, "base64:", 7) != 0)
        return n;
    ck_assert_uint_eq((n - 7) % 4, 0);
    memcpy(copy, dst + 7, n - 7);
    for (size_t i = 0; i < n - 7; i += 4) {
        uint32_t v = 0;
        unsigned padding = (copy[i + 3] == '=') + (copy[i + 2] == '=');

        for (unsigned k = 0; k < 4; k++) {
            uint8_t digit = copy[i + k] == '=' && k >= 4 - padding ? 0 : digit_value(copy[i + k]);
            good = good && digit < 64;
            v = v << 6 | digit;
        }
        for (unsigned k = 0; k < 3 - padding; k++)
            dst[bytes++] = (uint8_t)(v >> (16 - 8 * k));
    }
    ck_assert_msg(good, "%s", text);
    return bytes;
}

/* Bytes that meet each other in ways that matter. */
#define PART(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct slice parts[] = {
    PART("a"),    PART("0123456"),      PART("0123456789abcdef0123456789abcdef"),
    PART("\""),   PART("\\"),           PART("\n"),
    PART("\x1f"), PART("\xc3\xa9"),     PART("\xe2\x82\xac"),
    PART("\x80"), PART("\xe2\x82"),     PART("\xf0\x9f\x90\x98"),
    PART("\xf0"), PART("\xf0\x9f\x90"), PART("\xed\xa0\x80"),
    PART("\xff"), PART("base64:"),      PART("\x7f")};

static size_t
random_string(uint8_t *dst, size_t most, unsigned *seed)
{
    size_t n = 0, want = (size_t)rand_r(seed) % most;
    bool text_only = rand_r(seed) % 3 == 0;

    while (n < want) {
        struct slice part = parts[(size_t)rand_r(seed) % (sizeof parts / sizeof *parts)];

        if (text_only && !utf8_is_all(part))
            continue;
        memcpy(dst + n, part.ptr, part.len);
        n += part.len;
    }
    return n;
}

static void
put_in_pieces(struct pieces *s, const uint8_t *bytes, size_t n, unsigned *seed)
{
    uint8_t copy[64];

    tool_out_put(&out, "\"", 1);
    pieces_begin(s);
    for (size_t at = 0; at < n;) {
        size_t len = at == 0 ? 7 : 1 + (size_t)rand_r(seed) % 40;

        if (len > n - at)
            len = n - at;
        memcpy(copy, bytes + at, len); /* what is behind it is none of its business */
        pieces_piece(s, slice_of(copy, len));
        at += len;
    }
    pieces_end(s);
    tool_out_put(&out, "\"", 1);
}

START_TEST(what_was_written_reads_back_exactly_whole_or_in_pieces)
{
    enum binary binary = _i == 0 ? BINARY_BYTES : BINARY_BASE64;
    struct pieces s = {.out = &out, .binary = binary, .put = json_put, .put_rest = json_put_rest};
    uint8_t bytes[4096], back[65536];
    unsigned seed = 1, all_base64 = 0, rounds = 30000;

    ck_assert_int_eq(pieces_init(&s), TOOL_OK);
    for (unsigned round = 0; round < rounds; round++) {
        size_t n = random_string(bytes, 1 + round % 400, &seed), got;
        char *whole;

        json_string(&out, slice_of(bytes, n), binary);
        whole = strdup(written());
        ck_assert(utf8_is_all(slice_of(text, text_bytes)));
        got = read_back(back, binary);
        ck_assert_msg(got == n && memcmp(back, bytes, n) == 0, "round %u: %s", round, whole);
        all_base64 += strncmp(whole, "\"base64:", 8) == 0;

        put_in_pieces(&s, bytes, n, &seed);
        ck_assert_str_eq(written(), whole);
        free(whole);
    }
    ck_assert(binary == BINARY_BYTES || (all_base64 > rounds / 5 && all_base64 < rounds * 4 / 5));
    ck_assert_int_eq(pieces_fini(&s), TOOL_OK);
}
END_TEST

/* Chunks end in the middle of characters. */
START_TEST(a_long_string_of_long_characters)
{
    enum { PAIRS = 4000 };
    static const uint8_t elephant[4] = {0xf0, 0x9f, 0x90, 0x98};
    uint8_t bytes[4 * PAIRS + 3], back[65536];

    for (unsigned shift = 0; shift < 4; shift++) {
        memset(bytes, 'x', shift);
        for (unsigned i = 0; i < PAIRS - 1; i++)
            memcpy(bytes + shift + 4 * (size_t)i, elephant, sizeof elephant);
        json_string(&out, slice_of(bytes, shift + 4 * (PAIRS - 1)), BINARY_BYTES);
        written();
        ck_assert_uint_eq(text_bytes, 2 + shift + 4 * (PAIRS - 1));
        ck_assert_uint_eq(read_back(back, BINARY_BYTES), text_bytes - 2);
        ck_assert_int_eq(memcmp(back, bytes, text_bytes - 2), 0);
    }
}
END_TEST

START_TEST(scores)
{
    static const struct {
        double score;
        const char *want;
    } all[] = {{0, "0"},
               {-0.0, "-0"},
               {1.5, "1.5"},
               {1e300, "1e+300"},
               {0.1, "0.1"},
               {-17, "-17"},
               {1e15, "1000000000000000"},
               {HUGE_VAL, "\"inf\""},
               {-HUGE_VAL, "\"-inf\""}};

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        json_score(&out, all[i].score);
        ck_assert_str_eq(written(), all[i].want);
    }
}
END_TEST

/* ---- keys ---- */

static const char *
keys_of(const char *spelled, struct json_keys *j)
{
    struct rdb_events ev = values_rdb_events(&json_key_events);
    char file[2048];
    struct spelled s;
    struct rdb_source *src;
    struct rdb_error error;

    snprintf(file, sizeof file, "'REDIS0010' %s ff zero", spelled);
    s = spell(file);
    j->out = &out;
    ck_assert_int_eq(json_keys_open(j), TOOL_OK);
    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    ck_assert_msg(rdb_decode(src, &ev, j, false, &error) == 0, "%s", error.text);
    rdb_source_close(src);
    ck_assert_int_eq(json_keys_close(j), TOOL_OK);
    return written();
}

#define ID "10 00 x 7 05 00 x 8 "

static const char *const keys[][2] = {
    {"00 ['k'] ['v']", "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":\"v\"}\n"},
    {"fe 03 fc 01 00 x 7 f8 04 00 ['k'] c0 05",
     "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"expire_at_ms\":1,\"idle_s\":4,\"value\":\"5\"}\n"},
    {"f9 07 00 [80] ['v']",
     "{\"db\":0,\"key\":\"\\udc80\",\"type\":\"string\",\"freq\":7,\"value\":\"v\"}\n"},
    {"01 ['l'] 02 ['a'] ['b'] 00 ['k'] ['v']",
     "{\"db\":0,\"key\":\"l\",\"type\":\"list\",\"value\":[\"a\",\"b\"]},"
     "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":\"v\"}\n"},
    {"02 ['s'] 01 ['m']", "{\"db\":0,\"key\":\"s\",\"type\":\"set\",\"value\":[\"m\"]}\n"},
    {"04 ['h'] 02 ['f'] ['v'] ['g'] ['w']",
     "{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":{\"f\":\"v\",\"g\":\"w\"}}\n"},
    {"03 ['z'] 02 ['a'] 03 '1.5' ['b'] ff",
     "{\"db\":0,\"key\":\"z\",\"type\":\"zset\",\"value\":[[\"a\",1.5],[\"b\",\"-inf\"]]}\n"},
    {"01 ['l'] 00", ""},
    {"01 ['l'] 00 04 ['h'] 00 00 ['k'] ['v']",
     "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":\"v\"}\n"},
    {"13 ['s'] 01 " ID
     "[( 17 : 02 01 00 01 01 01 81 'f' 02 00 01 02 01 00 01 00 01 81 'v' 02 04 01 "
     "00 01 02 01 09 01 01 01 81 'g' 02 05 01 06 01 )] 02 07 09 05 00 06 00 03 "
     "02 ['g'] 05 00 01 01 00 x 7 05 00 x 7 00 11 00 x 7 01 02 "
     "['c'] 22 00 x 7 01 00 x 7 05 00 x 8 ['d'] 23 00 x 7 00 ['h'] 00 00 00 00 00",
     "{\"db\":0,\"key\":\"s\",\"type\":\"stream\",\"value\":{\"entries\":["
     "{\"id\":\"5-0\",\"fields\":[[\"f\",\"v\"]]},{\"id\":\"7-9\",\"fields\":[[\"g\",\"5\"]]}],"
     "\"length\":2,\"last_id\":\"7-9\",\"max_deleted_id\":\"6-0\",\"entries_added\":3,\"groups\":["
     "{\"name\":\"g\",\"last_id\":\"5-0\",\"entries_read\":1,\"consumers\":["
     "{\"name\":\"c\",\"seen_ms\":34,\"active_ms\":34,\"pending\":["
     "{\"id\":\"5-0\",\"delivered_ms\":17,\"deliveries\":1}]},"
     "{\"name\":\"d\",\"seen_ms\":35,\"active_ms\":35,\"pending\":[]}]},"
     "{\"name\":\"h\",\"last_id\":\"0-0\",\"entries_read\":0,\"consumers\":[]}]}}\n"},
};

START_TEST(keys_of_each_kind)
{
    struct json_keys j = {.before = ",", .after = ""};

    ck_assert_str_eq(strcat(text, *keys_of(keys[_i][0], &j) == '\0' ? "" : "\n"), keys[_i][1]);
}
END_TEST

/* ---- whatever the file says ---- */

static const char *skip_value(const char *p);

/* skip_string: what is behind its closing quote; NULL: it is none. */
static const char *
skip_string(const char *p)
{
    if (p == NULL || *p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((uint8_t)*p < 0x20)
            return NULL;
        if (*p == '\\' && strchr("\"\\bfnrtu", *++p) == NULL)
            return NULL;
    }
    return p + 1;
}

/* skip_list: of values, or of pairs of a name and a value, behind the bracket. */
static const char *
skip_list(const char *p, char end)
{
    if (*p == end)
        return p + 1;
    do {
        if (end == '}' && ((p = skip_string(p)) == NULL || *p++ != ':'))
            return NULL;
        if ((p = skip_value(p)) == NULL)
            return NULL;
    } while (*p++ == ',');
    return p[-1] == end ? p : NULL;
}

/* skip_value: what is behind it; NULL: it is none. */
static const char *
skip_value(const char *p)
{
    size_t n;

    if (*p == '"')
        return skip_string(p);
    if (*p == '[' || *p == '{')
        return skip_list(p + 1, *p == '[' ? ']' : '}');
    if (strncmp(p, "null", 4) == 0)
        return p + 4;
    n = strspn(p, "0123456789.e+-");
    return n > 0 ? p + n : NULL;
}

/* check_lines: each is a value; an end of line is in no string. */
static bool
check_lines(void)
{
    const char *p = written();

    while (*p != '\0')
        if ((p = skip_value(p)) == NULL || *p++ != '\n')
            return false;
    return utf8_is_all(slice_of(text, text_bytes));
}

/* decode_changed: the file with one bit changed, to JSON.  Is it refused, or its JSON some? */
static bool
decode_changed(const struct spelled *s, size_t bit)
{
    struct rdb_events ev = values_rdb_events(&json_key_events);
    struct json_keys j = {.out = &out, .before = "", .after = "\n", .binary = bit % 2};
    uint8_t *bytes = malloc(s->len); /* of its own size, so that nobody reads beyond */
    struct rdb_source *src;
    struct rdb_error error;
    int r;

    memcpy(bytes, s->bytes, s->len);
    bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    r = json_keys_open(&j) == TOOL_OK ? rdb_source_memory(bytes, s->len, &src) : -1;
    ck_assert_int_eq(r, 0);
    r = rdb_decode(src, &ev, &j, false, &error);
    rdb_source_close(src);
    free(bytes);
    ck_assert_int_eq(json_keys_close(&j), TOOL_OK);
    if (r == 0)
        return check_lines();
    tool_out_empty(&out);
    return true;
}

START_TEST(every_bit_changed_is_an_error_or_json)
{
    char file[2048];
    struct spelled s;

    snprintf(file, sizeof file, "'REDIS0010' %s ff zero", keys[_i][0]);
    s = spell(file);
    for (size_t bit = 9 * 8UL; bit < 8 * s.len; bit++)
        ck_assert_msg(decode_changed(&s, bit), "bit %zu of %s: %s", bit, file, text);
}
END_TEST

START_TEST(a_key_of_one_of_several_files_names_it)
{
    struct json_keys j = {.before = "", .after = "\n", .file = "a\"b"};

    ck_assert_str_eq(keys_of("00 ['k'] ['v']", &j),
                     "{\"file\":\"a\\\"b\",\"db\":0,\"key\":\"k\",\"type\":\"string\","
                     "\"value\":\"v\"}\n");
}
END_TEST

/* Fields that expire stand behind the value, however many there are. */
START_TEST(fields_that_expire_are_told_apart)
{
    enum { FIELDS = 100000 };
    struct json_keys j = {.out = &out, .before = "", .after = "\n"};
    struct rdb_events ev = values_rdb_events(&json_key_events);
    const struct rdb_key key = {
        .name = SLICE("h"), .expire_at_ms = -1, .idle_s = -1, .freq = -1, .kind = RDB_VALUE_HASH};

    for (unsigned few = 0; few < 2; few++) {
        char name[32];

        ck_assert_int_eq(json_keys_open(&j), TOOL_OK);
        ck_assert_int_eq(ev.key(&j, &key), 0);
        for (unsigned i = 0; i < (few ? 3 : FIELDS); i++) {
            struct slice field = {name, (size_t)snprintf(name, sizeof name, "%u", i)};

            ck_assert_int_eq(i % 2 == 0 ? ev.hash_field_expiring(&j, field, SLICE("v"), 1000 + i)
                                        : ev.hash_field(&j, field, SLICE("v")),
                             0);
        }
        ck_assert_int_eq(ev.value_end(&j), 0);
        ck_assert_int_eq(json_keys_close(&j), TOOL_OK);
        if (!few)
            tool_out_empty(&out);
    }
    ck_assert_str_eq(written(), "{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":{\"0\":\"v\","
                                "\"1\":\"v\",\"2\":\"v\"},\"field_expire_at_ms\":{\"0\":1000,"
                                "\"2\":1002}}\n");
}
END_TEST

/* What a damaged file has left open is not the next one's. */
START_TEST(a_key_that_was_cut_off_leaves_nothing_behind)
{
    struct json_keys j = {.out = &out, .before = "", .after = "\n", .binary = BINARY_BASE64};
    struct rdb_events ev = values_rdb_events(&json_key_events);
    struct rdb_key key = {.name = SLICE("k"), .expire_at_ms = -1, .idle_s = -1, .freq = -1};

    ck_assert_int_eq(json_keys_open(&j), TOOL_OK);
    ck_assert_int_eq(ev.key(&j, &key), 0);
    ck_assert_int_eq(ev.string_begin(&j, 100), 0);
    ck_assert_int_eq(ev.string_bytes(&j, SLICE("\xff\xff")), 0);
    key.kind = RDB_VALUE_HASH;
    ck_assert_int_eq(ev.key(&j, &key), 0);
    ck_assert_int_eq(ev.hash_field_expiring(&j, SLICE("f"), SLICE("v"), 7), 0);
    tool_out_empty(&out);

    key.kind = RDB_VALUE_STRING;
    ck_assert_int_eq(ev.key(&j, &key), 0);
    ck_assert_int_eq(ev.string_begin(&j, 2), 0);
    ck_assert_int_eq(ev.string_bytes(&j, SLICE("v")), 0);
    ck_assert_int_eq(ev.string_bytes(&j, SLICE("w")), 0);
    ck_assert_int_eq(ev.value_end(&j), 0);
    ck_assert_str_eq(written(), "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":\"vw\"}\n");
    ck_assert_int_eq(json_keys_close(&j), TOOL_OK);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("tool/json");
    TCase *t = tcase_create("json");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_string_is_written_in_its_form, 0, STRINGS);
    tcase_add_loop_test(t, what_was_written_reads_back_exactly_whole_or_in_pieces, 0, 2);
    tcase_add_test(t, a_long_string_of_long_characters);
    tcase_add_test(t, scores);
    tcase_add_loop_test(t, keys_of_each_kind, 0, (int)(sizeof keys / sizeof *keys));
    tcase_add_loop_test(t, every_bit_changed_is_an_error_or_json, 0,
                        (int)(sizeof keys / sizeof *keys));
    tcase_add_test(t, a_key_of_one_of_several_files_names_it);
    tcase_add_test(t, fields_that_expire_are_told_apart);
    tcase_add_test(t, a_key_that_was_cut_off_leaves_nothing_behind);
    suite_add_tcase(s, t);
    return run_suite(s);
}
