/* A walk through a file: which keys a command hears of, how, and what facts it gets. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/num.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"
#include "tests/support/runner.h"
#include "tool/keys/walk.h"

/* ---- a file ---- */

static struct {
    uint8_t bytes[8 << 20];
    size_t len;
    char path[64];
} file;

static void
put(const void *bytes, size_t len)
{
    ck_assert_uint_le(file.len + len, sizeof file.bytes);
    memcpy(file.bytes + file.len, bytes, len);
    file.len += len;
}

static void
put_byte(unsigned b)
{
    uint8_t byte = (uint8_t)b;

    put(&byte, 1);
}

static void
put_len(size_t len)
{
    put_byte(RDB_LEN_32);
    for (int shift = 24; shift >= 0; shift -= 8)
        put_byte(len >> shift & 255);
}

static void
put_string(const void *bytes, size_t len)
{
    put_len(len);
    put(bytes, len);
}

static void
put_text(const char *text)
{
    put_string(text, strlen(text));
}

static void
put_key(unsigned type, const char *name)
{
    put_byte(type);
    put_text(name);
}

static void
put_plain(const char *name, const char *value)
{
    put_key(RDB_TYPE_STRING, name);
    put_text(value);
}

/* put_fill: a string of so many 'x'. */
static void
put_fill(size_t len)
{
    put_len(len);
    ck_assert_uint_le(file.len + len, sizeof file.bytes);
    memset(file.bytes + file.len, 'x', len);
    file.len += len;
}

static void
begin_file(void)
{
    file.len = 0;
    put("REDIS0012", 9);
    put_byte(RDB_OP_AUX);
    put_text("ctime");
    put_text("1000");
    put_byte(RDB_OP_SELECTDB);
    put_byte(3);
}

static void
write_file(void)
{
    FILE *f;
    int fd;

    strcpy(file.path, "/tmp/test-walk-XXXXXX");
    fd = mkstemp(file.path);
    ck_assert_int_ge(fd, 0);
    f = fdopen(fd, "w");
    ck_assert_uint_eq(fwrite(file.bytes, 1, file.len, f), file.len);
    ck_assert_int_eq(fclose(f), 0);
}

static void
end_file(void)
{
    put_byte(RDB_OP_EOF);
    put("\0\0\0\0\0\0\0\0", 8);
    write_file();
}

/* ---- a command, which writes down what it hears ---- */

struct command {
    struct walk walk; /* first */
    char heard[65536];
    size_t len;
    const char *skip; /* the name of a key whose value it does not want */
    const char *ends; /* ... which is enough for it */
    unsigned keys;
    struct key_facts last;
};

static void __attribute__((format(printf, 2, 3))) hear(struct command *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    c->len += (size_t)vsnprintf(c->heard + c->len, sizeof c->heard - c->len, format, args);
    va_end(args);
    ck_assert_uint_lt(c->len, sizeof c->heard);
}

static bool
is_named(const struct rdb_key *k, const char *name)
{
    return name != NULL && slice_is(k->name, name);
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct command *c = ctx;

    hear(c, "%.*s ", (int)k->name.len, k->name.ptr);
    if (c->walk.events->facts_first)
        hear(c, "(%s %llu) ", walk_facts(&c->walk)->encoding,
             (unsigned long long)walk_facts(&c->walk)->elements);
    c->keys++;
    return is_named(k, c->ends) ? WALK_ENOUGH : is_named(k, c->skip) ? RDB_SKIP_VALUE : 0;
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    hear(ctx, "[%llu", (unsigned long long)len);
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    hear(ctx, " %.*s", piece.len > 8 ? 8 : (int)piece.len, piece.ptr);
    return 0;
}

static int
on_value_end(void *ctx)
{
    hear(ctx, "] ");
    return 0;
}

