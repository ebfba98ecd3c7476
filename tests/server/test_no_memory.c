/* tests/server/test_no_memory.c - users and scripts without memory: each allocation in turn
 * fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "server/scripts/engine.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

#ifdef STILLFRAME_FAULTS

static void
setup(void)
{
    talk_open();
}

static void
teardown(void)
{
    (void)talk("script flush");
    talk_close();
}

/* ---- users ---- */

static const char many_rules[] =
    "acl setuser u on >two #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ~more "
    "%%R~r* &c* +config|get +select|0 +select|1 (~k +set)";
static const char *const changes[] = {
    many_rules, "acl setuser u reset", "acl setuser new on nopass +@all ~* &*",
    "acl setuser u clearselectors -@all +get resetkeys ~a", "acl setuser default +@all >x"};

static void
make_users(void)
{
    (void)talk("acl deluser u new");
    (void)talk("acl setuser default reset on nopass +@all ~* &*");
    ck_assert_str_eq(talk("acl setuser u on >one ~a* +@read +select|3 (+get %%W~w)"), "+OK\r\n");
}

static char *
users(void)
{
    char *copy = strdup(talk("acl list"));

    must(copy != NULL);
    return copy;
}

START_TEST(a_user_is_changed_whole_or_not_at_all)
{
    unsigned refused = 0;
    char *good;

    make_users();
    ck_assert_str_eq(talk(changes[_i / 2], NULL), "+OK\r\n");
    good = users();
    for (unsigned n = 1;; n++) {
        char *before, *after;
        bool is_refused;

        make_users();
        before = users();
        fault_arm(FAULT_acl_alloc, n, _i % 2 == 1);
        is_refused = talk(changes[_i / 2], NULL)[0] == '-';
        if (fault_disarm() == 0) {
            ck_assert(!is_refused);
            free(before);
            break;
        }
        after = users();
        ck_assert_str_eq(is_refused ? before : good, after);
        refused += is_refused;
        free(before);
        free(after);
    }
    ck_assert_uint_gt(refused, 2);
    free(good);
}
END_TEST

START_TEST(what_is_refused_is_counted_though_it_is_not_told)
{
    fault_arm(FAULT_acl_alloc, 1, true);
    ck_assert_int_eq(talk("auth nobody x")[0], '-');
    ck_assert_uint_gt(fault_disarm(), 0);
    ck_assert_str_eq(talk("acl log"), "*0\r\n");
    ck_assert_ptr_nonnull(strstr(talk("info stats"), "acl_access_denied_auth:1\r\n"));
}
END_TEST

/* ---- scripts ---- */

static const char program[] =
    "local t={} for i=1,20 do t[i]={i..'',{KEYS[1]}} end "
    "return {cjson.encode(t),redis.call('lrange','l',0,-1),#cmsgpack.pack(t),#struct.pack('s',"
    "('x'):rep(2000)),('abc'):gsub('b','%0%0')}";

static const char *
eval(void)
{
    struct slice argv[] = {SLICE("eval"), SLICE(program), SLICE("1"), SLICE("key")};

    return talk_words(4, argv);
}

/* From a state that is not there yet, and from one that is. */
/* fail_allocations: of what call() does in Lua each allocation fails in turn, or all from there on:
 * it says so, or answers as ever; then it works again.  before: executed before each; stays: a
 * command whose answer is the same behind a failure as before them all; NULL: none.  Returns how
 * many calls were refused. */
static unsigned
fail_allocations(const char *(*call)(void), bool from_there, const char *before, const char *stays)
{
    unsigned refused = 0;
    char *good, *kept = NULL;

    must((good = strdup(call())) != NULL);
    ck_assert_int_eq(good[0], '*');
    if (stays != NULL)
        must((kept = strdup(talk("%s", stays))) != NULL);
    for (unsigned n = 1;; n++) {
        const char *reply;

        if (before != NULL)
            (void)talk("%s", before);
        fault_arm(FAULT_script_alloc, n, from_there);
        reply = call();
        if (reply[0] == '-') {
            ck_assert_msg(strstr(reply, "memory") != NULL, "%s", reply);
            refused++;
        } else {
            ck_assert_str_eq(reply, good);
        }
        if (fault_disarm() == 0)
            break;
        if (stays != NULL)
            ck_assert_str_eq(talk("%s", stays), kept);
        ck_assert_str_eq(call(), good);
    }
    free(kept);
    free(good);
    return refused;
}

START_TEST(a_script_that_gets_no_memory_says_so_and_the_next_one_runs)
{
    bool from_there = _i % 2 == 1, is_fresh = _i / 2 == 1;

    ck_assert_str_eq(talk("rpush l 1 2 3"), ":3\r\n");
    ck_assert_uint_gt(fail_allocations(eval, from_there, is_fresh ? "script flush" : NULL, NULL),
                      50);
    (void)talk("script flush");
    ck_assert_uint_eq(engine_bytes(ENGINE_SCRIPTS), 0);
    (void)talk("flushall");
    talk_finish_work();
}
END_TEST

/* ---- functions ---- */

static const char library[] =
    "#!lua name=lib\nlocal t={} for i=1,50 do t[i]={i} end "
    "redis.register_function('f', function(keys, args) return {#t, keys[1], cjson.encode(t)} end) "
    "redis.register_function{function_name='g', callback=function() return 1 end, "
    "flags={'no-writes'}, description='d'}";

static const char *
load_and_call(void)
{
    struct slice load[] = {SLICE("function"), SLICE("load"), SLICE("replace"), SLICE(library)};
    struct slice call[] = {SLICE("fcall"), SLICE("f"), SLICE("1"), SLICE("key")};
    const char *reply = talk_words(4, load);

    return reply[0] == '-' ? reply : talk_words(4, call);
}

/* Of a library that is replaced, and of one that is new. */
START_TEST(a_library_that_gets_no_memory_says_so_and_the_old_one_stays)
{
    bool from_there = _i % 2 == 1, is_new = _i / 2 == 1;

    ck_assert_uint_gt(fail_allocations(load_and_call, from_there, is_new ? "function flush" : NULL,
                                       is_new ? NULL : "function list"),
                      50);
    ck_assert_str_eq(talk("function flush"), "+OK\r\n");
    ck_assert_uint_eq(engine_bytes(ENGINE_FUNCTIONS), 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/no_memory");
    TCase *t = tcase_create("no_memory");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, a_user_is_changed_whole_or_not_at_all, 0,
                        2 * (int)(sizeof changes / sizeof changes[0]));
    tcase_add_test(t, what_is_refused_is_counted_though_it_is_not_told);
    tcase_add_loop_test(t, a_script_that_gets_no_memory_says_so_and_the_next_one_runs, 0, 4);
    tcase_add_loop_test(t, a_library_that_gets_no_memory_says_so_and_the_old_one_stays, 0, 4);
    suite_add_tcase(s, t);
    return run_suite(s);
}

#else

int
main(void)
{
    return run_suite(suite_create("server/no_memory"));
}

#endif
