/* tests/server/test_stream_forms.c - streams in RDB: each form is read back, and whatever is
 * damaged is either refused or as sound as any other. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/data/db/load.h"
#include "server/data/db/save_value.h"
#include "server/data/db/type.h"
#include "server/data/stream/stream.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

struct file {
    uint8_t *bytes; /* [owned] */
    size_t len;
};

/* file_of: a dump with the key s alone. */
static struct file
file_of(int version)
{
    static struct save_work work;
    const struct record *r = talk_record("s");
    struct save_item item = {.rec = r, .live = (const char *)r, .bytes = mm_usable(r)};
    struct rdb_enc enc;
    struct view view;
    struct sink *out;
    struct file f;

    must(sink_memory_open(&out) == 0);
    must(rdb_enc_init(&enc, out, version, false) == 0);
    view_init_live(&view);
    work.view = &view;
    work.enc = &enc;
    rdb_put_magic(&enc);
    rdb_put_byte(&enc, save_rdb_type(r, version));
    rdb_put_string(&enc, "s", 1);
    must(save_value(&work, &item) == 0);
    rdb_put_eof(&enc);
    must(sink_flush(out) == 0);
    f.bytes = sink_memory_take(out, &f.len);
    rdb_enc_fini(&enc);
    sink_close(out);
    return f;
}

/* load: 0 or what the decoder said. */
static int
load(const struct file *f)
{
    struct rdb_source *src;
    struct load_state state;
    struct rdb_error err;
    int r;

    talk("flushall");
    load_init(&state);
    must(rdb_source_memory(f->bytes, f->len, &src) == 0);
    r = rdb_decode(src, load_events(), &state, false, &err);
    load_fini(&state);
    rdb_source_close(src);
    talk_finish_work();
    return r;
}

static void
make_stream(void)
{
    stream_limits.node_entries = 4;
    for (int i = 1; i <= 11; i++)
        talk(i % 3 == 0 ? "xadd s %d-1 f %d g %d" : "xadd s %d-1 f %d", i, i * 100, i);
    talk("xadd s 20-1 other @300*x");
    talk("xgroup create s g 0");
    talk("xgroup create s h 3-1");
    talk("xreadgroup group g ann count 3 streams s >");
    talk("xreadgroup group g bob count 4 streams s >");
    talk("xreadgroup group h ann noack streams s >");
    talk("xdel s 1-1 6-1");
}

START_TEST(each_form_is_read_back)
{
    char before[64], *facts;
    struct file f;

    make_stream();
    snprintf(before, sizeof before, "%s", talk_digest());
    facts = strdup(talk("xinfo stream s full"));
    f = file_of(_i);
    ck_assert_int_eq(load(&f), 0);
    type_of(TYPE_STREAM)->verify(record_root(talk_record("s")));
    ck_assert_str_eq(talk_digest(), before);
    if (_i >= 11)
        ck_assert_str_eq(talk("xinfo stream s full"), facts);
    if (_i == 9) /* what the form does not have is estimated */
        ck_assert_str_eq(talk("xsetid s 20-1 entriesadded 12 maxdeletedid 6-1"), "+OK\r\n");
    if (_i >= 10)
        ck_assert_ptr_nonnull(
            strstr(talk("xinfo stream s"), "$20\r\nmax-deleted-entry-id\r\n$3\r\n6-1\r\n"));
    free(facts);
    free(f.bytes);
}
END_TEST

START_TEST(a_damaged_stream_is_refused_or_sound)
{
    unsigned refused = 0, read = 0;
    struct file f;

    make_stream();
    f = file_of(_i);
    for (size_t at = 9; at < f.len - 9; at++)
        for (unsigned change = 1; change < 256; change = change * 3 + 1) {
            uint8_t was = f.bytes[at];

            f.bytes[at] ^= (uint8_t)change;
            if (load(&f) != 0)
                refused++;
            else if (talk_record("s") != NULL && record_type(talk_record("s")) == TYPE_STREAM)
                type_of(TYPE_STREAM)->verify(record_root(talk_record("s"))), read++;
            f.bytes[at] = was;
        }
    ck_assert_uint_gt(refused, f.len);
    ck_assert_uint_gt(read, 100); /* values of fields, times, numbers of deliveries */
    free(f.bytes);
}
END_TEST