static int
on_plain_string(void *ctx, const struct rdb_key *k, struct slice value)
{
    hear(ctx, "%.*s=%.*s ", (int)k->name.len, k->name.ptr, (int)value.len, value.ptr);
    return 0;
}

static int
on_facts(void *ctx, const struct key_facts *f)
{
    struct command *c = ctx;

    hear(c, "%.*s:%s/%llu/%llu/%llu/%llu ", (int)f->key->name.len, f->key->name.ptr, f->encoding,
         (unsigned long long)f->elements, (unsigned long long)f->value_bytes,
         (unsigned long long)f->largest_bytes, (unsigned long long)f->record_bytes);
    ck_assert_str_eq(f->encoding, key_encoding_names[f->encoding_number]);
    c->last = *f;
    return 0;
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    (void)crc;
    hear(ctx, "end");
    return 0;
}

static void
set_option(struct tool_options *o, const char *name, const char *text)
{
    unsigned i = 0;

    while (strcmp(tool_options[i].name, name) != 0)
        i++;
    ck_assert(tool_options_set(o, &tool_options[i], text));
}

/* run_with: a walk over the file with one option, as often as said; what was heard stays in c. */
static int
run_times(struct command *c, const struct walk_events *ev, const char *option, const char *text,
          int times)
{
    struct tool_options o;
    struct selection *s;
    int status = TOOL_OK;

    tool_options_init(&o);
    if (option != NULL)
        set_option(&o, option, text);
    s = selection_new(&o);
    ck_assert_ptr_nonnull(s);
    c->walk.run.is_told_later = true;
    while (times-- > 0)
        status |= walk_file(&c->walk, file.path, ev, s, &o);
    walk_fini(&c->walk);
    selection_free(s);
    tool_options_fini(&o);
    return status;
}

static int
run_with(struct command *c, const struct walk_events *ev, const char *option, const char *text)
{
    return run_times(c, ev, option, text, 1);
}

static const struct walk_events keys_only = {.rdb = {.key = on_key, .end = on_end}};
static const struct walk_events facts_only = {.rdb = {.end = on_end}, .facts = on_facts};
static const struct walk_events keys_and_facts = {.rdb = {.key = on_key}, .facts = on_facts};
static const struct walk_events in_pieces = {.rdb = {.key = on_key,
                                                     .string_begin = on_string_begin,
                                                     .string_bytes = on_string_bytes,
                                                     .value_end = on_value_end,
                                                     .end = on_end}};
static const struct walk_events at_once = {.rdb = {.key = on_key,
                                                   .plain_string = on_plain_string,
                                                   .string_begin = on_string_begin,
                                                   .value_end = on_value_end,
                                                   .end = on_end}};
static const struct walk_events measured = {.rdb = {.key = on_key,
                                                    .string_begin = on_string_begin,
                                                    .string_bytes = on_string_bytes,
                                                    .value_end = on_value_end,
                                                    .end = on_end},
                                            .facts_first = true};

/* few: a string, a compressed one's stand-in (an integer form), a set, a string. */
static void
few(void)
{
    begin_file();
    put_plain("a", "one");
    put_key(RDB_TYPE_STRING, "b");
    put_byte(RDB_ENC_INT8);
    put_byte(17);
    put_byte(RDB_OP_EXPIRETIME_MS);
    put("\x40\x42\x0f\0\0\0\0\0", 8); /* 1000000 ms: when the file was written */
    put_key(RDB_TYPE_SET, "c");
    put_len(2);
    put_text("m1");
    put_text("m22");
    put_plain("d", "four!");
    end_file();
}

static void
remove_file(void)
{
    if (file.path[0] != '\0')
        unlink(file.path);
}

#define HEARS(events, option, text, want)                                                          \
    do {                                                                                           \
        struct command *c_ = calloc(1, sizeof *c_);                                                \
        ck_assert_int_eq(run_with(c_, events, option, text), TOOL_OK);                             \
        ck_assert_str_eq(c_->heard, want);                                                         \
        free(c_);                                                                                  \
    } while (0)

