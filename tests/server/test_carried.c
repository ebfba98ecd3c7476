/* tests/server/test_carried.c - what is carried from a dump to the next: a list that a save holds
 * stays what it was. */
#include "server/data/db/carried.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "snapshot/rdb/rdb_enc.h"
#include "tests/support/runner.h"

static char said[1024];

static int
on_aux(void *ctx, struct slice name, struct slice value)
{
    (void)ctx;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%.*s=%.*s ", (int)name.len, name.ptr,
             (int)value.len, value.ptr);
    return 0;
}

static int
on_function(void *ctx, struct slice code)
{
    (void)ctx;
    snprintf(said + strlen(said), sizeof said - strlen(said), "[%.*s] ", (int)code.len, code.ptr);
    return 0;
}

/* saved: what a dump with this list says. */
static const char *
saved(const struct carried *list)
{
    static const struct rdb_events events = {.aux = on_aux, .function = on_function};
    struct rdb_source *src;
    struct rdb_error err;
    struct rdb_enc enc;
    struct sink *out;
    uint8_t *bytes;
    size_t len;

    said[0] = '\0';
    ck_assert_int_eq(sink_memory_open(&out), 0);
    ck_assert_int_eq(rdb_enc_init(&enc, out, RDB_VERSION_DEFAULT, true), 0);
    rdb_put_magic(&enc);
    carried_save(list, &enc);
    rdb_put_eof(&enc);
    rdb_enc_fini(&enc);
    bytes = sink_memory_take(out, &len);
    sink_close(out);
    ck_assert_int_eq(rdb_source_memory(bytes, len, &src), 0);
    ck_assert_msg(rdb_decode(src, &events, NULL, false, &err) == 0, "%s", err.text);
    rdb_source_close(src);
    free(bytes);
    return said;
}

static int
library(const char *code, bool replace)
{
    return carried_library((struct slice){code, strlen(code)}, replace);
}

static int
aux(const char *name, const char *value)
{
    return carried_aux((struct slice){name, strlen(name)}, (struct slice){value, strlen(value)});
}

START_TEST(a_held_list_stays_what_it_was)
{
    struct carried *before, *after;

    ck_assert_ptr_null(carried_hold());
    ck_assert_int_eq(library("#!lua name=a\n1", false), 0);
    ck_assert_int_eq(aux("x", "1"), 0);
    before = carried_hold();
    ck_assert_int_eq(library("#!lua name=b\n1", false), 0);
    ck_assert_int_eq(library("#!lua name=a\n2", true), 0);
    ck_assert_int_eq(aux("x", "2"), 0);
    ck_assert_str_eq(saved(before), "x=1 [#!lua name=a\n1] ");
    after = carried_hold();
    ck_assert_str_eq(saved(after), "x=1 x=2 [#!lua name=a\n2] [#!lua name=b\n1] ");
    carried_forget_aux();
    ck_assert_str_eq(saved(after), "x=1 x=2 [#!lua name=a\n2] [#!lua name=b\n1] ");
    ck_assert_uint_eq(carried_sum().libraries, 2);
    ck_assert_uint_eq(carried_sum().library_bytes, 28);
    ck_assert_uint_eq(carried_sum().aux_fields, 0);
    carried_clear();
    ck_assert_str_eq(saved(before), "x=1 [#!lua name=a\n1] ");
    carried_drop(before);
    ck_assert_str_eq(saved(after), "x=1 x=2 [#!lua name=a\n2] [#!lua name=b\n1] ");
    carried_drop(after);
    ck_assert_ptr_null(carried_hold());
    ck_assert_str_eq(saved(NULL), "");
}
END_TEST

