/* Every form of a value in the file, as the elements that are in it. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "mm/base/real.h"
#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"
#include "tool/values/values.h"

static char heard[4096];

static int __attribute__((format(printf, 1, 2))) hear(const char *format, ...)
{
    size_t len = strlen(heard);
    va_list args;

    va_start(args, format);
    vsnprintf(heard + len, sizeof heard - len, format, args);
    va_end(args);
    return 0;
}

/* SHOW: of a slice, for "%.*s". */
#define SHOW(s) (int)(s).len, (s).ptr

static int
on_key(void *ctx, const struct rdb_key *key)
{
    const struct values *v = ctx;

    ck_assert_ptr_eq(key, &v->key);
    ck_assert_uint_eq(v->elements, 0);
    return hear("%.*s:", SHOW(key->name));
}

static int
on_string(void *ctx, struct slice value)
{
    (void)ctx;
    return hear(" whole(%.*s)", SHOW(value));
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    (void)ctx;
    return hear(" %llu(", (unsigned long long)len);
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    (void)ctx;
    return piece.len > 64 ? hear("%zu,", piece.len) : hear("%.*s,", SHOW(piece));
}

static int
on_element(void *ctx, struct slice element)
{
    (void)ctx;
    return hear(" %.*s", SHOW(element));
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)ctx;
    return hear(" %.*s=%.*s@%lld", SHOW(field), SHOW(value), (long long)expire_at_ms);
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    (void)ctx;
    return hear(" %.*s=%.17g", SHOW(member), score);
}

static int
on_entry(void *ctx, struct stream_id id, uint64_t fields)
{
    (void)ctx;
    return hear(" %llu-%llu/%llu(", (unsigned long long)id.ms, (unsigned long long)id.seq,
                (unsigned long long)fields);
}

static int
on_entry_field(void *ctx, struct slice field, struct slice value)
{
    return on_field(ctx, field, value, 0);
}

static int
on_entry_end(void *ctx)
{
    (void)ctx;
    return hear(")");
}

static int
on_stream_facts(void *ctx, const struct rdb_stream *facts)
{
    (void)ctx;
    return hear(" last %llu of %llu", (unsigned long long)facts->last.ms,
                (unsigned long long)facts->entries_added);
}

static int
on_group(void *ctx, const struct rdb_stream_group *group)
{
    (void)ctx;
    return hear(" group %.*s", SHOW(group->name));
}

static int
on_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    (void)ctx;
    return hear(" consumer %.*s %lld %lld", SHOW(name), (long long)seen_ms, (long long)active_ms);
}

static int
on_pending(void *ctx, const struct rdb_stream_pending *pending)
{
    (void)ctx;
    return hear(" pending %llu", (unsigned long long)pending->id.ms);
}

static int
on_end(void *ctx)
{
    const struct values *v = ctx;

    return hear(" %llu.\n", (unsigned long long)v->elements);
}

static const struct value_events all = {
    .key = on_key,
    .string = on_string,
    .string_begin = on_string_begin,
    .string_bytes = on_string_bytes,
    .element = on_element,
    .member = on_element,
    .field = on_field,
    .scored = on_scored,
    .entry = on_entry,
    .entry_field = on_entry_field,
    .entry_end = on_entry_end,
    .stream_facts = on_stream_facts,
    .group = on_group,
    .consumer = on_consumer,
    .pending = on_pending,
    .end = on_end,
};

static int
decode(const void *bytes, size_t len, const struct value_events *events)
{
    struct rdb_events ev = values_rdb_events(events);
    struct values v = {.events = events};
    struct rdb_source *src;
    struct rdb_error error;
    int r;

    heard[0] = '\0';
    ck_assert_int_eq(rdb_source_memory(bytes, len, &src), 0);
    r = rdb_decode(src, &ev, &v, false, &error);
    rdb_source_close(src);
    ck_assert_msg(r != -EINVAL, "%s", error.text);
    return r;
}

#define INTS "06 01 f1 ff 7f 03 df df 02 f4 00 x 7 80 09"
#define ID   "10 00 x 7 05 00 x 8 "