START_TEST(names_alone_cost_no_values)
{
    few();
    HEARS(&keys_only, NULL, NULL, "a b c d end");
    HEARS(&keys_only, "match", "[bd]", "b d end");
    HEARS(&keys_only, "type", "set", "c end");
    HEARS(&keys_only, "ttl", "past", "c end");
    HEARS(&keys_only, "db", "0", "end");
    HEARS(&keys_only, "size", "12-", "a c d end"); /* asks for facts */
    HEARS(&keys_only, "elements", "1-", "c end");
    HEARS(&keys_only, "limit", "2", "a b ");
    remove_file();
}
END_TEST

START_TEST(facts_are_told_behind_the_value)
{
    few();
    HEARS(&facts_only, NULL, NULL,
          "a:embstr/1/3/3/15 b:int/1/2/2/9 c:listpack/2/5/3/36 d:embstr/1/5/5/17 end");
    remove_file();
}
END_TEST

START_TEST(values_come_as_the_command_wants_them)
{
    few();
    HEARS(&in_pieces, NULL, NULL, "a [3 one] b [2 17] c ] d [5 four!] end");
    HEARS(&in_pieces, "exclude", "c", "a [3 one] b [2 17] d [5 four!] end");
    HEARS(&at_once, NULL, NULL, "a=one b [2] c ] d=four! end");
    HEARS(&at_once, "match", "[ab]", "a=one b [2] end");
    HEARS(&at_once, "limit", "3", "a=one b [2] c ] ");
    remove_file();
}
END_TEST

START_TEST(what_facts_select_takes_two_passes_of_values)
{
    few();
    HEARS(&in_pieces, "encoding", "embstr", "a [3 one] d [5 four!] end");
    HEARS(&at_once, "encoding", "int", "b [2] end");
    HEARS(&at_once, "size", "-16", "a=one b [2] end");
    HEARS(&measured, NULL, NULL,
          "a (embstr 1) [3 one] b (int 1) [2 17] c (listpack 2) ] d (embstr 1) [5 four!] end");
    HEARS(&measured, "type", "set", "c (listpack 2) ] end");
    HEARS(&measured, "limit", "2", "a (embstr 1) [3 one] b (int 1) [2 17] ");
    remove_file();
}
END_TEST

START_TEST(a_command_may_skip_a_value_or_end)
{
    struct command *c = calloc(1, sizeof *c);

    few();
    c->skip = "a";
    ck_assert_int_eq(run_with(c, &in_pieces, NULL, NULL), TOOL_OK);
    ck_assert_str_eq(c->heard, "a ] b [2 17] c ] d [5 four!] end");
    c->len = 0;
    ck_assert_int_eq(run_with(c, &in_pieces, "match", "*"), TOOL_OK);
    ck_assert_str_eq(c->heard, "a ] b [2 17] c ] d [5 four!] end");
    c->len = 0;
    ck_assert_int_eq(run_with(c, &keys_and_facts, "match", "[ab]"), TOOL_OK);
    ck_assert_str_eq(c->heard, "a a:embstr/1/3/3/15 b b:int/1/2/2/9 ");
    c->ends = "c";
    for (int i = 0; i < 3; i++) {
        c->len = 0;
        ck_assert_int_eq(
            run_with(c, i == 0 ? &keys_only : &in_pieces, i == 1 ? NULL : "match", "*"), TOOL_OK);
        ck_assert_str_eq(c->heard, i == 0 ? "a b c " : "a ] b [2 17] c ");
    }
    free(c);
    remove_file();
}
END_TEST