START_TEST(libraries_are_known_by_their_names_or_their_texts)
{
    static const char *const names[][2] = {{"#!lua name=lib", "lib"},
                                           {"#!lua name=lib\nname=other", "lib"},
                                           {"#!lua engine=lua name=l-1_x extra\n", "l-1_x"},
                                           {"#!js api_version=1.0 name=lib\r\n", "lib"},
                                           {"#!lua NAME=lib\n", "lib"},
                                           {"#!lua\tname=\"lib\"\n", "lib"},
                                           {"#!lua flags=x 'name=lib'\n", "lib"},
                                           {"#!lua rename=x name=lib\n", "lib"},
                                           {"#!lua \"", ""},
                                           {"#!lua name='", ""},
                                           {"#!lua ", ""},
                                           {"#!lua", ""},
                                           {"-- name=lib\n", ""},
                                           {"#!lua\n name=lib", ""},
                                           {"#!lua name=", ""},
                                           {"#", ""},
                                           {"", ""}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice name = rdb_library_name((struct slice){names[i][0], strlen(names[i][0])});

        ck_assert_uint_eq(name.len, strlen(names[i][1]));
        ck_assert_int_eq(memcmp(name.ptr, names[i][1], name.len), 0);
    }
    ck_assert_int_eq(library("#!lua name=a\n1", false), 0);
    ck_assert_int_eq(library("#!lua name=a\n2", false), -EEXIST);
    ck_assert_int_eq(library("nothing", false), 0);
    ck_assert_int_eq(library("nothing", false), 0);
    ck_assert_int_eq(library("else", false), 0);
    ck_assert_uint_eq(carried_sum().libraries, 3);
    carried_clear();
}
END_TEST

static int
put(struct carried *draft, const char *name, const char *code)
{
    return carried_put(draft, (struct slice){name, strlen(name)},
                       (struct slice){code, strlen(code)});
}

START_TEST(a_draft_becomes_the_list_or_nothing)
{
    struct carried *draft, *before;

    ck_assert_int_eq(library("#!lua name=a\n1", false), 0);
    ck_assert_int_eq(library("#!lua name=b\n1", false), 0);
    ck_assert_int_eq(aux("x", "1"), 0);
    draft = carried_draft(true, 2);
    ck_assert_int_eq(put(draft, "a", "A"), 0);
    ck_assert_int_eq(put(draft, "c", "C"), 0);
    ck_assert(carried_remove(draft, SLICE("b")));
    ck_assert(!carried_remove(draft, SLICE("b")));
    before = carried_hold();
    ck_assert_str_eq(saved(before), "x=1 [#!lua name=a\n1] [#!lua name=b\n1] ");
    ck_assert(carried_has_library(SLICE("b")) && !carried_has_library(SLICE("c")));
    carried_adopt(draft);
    ck_assert(!carried_has_library(SLICE("b")) && carried_has_library(SLICE("c")));
    ck_assert_str_eq(saved(before), "x=1 [#!lua name=a\n1] [#!lua name=b\n1] ");
    carried_drop(before);
    before = carried_hold();
    ck_assert_str_eq(saved(before), "x=1 [A] [C] ");
    carried_drop(carried_draft(true, 0)); /* given up */
    draft = carried_draft(false, 1);
    ck_assert_int_eq(put(draft, "d", "D"), 0);
    carried_adopt(draft);
    ck_assert_str_eq(saved(before), "x=1 [A] [C] ");
    carried_drop(before);
    ck_assert_uint_eq(carried_sum().libraries, 1);
    ck_assert_uint_eq(carried_sum().aux_fields, 1);
    carried_clear();
}
END_TEST

START_TEST(there_is_an_end_to_it)
{
    struct carried *draft;
    char name[64];

    for (int i = 0; i < RDB_CARRIED_MOST; i++) {
        snprintf(name, sizeof name, "#!lua name=%d\n", i);
        ck_assert_int_eq(i % 2 == 0 ? aux(name, "") : library(name, false), 0);
    }
    ck_assert_int_eq(aux("x", ""), -E2BIG);
    ck_assert_int_eq(library("x", false), -E2BIG);
    draft = carried_draft(true, 1);
    ck_assert_int_eq(put(draft, "x", "X"), -E2BIG);
    carried_drop(draft);
    ck_assert_uint_eq(carried_sum().libraries + carried_sum().aux_fields, RDB_CARRIED_MOST);
    carried_clear();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/carried");
    TCase *t = tcase_create("carried");

    tcase_add_test(t, a_held_list_stays_what_it_was);
    tcase_add_test(t, libraries_are_known_by_their_names_or_their_texts);
    tcase_add_test(t, a_draft_becomes_the_list_or_nothing);
    tcase_add_test(t, there_is_an_end_to_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