static const char *const forms[][2] = {
    {"00 ['k'] ['value']", "k: whole(value) 0.\n"},
    {"00 ['k'] ['']", "k: whole() 0.\n"},
    {"00 ['k'] c0 85", "k: whole(-123) 0.\n"},
    {"00 ['k'] c3 05 08 01 'ab' 80 01 ", "k: whole(abababab) 0.\n"},
    {"fc ff 00 x 7 00 c0 07 ['v']", "7: whole(v) 0.\n"},
    /* lists */
    {"01 ['l'] 03 ['a'] c0 05 ['']", "l: a 5  3.\n"},
    {"12 ['l'] 03 02 [( 2 : 81 'f' 02 05 01 )] 01 ['plain'] 02 [( 3 : " INTS ")]",
     "l: f 5 plain 6 32767 -33 -9223372036854775808 7.\n"},
    {"12 ['l'] 01 02 [( 2 : e0 40 'a' x 64 42 80 01)]",
     "l: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  2.\n"},
    {"0e ['l'] 02 [0d 00 00 00 0a 00 00 00 01 00 00 f2 ff] "
     "[0e 00 00 00 0a 00 00 00 01 00 00 01 'z' ff]",
     "l: 1 z 2.\n"},
    {"01 ['l'] 00", "l: 0.\n"},
    /* sets */
    {"02 ['s'] 02 ['b'] ['a']", "s: b a 2.\n"},
    {"0b ['s'] [02 00 00 00 03 00 00 00 fe ff 01 00 00 7f]", "s: -2 1 32512 3.\n"},
    {"0b ['s'] [08 00 00 00 01 00 00 00 00 x 7 80]", "s: -9223372036854775808 1.\n"},
    {"14 ['s'] [( 2 : 81 'm' 02 07 01 )]", "s: m 7 2.\n"},
    /* hashes */
    {"04 ['h'] 02 ['f'] ['v'] ['g'] c0 01", "h: f=v@-1 g=1@-1 2.\n"},
    {"10 ['h'] [( 4 : 81 'f' 02 81 'v' 02 07 01 08 01 )]", "h: f=v@-1 7=8@-1 2.\n"},
    {"09 ['h'] [01 01 'f' 01 00 'v' ff]", "h: f=v@-1 1.\n"},
    {"0d ['h'] [10 00 00 00 0d 00 00 00 02 00 00 01 'a' 03 f2 ff]", "h: a=1@-1 1.\n"},
    /* sorted sets */
    {"03 ['z'] 03 ['a'] 03 '1.5' ['b'] ff ['c'] fe", "z: a=1.5 b=-inf c=inf 3.\n"},
    {"05 ['z'] 01 ['a'] 00 x 6 f8 3f", "z: a=1.5 1.\n"},
    {"11 ['z'] [( 6 : 07 01 83 '-.5' 04 81 'b' 02 02 01 81 'c' 02 84 '1e99' 05)]",
     "z: 7=-0.5 b=2 c=9.9999999999999997e+98 3.\n"},
    {"0c ['z'] [10 00 00 00 0d 00 00 00 02 00 00 01 'a' 03 f2 ff]", "z: a=1 1.\n"},
    /* a stream: one field as the master, deleted, then two fields of its own, one of them twice */
    {"13 ['s'] 01 " ID
     "[( 25 : 02 01 01 01 01 01 81 'f' 02 00 01 02 01 00 01 00 01 81 'v' 02 04 01 "
     "03 01 01 01 00 01 81 'w' 02 04 01 00 01 02 01 09 01 02 01 81 'f' 02 05 01 81 'f' 02 06 01 08 "
     "01 )] 02 07 08 05 00 06 00 03 01 ['g'] 05 00 01 01 00 x 7 05 00 x 7 00 11 00 x 7 01 01 ['c'] "
     "22 00 x 7 01 00 x 7 05 00 x 8",
     "s: 5-0/1( f=v@0) 7-9/2( f=5@0 f=6@0) last 7 of 3 group g consumer c 34 34 pending 5 2.\n"},
};