START_TEST(the_limit_is_for_all_files)
{
    struct command *c = calloc(1, sizeof *c);

    few();
    ck_assert_int_eq(run_times(c, &keys_only, "limit", "6", 3), TOOL_OK);
    ck_assert_str_eq(c->heard, "a b c d enda b ");
    c->len = 0;
    ck_assert_int_eq(run_times(c, &measured, "limit", "5", 3), TOOL_OK);
    ck_assert_str_eq(c->heard, "a (embstr 1) [3 one] b (int 1) [2 17] c (listpack 2) ] "
                               "d (embstr 1) [5 four!] enda (embstr 1) [3 one] ");
    free(c);
    remove_file();
}
END_TEST

START_TEST(a_damaged_file_is_told_of_up_to_the_damage)
{
    struct command *c = calloc(1, sizeof *c);

    begin_file();
    put_plain("a", "one");
    put_plain("b", "two");
    put_byte(RDB_TYPE_STRING);
    write_file();
    ck_assert_int_eq(run_with(c, &keys_only, NULL, NULL), TOOL_INVALID);
    ck_assert_str_eq(c->heard, "a b ");
    c->len = 0;
    ck_assert_int_eq(run_with(c, &measured, NULL, NULL), TOOL_INVALID);
    ck_assert_str_eq(c->heard, "a (embstr 1) [3 one] b (embstr 1) [3 two] ");
    ck_assert_uint_eq(c->walk.run.error.offset, file.len);
    ck_assert_ptr_nonnull(strstr(c->walk.run.error.text, "ends in the middle of"));
    unlink(file.path);
    strcpy(file.path, "/nonexistent/file");
    ck_assert_int_eq(run_with(c, &keys_only, NULL, NULL), TOOL_INVALID);
    ck_assert_int_eq(run_with(c, &measured, NULL, NULL), TOOL_INVALID);
    free(c);
}
END_TEST

START_TEST(times_count_from_when_the_file_was_written)
{
    struct command *c = calloc(1, sizeof *c);

    few();
    run_with(c, &keys_only, NULL, NULL);
    ck_assert(c->walk.has_ctime);
    ck_assert_int_eq(c->walk.counted_from_ms, 1000000);
    ck_assert_int_eq(c->walk.version, 12);
    free(c);
    remove_file();
}
END_TEST

/* many: so many keys, every tenth of another type, whose names say their number. */
static void
many(unsigned keys)
{
    char name[16];

    begin_file();
    for (unsigned i = 0; i < keys; i++) {
        snprintf(name, sizeof name, "%u", i);
        put_key(i % 10 == 7 ? RDB_TYPE_SET_INTSET : RDB_TYPE_STRING, name);
        if (i % 10 == 7)
            put_string("\2\0\0\0\1\0\0\0\5\0", 10);
        else
            put_text(i % 1000 == 1 ? "a value" : "v");
    }
    end_file();
}

struct numbers {
    struct walk walk; /* first */
    unsigned count, next, step;
};

static int
on_number(void *ctx, const struct rdb_key *k)
{
    struct numbers *n = ctx;
    const struct key_facts *f = walk_facts(&n->walk);
    int64_t number;

    ck_assert(num_parse(k->name.ptr, k->name.len, &number)); /* nothing ends the name */
    ck_assert_uint_eq(number, n->next);
    n->next += n->step;
    n->count++;
    if (n->walk.events->facts_first) {
        ck_assert_ptr_eq(f->key->name.ptr, k->name.ptr);
        ck_assert_str_eq(f->encoding, number % 10 == 7 ? "intset" : "embstr");
        ck_assert_uint_eq(f->value_bytes, number % 1000 == 1 ? 7 : 1);
    }
    return 0;
}

static int
nothing(void *ctx, uint64_t len)
{
    (void)ctx;
    (void)len;
    return 0;
}