START_TEST(a_stream_that_is_cut_off_is_refused)
{
    struct file f, part;

    make_stream();
    f = file_of(11);
    for (size_t len = 0; len < f.len - 9; len++) {
        part = (struct file){.bytes = malloc(len + 1), .len = len};
        memcpy(part.bytes, f.bytes, len);
        ck_assert_int_ne(load(&part), 0);
        free(part.bytes);
    }
    free(f.bytes);
}
END_TEST

/* change: where the file has these bytes, one becomes another. */
static void
check_refused(struct file *f, const char *what, const void *bytes, size_t len, size_t at,
              uint8_t value)
{
    uint8_t *p = memmem(f->bytes, f->len, bytes, len), was;

    ck_assert_msg(p != NULL, "%s: not found", what);
    was = p[at];
    p[at] = value;
    ck_assert_msg(load(f) != 0, "%s", what);
    p[at] = was;
    ck_assert_int_eq(load(f), 0);
}

#define REFUSED(f, what, bytes, at, value)                                                         \
    check_refused(f, what, bytes, sizeof(bytes) - 1, at, value)

START_TEST(what_is_not_consistent_is_refused)
{
    struct file f;

    talk("xadd s 5-1 f v");
    talk("xadd s 6-1 f w");
    talk("xgroup create s gg 0");
    talk("xgroup createconsumer s gg c1");
    talk("xgroup createconsumer s gg c2");
    talk("xreadgroup group gg c1 count 1 streams s >");
    talk("xreadgroup group gg c2 count 1 streams s >");
    f = file_of(10);
    ck_assert_int_eq(load(&f), 0);
    REFUSED(&f, "flags", "\x02\x01\x00\x01\x00\x01\x81v", 0, 4);
    REFUSED(&f, "ids out of order", "\x02\x01\x01\x01\x00\x01\x81w", 2, 0);
    REFUSED(&f, "length of an entry", "\x81w\x02\x04\x01", 3, 5);
    REFUSED(&f, "two consumers of a name",
            "\x02"
            "c2",
            2, '1');
    free(f.bytes);
}
END_TEST

/* What the entries say themselves is no reason to lose them. */
START_TEST(a_wrong_count_in_a_node_is_counted_anew)
{
    uint8_t *counters;
    char before[64];
    struct file f;

    talk("xadd s 5-1 f v");
    talk("xadd s 6-1 f w");
    snprintf(before, sizeof before, "%s", talk_digest());
    f = file_of(10);
    counters = memmem(f.bytes, f.len, "\x02\x01\x00\x01\x01\x01\x81", 7);
    ck_assert_ptr_nonnull(counters);
    counters[0] = (uint8_t)_i; /* entries that live */
    counters[2] = 3;           /* ... and that do not */
    ck_assert_int_eq(load(&f), 0);
    type_of(TYPE_STREAM)->verify(record_root(talk_record("s")));
    ck_assert_str_eq(talk_digest(), before);
    ck_assert_str_eq(talk("xlen s"), ":2\r\n");
    free(f.bytes);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/stream_forms");
    TCase *t = tcase_create("stream_forms");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, each_form_is_read_back, 9, 13);
    tcase_add_loop_test(t, a_damaged_stream_is_refused_or_sound, 9, 12);
    tcase_add_test(t, a_stream_that_is_cut_off_is_refused);
    tcase_add_test(t, what_is_not_consistent_is_refused);
    tcase_add_loop_test(t, a_wrong_count_in_a_node_is_counted_anew, 0, 4);
    suite_add_tcase(s, t);
    return run_suite(s);
}
