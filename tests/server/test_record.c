/* tests/server/test_record.c - records: layout, rewriting in place, what a cut forbids. */
#include <check.h>
#include <stdlib.h>

#include "mm/cut.h"
#include "mm/page.h"
#include "server/data/db/record.h"
#include "tests/support/runner.h"

static char *long_text;
enum { LONG_BYTES = 200000 };
static const size_t key_lengths[] = {0,   1,   16,  125,  126,   127,   128,
                                     254, 255, 256, 1000, 70000, 200000};
enum { KEY_LENGTHS = sizeof key_lengths / sizeof *key_lengths };

static void
setup(void)
{
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}), 0);
    ck_assert_ptr_nonnull(long_text = malloc(LONG_BYTES));
    for (size_t i = 0; i < LONG_BYTES; i++)
        long_text[i] = (char)('a' + i % 26);
}

static void
teardown(void)
{
    free(long_text);
    mm_fini();
}

static struct record_spec
string_spec(size_t key_len, size_t blob_len)
{
    return (struct record_spec){
        .key = {long_text, key_len},
        .expire_at_ms = RECORD_NO_EXPIRE,
        .db = 7,
        .clock = 0x1123456,
        .value = {.type = TYPE_STRING, .enc = ENC_INLINE, .blob = {long_text + 3, blob_len}}};
}

static void
assert_same_spec(const struct record *r, const struct record_spec *want)
{
    struct record_spec got;

    record_spec_of(r, &got);
    ck_assert(slice_equal(got.key, want->key));
    ck_assert_int_eq(got.expire_at_ms, want->expire_at_ms);
    ck_assert_uint_eq(got.db, want->db);
    ck_assert_uint_eq(got.clock, want->clock);
    ck_assert_int_eq(got.value.type, want->value.type);
    ck_assert_int_eq(got.value.enc, want->value.enc);
    ck_assert_int_eq(got.value.raw, want->value.raw);
    ck_assert_int_eq(got.value.integer, want->value.integer);
    ck_assert_ptr_eq(got.value.root, want->value.root);
    if (want->value.enc == ENC_INLINE)
        ck_assert(slice_equal(got.value.blob, want->value.blob));
    if (want->value.enc == ENC_OUTER)
        ck_assert(got.value.blob.ptr == want->value.blob.ptr &&
                  got.value.blob.len == want->value.blob.len);
}

/* values: one of each encoding. */
static struct value
sample_value(int i)
{
    static const struct value values[] = {
        {.type = TYPE_STRING, .enc = ENC_INT, .integer = INT64_MIN},
        {.type = TYPE_STRING, .enc = ENC_INT, .integer = -1},
        {.type = TYPE_HASH, .enc = ENC_ROOT, .root = (const void *)0x7f1234567890},
        {.type = TYPE_STRING,
         .enc = ENC_OUTER,
         .raw = true,
         .blob = {(const char *)0x7f0000000040, (size_t)5 << 32}},
        {.type = TYPE_HASH, .enc = ENC_OUTER, .blob = {(const char *)0x7f0000000080, 70}},
    };

    if (i < 5)
        return values[i];
    return (struct value){.type = TYPE_STRING,
                          .enc = ENC_INLINE,
                          .raw = i == 6,
                          .blob = {long_text, i == 5 ? 0 : 1000}};
}

START_TEST(a_record_gives_back_what_it_was_made_of)
{
    for (int k = 0; k < KEY_LENGTHS; k++)
        for (int expires = 0; expires < 2; expires++) {
            struct record_spec spec = string_spec(key_lengths[k], 0);
            const struct record *r;

            spec.value = sample_value(_i);
            spec.expire_at_ms = expires ? 1700000000123 : RECORD_NO_EXPIRE;
            ck_assert_ptr_nonnull(r = record_new(&spec));
            assert_same_spec(r, &spec);
            ck_assert_uint_ge(mm_usable(r), record_bytes(&spec));
            record_free(r);
        }
}
END_TEST

START_TEST(a_rewrite_keeps_the_address_and_changes_the_value)
{
    struct record_spec spec = string_spec(20, 30), other = string_spec(20, 32);
    const struct record *r = record_new(&spec);

    other.clock = 99;
    other.value.raw = true;
    other.value.blob.ptr = long_text + 11;
    ck_assert(record_rewrite(r, &other));
    assert_same_spec(r, &other);
    ck_assert(record_rewrite(r, &spec));
    assert_same_spec(r, &spec);
}
END_TEST