static unsigned
number_keys(bool facts_first, unsigned first, unsigned step, const char *option, const char *text)
{
    struct walk_events ev = {.rdb = {.key = on_number, .string_begin = nothing},
                             .facts_first = facts_first};
    struct numbers n = {.next = first, .step = step};
    struct tool_options o;
    struct selection *s;

    tool_options_init(&o);
    if (option != NULL)
        set_option(&o, option, text);
    s = selection_new(&o);
    ck_assert_int_eq(walk_file(&n.walk, file.path, &ev, s, &o), TOOL_OK);
    walk_fini(&n.walk);
    selection_free(s);
    tool_options_fini(&o);
    return n.count;
}

START_TEST(the_second_pass_finds_the_keys_of_the_first)
{
    many(200000); /* their facts are more than the ledger keeps in memory */
    ck_assert_uint_eq(number_keys(true, 0, 1, NULL, NULL), 200000);
    ck_assert_uint_eq(number_keys(true, 7, 10, "encoding", "intset"), 20000);
    ck_assert_uint_eq(number_keys(false, 7, 10, "encoding", "intset"), 20000);
    ck_assert_uint_eq(number_keys(false, 7, 10, "elements", "1"), 20000);
    ck_assert_uint_eq(number_keys(true, 7, 10, "type", "set"), 20000);
    ck_assert_uint_eq(number_keys(true, 0, 1, "limit", "1234"), 1234);
    remove_file();
}
END_TEST

START_TEST(a_long_string_is_measured_without_its_bytes)
{
    struct command *c = calloc(1, sizeof *c);

    begin_file();
    put_key(RDB_TYPE_STRING, "k");
    put_byte(RDB_ENC_LZF);
    put_byte(4);    /* bytes of the file, which are no LZF */
    put_byte(0x41); /* of the string: 300 */
    put_byte(0x2c);
    put("\xff\xff\xff\xff", 4);
    end_file();
    HEARS(&facts_only, NULL, NULL, "k:raw/1/300/300/15 end");
    ck_assert_int_eq(run_with(c, &in_pieces, NULL, NULL), TOOL_INVALID);
    free(c);
    remove_file();
}
END_TEST

/* ---- encodings ---- */

/* facts_of: the one key of a file, which put() has begun. */
static struct key_facts
facts_of_file(void)
{
    struct command *c = calloc(1, sizeof *c);
    struct key_facts f;

    end_file();
    ck_assert_int_eq(run_with(c, &facts_only, NULL, NULL), TOOL_OK);
    f = c->last;
    free(c);
    remove_file();
    return f;
}

static const char *
encoding_of_string(const char *text, size_t fill)
{
    begin_file();
    put_key(RDB_TYPE_STRING, "k");
    if (text != NULL)
        put_text(text);
    else
        put_fill(fill);
    return facts_of_file().encoding;
}

START_TEST(strings_are_int_embstr_or_raw)
{
    ck_assert_str_eq(encoding_of_string("0", 0), "int");
    ck_assert_str_eq(encoding_of_string("-9223372036854775808", 0), "int");
    ck_assert_str_eq(encoding_of_string("9223372036854775808", 0), "embstr");
    ck_assert_str_eq(encoding_of_string("-0", 0), "embstr");
    ck_assert_str_eq(encoding_of_string("007", 0), "embstr");
    ck_assert_str_eq(encoding_of_string("", 0), "embstr");
    ck_assert_str_eq(encoding_of_string(NULL, 44), "embstr");
    ck_assert_str_eq(encoding_of_string(NULL, 45), "raw");
    ck_assert_str_eq(encoding_of_string(NULL, 500000), "raw"); /* in pieces */
}
END_TEST

/* listpack_of: so many elements of so many bytes. */
static size_t
listpack_of(uint8_t *lp, unsigned elements, size_t bytes)
{
    static char text[20000];
    uint32_t len = lp_init(lp);

    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < elements; i++) {
        char digits[8];

        memcpy(text, digits, (size_t)snprintf(digits, sizeof digits, "%05u", i));
        len = lp_append(lp, text, bytes);
    }
    return len;
}