START_TEST(each_form_is_its_elements)
{
    char text[1024];
    struct spelled s;

    snprintf(text, sizeof text, "'REDIS0010' %s ff zero", forms[_i][0]);
    s = spell(text);
    ck_assert_int_eq(decode(s.bytes, s.len, &all), 0);
    ck_assert_str_eq(heard, forms[_i][1]);
}
END_TEST

/* long_string: a file with one key, a string of so many bytes; the key is a number, so that not all
 * of it stands plainly. */
static size_t
long_string(uint8_t *dst, uint32_t len)
{
    static const uint8_t head[] = "REDIS0010\x00\xc0\x07\x80", tail[9] = {0xff};
    uint8_t *p = dst;

    memcpy(p, head, sizeof head - 1);
    p += sizeof head - 1;
    for (unsigned shift = 32; shift > 0; shift -= 8)
        *p++ = (uint8_t)(len >> (shift - 8));
    memset(p, 'x', len);
    memcpy(p + len, tail, sizeof tail);
    return (size_t)(p + len + sizeof tail - dst);
}

START_TEST(what_does_not_come_in_one_piece_comes_in_several)
{
    enum { LEN = 1000000 };
    uint8_t *bytes = malloc(LEN + 64);
    uint64_t sum = 0;
    const char *p;
    char *end;

    ck_assert_int_eq(decode(bytes, long_string(bytes, LEN), &all), 0);
    ck_assert_int_eq(strncmp(heard, "7: 1000000(", 11), 0);
    for (p = heard + 11; *p != ' '; p = end + 1)
        sum += strtoull(p, &end, 10);
    ck_assert_uint_eq(sum, LEN);
    free(bytes);
}
END_TEST

/* Who has no `string` gets every one in pieces. */
START_TEST(without_string_all_come_in_pieces)
{
    struct spelled s = spell("'REDIS0010' 00 ['a'] ['v'] 00 ['b'] [''] 00 ['c'] c0 05 ff zero");
    struct value_events some = all;

    some.string = NULL;
    ck_assert_int_eq(decode(s.bytes, s.len, &some), 0);
    ck_assert_str_eq(heard, "a: 1(v, 0.\nb: 0( 0.\nc: 1(5, 0.\n");
}
END_TEST

enum { ENOUGH = 77 };

static int
enough(void *ctx, struct slice s)
{
    (void)ctx;
    (void)s;
    hear(" enough");
    return ENOUGH;
}

static int
enough_scored(void *ctx, struct slice member, double score)
{
    (void)score;
    return enough(ctx, member);
}

static int
enough_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)value;
    (void)expire_at_ms;
    return enough(ctx, field);
}

static int
enough_pair(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    return enough(ctx, field);
}

/* Whoever has enough is told nothing more, in the middle of a listpack either. */
START_TEST(what_an_event_returns_ends_it)
{
    struct value_events some = all;
    char text[1024];
    struct spelled s;

    snprintf(text, sizeof text, "'REDIS0010' %s ff zero", forms[_i][0]);
    s = spell(text);
    some.string = some.element = some.member = enough;
    some.field = enough_field;
    some.scored = enough_scored;
    some.entry_field = enough_pair;
    if (strcmp(forms[_i][1], "l: 0.\n") == 0)
        return;
    ck_assert_int_eq(decode(s.bytes, s.len, &some), ENOUGH);
    ck_assert_str_eq(heard + strlen(heard) - 7, " enough");
    ck_assert_ptr_eq(strstr(heard, " enough"), heard + strlen(heard) - 7);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("tool/values");
    TCase *t = tcase_create("values");

    tcase_add_loop_test(t, each_form_is_its_elements, 0, (int)(sizeof forms / sizeof *forms));
    tcase_add_test(t, what_does_not_come_in_one_piece_comes_in_several);
    tcase_add_test(t, without_string_all_come_in_pieces);
    tcase_add_loop_test(t, what_an_event_returns_ends_it, 0, (int)(sizeof forms / sizeof *forms));
    suite_add_tcase(s, t);
    return run_suite(s);
}