START_TEST(a_rewrite_refuses_what_needs_another_block)
{
    struct record_spec spec = string_spec(20, 30), larger = string_spec(20, 300),
                       smaller = string_spec(20, 1);
    struct record_spec expiring = spec, number = spec;
    const struct record *r = record_new(&spec);

    expiring.expire_at_ms = 5;
    number.value = (struct value){.type = TYPE_STRING, .enc = ENC_INT, .integer = 5};
    ck_assert(!record_rewrite(r, &larger));
    ck_assert(!record_rewrite(r, &smaller));
    ck_assert(!record_rewrite(r, &expiring));
    ck_assert(!record_rewrite(r, &number));
    assert_same_spec(r, &spec);
}
END_TEST

/* R3 */
START_TEST(a_small_record_that_a_cut_sees_is_not_rewritten_but_a_large_one_is)
{
    struct record_spec small = string_spec(20, 30), large = string_spec(20, 900), other;
    const struct record *s = record_new(&small), *l = record_new(&large), *newborn;
    struct mm_figures f;
    epoch_t epoch;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    other = small;
    other.value.blob.ptr = long_text + 1;
    ck_assert(!record_rewrite(s, &other));
    assert_same_spec(s, &small);
    newborn = record_new(&small);
    ck_assert(record_rewrite(newborn, &other));
    assert_same_spec(newborn, &other);
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_pages, 0);
    other = large;
    other.value.blob.ptr = long_text + 1;
    ck_assert(record_rewrite(l, &other));
    assert_same_spec(l, &other);
    mm_figures(&f);
    ck_assert_uint_ge(f.preserved_pages, 1);
    mm_cut_end();
}
END_TEST

START_TEST(a_rewrite_preserves_only_the_pages_that_change)
{
    struct record_spec spec = string_spec(60000, 0), other;
    const struct record *r;
    struct mm_figures f;
    char blob[64];
    epoch_t epoch;

    memset(blob, 'b', sizeof blob);
    spec.value.blob = (struct slice){blob, sizeof blob};
    r = record_new(&spec);
    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    other = spec;
    ck_assert(record_rewrite(r, &other)); /* nothing differs */
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_pages, 0);
    blob[sizeof blob - 1] = 'c';
    ck_assert(record_rewrite(r, &other));
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_pages, 1);
    assert_same_spec(r, &other);
    mm_cut_end();
}
END_TEST

START_TEST(the_access_clock_changes_without_a_copy)
{
    struct record_spec spec = string_spec(127, 10);
    const struct record *r = record_new(&spec);
    struct mm_figures f;
    epoch_t epoch;

    ck_assert_int_eq(mm_cut_begin(&epoch), 0);
    record_touch(r, 0xfe000042);
    mm_figures(&f);
    ck_assert_uint_eq(f.preserved_pages, 0);
    mm_cut_end();
    spec.clock = 0x42;
    assert_same_spec(r, &spec);
}
END_TEST

/* docs/keyspace.md */
START_TEST(a_short_key_with_a_short_value_takes_what_the_documents_say)
{
    struct record_spec spec = string_spec(16, 100);
    const struct record *r = record_new(&spec);

    ck_assert_uint_eq(record_bytes(&spec), 126);
    ck_assert_uint_eq(mm_usable(r), 128);
}
END_TEST

START_TEST(a_blob_is_inline_while_the_record_is_small)
{
    ck_assert(record_can_inline(0, 900));
    ck_assert(record_can_inline(100, 900));
    ck_assert(!record_can_inline(100, 1000));
    ck_assert(record_can_inline(100000, RECORD_INLINE_ALWAYS));
    ck_assert(!record_can_inline(100000, RECORD_INLINE_ALWAYS + 1));
}
END_TEST

START_TEST(without_memory_there_is_no_record)
{
    struct record_spec spec = string_spec(20, 30);
    const struct record *r;

    mm_fini();
    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)64 << 20}), 0);
    while ((r = record_new(&(struct record_spec){.key = {long_text, 150000},
                                                 .expire_at_ms = RECORD_NO_EXPIRE,
                                                 .value = spec.value})) != NULL)
        ;
    mm_check();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/record");
    TCase *t = tcase_create("record");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_record_gives_back_what_it_was_made_of, 0, 7);
    tcase_add_test(t, a_rewrite_keeps_the_address_and_changes_the_value);
    tcase_add_test(t, a_rewrite_refuses_what_needs_another_block);
    tcase_add_test(t, a_small_record_that_a_cut_sees_is_not_rewritten_but_a_large_one_is);
    tcase_add_test(t, a_rewrite_preserves_only_the_pages_that_change);
    tcase_add_test(t, the_access_clock_changes_without_a_copy);
    tcase_add_test(t, a_short_key_with_a_short_value_takes_what_the_documents_say);
    tcase_add_test(t, a_blob_is_inline_while_the_record_is_small);
    tcase_add_test(t, without_memory_there_is_no_record);
    suite_add_tcase(s, t);
    return run_suite(s);
}