static struct key_facts
facts_of_listpack(unsigned type, unsigned elements, size_t bytes)
{
    static uint8_t lp[200000];

    begin_file();
    put_key(type, "k");
    if (type == RDB_TYPE_LIST_QUICKLIST_2) {
        put_byte(1);
        put_byte(RDB_QUICKLIST_PACKED);
    }
    put_string(lp, listpack_of(lp, elements, bytes));
    return facts_of_file();
}

START_TEST(small_forms_have_as_many_elements_as_a_server_allows)
{
    struct key_facts f = facts_of_listpack(RDB_TYPE_HASH_LISTPACK, 1024, 10);

    ck_assert_str_eq(f.encoding, "listpack");
    ck_assert_uint_eq(f.elements, 512);
    ck_assert_uint_eq(f.value_bytes, 10240);
    ck_assert_uint_eq(f.largest_bytes, 20);
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_HASH_LISTPACK, 1026, 10).encoding, "hashtable");
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_HASH_LISTPACK, 2, 100).encoding, "listpack");
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_SET_LISTPACK, 128, 10).encoding, "listpack");
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_SET_LISTPACK, 129, 10).encoding, "hashtable");
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_LIST_QUICKLIST_2, 100, 10).encoding, "listpack");
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_LIST_QUICKLIST_2, 1, 8178).encoding, "listpack");
    ck_assert_str_eq(facts_of_listpack(RDB_TYPE_LIST_QUICKLIST_2, 1, 8179).encoding, "quicklist");
}
END_TEST

static struct key_facts
facts_of_plain(unsigned type, unsigned elements, size_t bytes, bool of_digits)
{
    char name[128];

    begin_file();
    put_key(type, "k");
    put_len(elements);
    for (unsigned i = 0; i < elements; i++) {
        memset(name, 'x', sizeof name);
        snprintf(name, sizeof name, of_digits ? "%u" : "%05u", i);
        if (!of_digits)
            name[5] = 'x';
        put_string(name, of_digits ? strlen(name) : bytes);
        if (type == RDB_TYPE_HASH)
            put_text("value");
        if (type == RDB_TYPE_ZSET_2)
            put(&(double){i}, sizeof(double));
    }
    return facts_of_file();
}

START_TEST(plain_forms_are_measured_as_a_server_measures_them)
{
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_SET, 512, 0, true).encoding, "intset");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_SET, 513, 0, true).encoding, "hashtable");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_SET, 128, 64, false).encoding, "listpack");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_SET, 129, 64, false).encoding, "hashtable");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_SET, 1, 65, false).encoding, "hashtable");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_HASH, 512, 64, false).encoding, "listpack");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_HASH, 513, 64, false).encoding, "hashtable");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_HASH, 2, 65, false).encoding, "hashtable");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_ZSET_2, 128, 64, false).encoding, "listpack");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_ZSET_2, 129, 64, false).encoding, "skiplist");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_ZSET_2, 2, 65, false).encoding, "skiplist");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_LIST, 100, 20, false).encoding, "listpack");
    ck_assert_str_eq(facts_of_plain(RDB_TYPE_LIST, 100, 100, false).encoding, "quicklist");
}
END_TEST

/* put_ziplist: two elements of so many bytes. */
static void
put_ziplist(size_t bytes)
{
    size_t at, len = 10 + 2 * (1 + 5 + bytes) + (bytes + 6 < 254 ? 0 : 4) + 1;

    put_len(len);
    at = file.len;
    for (int i = 0; i < 4; i++)
        put_byte(len >> (8 * i) & 255);
    for (int i = 0; i < 4; i++)
        put_byte((10 + 1 + 5 + bytes) >> (8 * i) & 255);
    put_byte(2);
    put_byte(0);
    for (int i = 0; i < 2; i++) {
        if (i == 1 && bytes + 6 >= 254) {
            put_byte(254);
            for (int b = 0; b < 4; b++)
                put_byte((bytes + 6) >> (8 * b) & 255);
        } else {
            put_byte(i == 0 ? 0 : (unsigned)bytes + 6);
        }
        put_byte(0x80);
        for (int shift = 24; shift >= 0; shift -= 8)
            put_byte(bytes >> shift & 255);
        ck_assert_uint_le(file.len + bytes, sizeof file.bytes);
        memset(file.bytes + file.len, 'x', bytes);
        file.len += bytes;
    }
    put_byte(0xff);
    ck_assert_uint_eq(file.len - at, len);
}

