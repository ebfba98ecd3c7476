/* server/scripts/api.c - the table `redis`, which is `server`, too: how a script calls commands,
 * and what else it may ask. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/version.h"
#include "server/exec/cmd.h"
#include "server/net/client.h"
#include "server/scripts/scripts_impl.h"

enum {
    WORDS_ON_STACK = 16,
    NUMBER_BYTES = 32 /* "%.17g", and more than any of them takes */
};

/* ---- errors ---- */

void
api_error(lua_State *L, const char *text, bool was_counted)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "err");
    if (!was_counted)
        return;
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "ignore_error_stats_update");
}

static int
fail(lua_State *L, const char *text)
{
    api_error(L, text, false);
    return lua_error(L);
}

/* ---- redis.call, redis.pcall ---- */

/* A word of a command; a number gets a text of its own. */
struct number {
    char text[NUMBER_BYTES];
};

static struct slice
number_word(lua_Number n, char *room)
{
    int64_t whole;

    if (n > -1e15 && n < 1e15 && (lua_Number)(whole = (int64_t)n) == n &&
        (whole != 0 || !signbit(n)))
        return (struct slice){room, num_print(room, whole)};
    return (struct slice){room, (size_t)snprintf(room, NUMBER_BYTES, "%.17g", n)};
}

/* read_words: the arguments as words, which point into Lua's own strings.  false: one is neither a
 * string nor a number. */
static bool
read_words(lua_State *L, int count, struct slice *words, struct number *numbers)
{
    for (int i = 0; i < count; i++) {
        int type = lua_type(L, i + 1);

        if (type == LUA_TSTRING)
            words[i].ptr = lua_tolstring(L, i + 1, &words[i].len);
        else if (type == LUA_TNUMBER)
            words[i] = number_word(lua_tonumber(L, i + 1), numbers[i].text);
        else
            return false;
    }
    return true;
}

/* call: push the reply; an error is a table as any other. */
static void
call_words(lua_State *L, int count, struct slice *words, struct number *numbers)
{
    const char *error, *reply;

    if (!read_words(L, count, words, numbers)) {
        api_error(L, "ERR Lua redis lib command arguments must be strings or integers", true);
        return;
    }
    if ((reply = run_command(count, words, &error)) == NULL)
        api_error(L, error, true);
    else
        from_reply(L, reply);
}

static void
call(lua_State *L)
{
    int count = lua_gettop(L);
    struct slice few[WORDS_ON_STACK], *words;
    struct number few_numbers[WORDS_ON_STACK];

    if (run_now() == NULL) {
        api_error(L, "ERR redis.call/pcall can only be called inside a script invocation", true);
    } else if (count == 0) {
        api_error(L, "ERR Please specify at least one argument for this redis lib call", true);
    } else if (count <= WORDS_ON_STACK) {
        call_words(L, count, few, few_numbers);
    } else {
        words = lua_newuserdata(L, (size_t)count * (sizeof *words + sizeof(struct number)));
        call_words(L, count, words, (struct number *)(void *)(words + count));
    }
}

static bool
is_error(lua_State *L)
{
    bool is;

    if (lua_type(L, -1) != LUA_TTABLE)
        return false;
    lua_pushliteral(L, "err");
    lua_rawget(L, -2);
    is = lua_type(L, -1) == LUA_TSTRING;
    lua_pop(L, 1);
    return is;
}

static int
api_call(lua_State *L)
{
    call(L);
    return is_error(L) ? lua_error(L) : 1;
}

static int
api_pcall(lua_State *L)
{
    call(L);
    return 1;
}

/* ---- replies ---- */

static int
refuse_reply(lua_State *L)
{
    api_error(L, "ERR wrong number or type of arguments", false);
    return 1;
}

static bool
has_one_string(lua_State *L)
{
    return lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING;
}

/* An error of one word is a code's want of text, or a text's of a code: it gets ERR. */
static int
api_error_reply(lua_State *L)
{
    const char *text;

    if (!has_one_string(L))
        return refuse_reply(L);
    text = lua_tostring(L, 1);
    text += *text == '-';
    if (strchr(text, ' ') == NULL)
        text = lua_pushfstring(L, "ERR %s", text);
    api_error(L, text, false);
    return 1;
}

static int
api_status_reply(lua_State *L)
{
    if (!has_one_string(L))
        return refuse_reply(L);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "ok");
    return 1;
}

static int
api_setresp(lua_State *L)
{
    lua_Number version;

    if (lua_gettop(L) != 1)
        return fail(L, "ERR redis.setresp() requires one argument.");
    version = lua_tonumber(L, 1);
    if (!(version >= 2 && version < 4))
        return fail(L, "ERR RESP version must be 2 or 3.");
    run_client()->resp = (int)version;
    return 0;
}

/* ---- effects: every script's are those of its commands ---- */