static const char *
encoding_of_ziplists(unsigned count, size_t bytes)
{
    begin_file();
    put_key(count == 0 ? RDB_TYPE_LIST_ZIPLIST : RDB_TYPE_LIST_QUICKLIST, "k");
    if (count > 0)
        put_len(count);
    put_ziplist(bytes);
    for (unsigned i = 1; i < count; i++)
        put_ziplist(bytes);
    return facts_of_file().encoding;
}

START_TEST(ziplists_become_listpacks)
{
    ck_assert_str_eq(encoding_of_ziplists(0, 100), "listpack");
    ck_assert_str_eq(encoding_of_ziplists(1, 100), "listpack");
    ck_assert_str_eq(encoding_of_ziplists(2, 100), "quicklist");
    /* 7 + 2 * (2 + bytes + 2) is 8191 and 8193: two bytes before each and two behind */
    ck_assert_str_eq(encoding_of_ziplists(0, 4088), "listpack");
    ck_assert_str_eq(encoding_of_ziplists(1, 4088), "listpack");
    ck_assert_str_eq(encoding_of_ziplists(1, 4089), "quicklist");
}
END_TEST

START_TEST(a_record_is_its_bytes_in_the_file)
{
    size_t begin;

    begin_file();
    begin = file.len;
    put_byte(RDB_OP_FREQ);
    put_byte(9);
    put_byte(RDB_OP_EXPIRETIME);
    put("\1\2\3\4", 4);
    put_key(RDB_TYPE_LIST_QUICKLIST_2, "k");
    put_byte(2);
    put_byte(RDB_QUICKLIST_PLAIN);
    put_fill(200);
    put_byte(RDB_QUICKLIST_PLAIN);
    put_fill(70000);
    begin = file.len - begin;
    {
        struct key_facts f = facts_of_file();

        ck_assert_uint_eq(f.record_bytes, begin);
        ck_assert_str_eq(f.encoding, "quicklist");
        ck_assert_uint_eq(f.elements, 2);
        ck_assert_uint_eq(f.value_bytes, 70200);
        ck_assert_uint_eq(f.largest_bytes, 70000);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("walk");
    TCase *tc = tcase_create("walk");

    tcase_add_test(tc, names_alone_cost_no_values);
    tcase_add_test(tc, facts_are_told_behind_the_value);
    tcase_add_test(tc, values_come_as_the_command_wants_them);
    tcase_add_test(tc, what_facts_select_takes_two_passes_of_values);
    tcase_add_test(tc, a_command_may_skip_a_value_or_end);
    tcase_add_test(tc, the_limit_is_for_all_files);
    tcase_add_test(tc, a_damaged_file_is_told_of_up_to_the_damage);
    tcase_add_test(tc, times_count_from_when_the_file_was_written);
    tcase_add_test(tc, the_second_pass_finds_the_keys_of_the_first);
    tcase_add_test(tc, a_long_string_is_measured_without_its_bytes);
    tcase_add_test(tc, strings_are_int_embstr_or_raw);
    tcase_add_test(tc, small_forms_have_as_many_elements_as_a_server_allows);
    tcase_add_test(tc, plain_forms_are_measured_as_a_server_measures_them);
    tcase_add_test(tc, ziplists_become_listpacks);
    tcase_add_test(tc, a_record_is_its_bytes_in_the_file);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