static int
api_set_repl(lua_State *L)
{
    lua_Number which;

    if (lua_gettop(L) != 1)
        return fail(L, "ERR redis.set_repl() requires two arguments.");
    which = lua_tonumber(L, 1);
    if (!(which > -1 && which < RUN_REPL_ALL + 1))
        return fail(
            L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    if (run_now() != NULL)
        run_now()->repl = (unsigned)(int)which;
    return 0;
}

static int
api_replicate_commands(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- what else it may ask ---- */

static int
api_log(lua_State *L)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING};
    int count = lua_gettop(L), level;

    if (count < 2)
        return fail(L, "ERR redis.log() requires two arguments or more.");
    if (!lua_isnumber(L, 1))
        return fail(L, "ERR First argument must be a number (log level).");
    level = (int)lua_tonumber(L, 1);
    if (level < 0 || level >= (int)(sizeof levels / sizeof levels[0]))
        return fail(L, "ERR Invalid debug level.");
    lua_settop(L, count);
    for (int i = 2; i <= count; i++) { /* words that are strings or numbers, blanks between them */
        lua_pushvalue(L, i);
        if (lua_tostring(L, -1) == NULL) {
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        if (i > 2) {
            lua_pushliteral(L, " ");
            lua_insert(L, -2);
            lua_concat(L, 3);
        }
    }
    log_line(levels[level], "%s", lua_tostring(L, -1));
    return 0;
}

static int
api_sha1hex(lua_State *L)
{
    char sha[SCRIPT_SHA_BYTES + 1];
    struct slice text;

    if (lua_gettop(L) != 1)
        return fail(L, "ERR wrong number of arguments");
    text.ptr = lua_tolstring(L, 1, &text.len);
    if (text.ptr == NULL)
        text = SLICE("");
    script_digest(text, sha);
    lua_pushstring(L, sha);
    return 1;
}

/* acl_check_cmd: may the caller execute these words? */
static void
check_words(lua_State *L, int count, struct slice *words, struct number *numbers)
{
    const struct cmd *cmd;

    if (!read_words(L, count, words, numbers))
        fail(L, "ERR Lua redis lib command arguments must be strings or integers");
    cmd = cmd_find(words[0]);
    if (cmd != NULL && cmd->subs != NULL && count > 1)
        cmd = cmd_find_sub(cmd, words[1]);
    if (cmd == NULL)
        fail(L, "ERR Invalid command passed to redis.acl_check_cmd()");
    lua_pushboolean(L, run_caller_may(cmd, count, words));
}

static int
api_acl_check_cmd(lua_State *L)
{
    int count = lua_gettop(L);
    struct slice *words;

    if (run_now() == NULL)
        return fail(L, "ERR redis.acl_check_cmd can only be called inside a script invocation");
    if (count == 0)
        return fail(L, "ERR Please specify at least one argument for this redis lib call");
    words = lua_newuserdata(L, (size_t)count * (sizeof *words + sizeof(struct number)));
    check_words(L, count, words, (struct number *)(void *)(words + count));
    return 1;
}

/* There is no debugger to stop at a breakpoint, or to tell anything. */
static int
api_breakpoint(lua_State *L)
{
    lua_pushboolean(L, 0);
    return 1;
}

static int
api_debug(lua_State *L)
{
    (void)L;
    return 0;
}

/* ---- the table ---- */

/* version_number: "7.2.4" as 0x00070204. */
static int
version_number(void)
{
    int major = 0, minor = 0, patch = 0;

    must(sscanf(STILLFRAME_REDIS_VERSION, "%d.%d.%d", &major, &minor, &patch) == 3);
    return major << 16 | minor << 8 | patch;
}

struct api_number {
    const char *name;
    int value;
};

static void
add_numbers(lua_State *L, const struct api_number *n)
{
    for (; n->name != NULL; n++) {
        lua_pushinteger(L, n->value);
        lua_setfield(L, -2, n->name);
    }
}

void
api_open_common(lua_State *L)
{
    static const luaL_Reg functions[] = {{"log", api_log}, {NULL, NULL}};
    static const struct api_number numbers[] = {
        {"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2}, {"LOG_WARNING", 3}, {NULL, 0}};

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    add_numbers(L, numbers);
    lua_pushliteral(L, STILLFRAME_REDIS_VERSION);
    lua_setfield(L, -2, "REDIS_VERSION");
    lua_pushinteger(L, version_number());
    lua_setfield(L, -2, "REDIS_VERSION_NUM");
}

void
api_open(lua_State *L, enum engine e)
{
    static const luaL_Reg functions[] = {{"call", api_call},
                                         {"pcall", api_pcall},
                                         {"error_reply", api_error_reply},
                                         {"status_reply", api_status_reply},
                                         {"setresp", api_setresp},
                                         {"set_repl", api_set_repl},
                                         {"sha1hex", api_sha1hex},
                                         {"acl_check_cmd", api_acl_check_cmd},
                                         {NULL, NULL}};
    static const luaL_Reg of_scripts[] = {{"replicate_commands", api_replicate_commands},
                                          {"breakpoint", api_breakpoint},
                                          {"debug", api_debug},
                                          {NULL, NULL}};
    static const struct api_number numbers[] = {{"REPL_NONE", 0},
                                                {"REPL_AOF", RUN_REPL_AOF},
                                                {"REPL_SLAVE", RUN_REPL_REPLICA},
                                                {"REPL_REPLICA", RUN_REPL_REPLICA},
                                                {"REPL_ALL", RUN_REPL_ALL},
                                                {NULL, 0}};

    api_open_common(L);
    luaL_register(L, NULL, functions);
    if (e == ENGINE_SCRIPTS)
        luaL_register(L, NULL, of_scripts);
    add_numbers(L, numbers);
}
