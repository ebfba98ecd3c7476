/* server/scripts/to_reply.c - what a script returns, as a reply: what from_reply.c says, backwards.
 * The elements of a table are those before its first nil; numbers lose what stands behind their
 * point. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/figures/errorstats.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/scripts/scripts_impl.h"

struct form {
    int resp;         /* what the script speaks */
    size_t end_bytes; /* as much as may be pending of the client's output */
};

static void put_value(lua_State *L, struct client *c, const struct form *f);

/* field: push a field of the table on top of the stack, past its metatable, if it is of that
 * type. */
static bool
push_field(lua_State *L, const char *name, int type)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == type)
        return true;
    lua_pop(L, 1);
    return false;
}

static int64_t
whole_number(lua_Number n)
{
    if (n >= -9223372036854775808.0 && n < 9223372036854775808.0)
        return (int64_t)n;
    return INT64_MIN; /* as the processors that Redis runs on have it */
}

/* put_line: a line of a reply has no line breaks. */
static void
put_line(struct client *c, const char *head, const char *s, size_t len)
{
    reply_raw(c, head, 1);
    for (size_t n; len > 0; s += n, len -= n) {
        n = strcspn(s, "\r\n");
        if (n > 0) {
            n = n < len ? n : len;
            reply_raw(c, s, n);
        } else {
            reply_raw(c, " ", n = 1);
        }
    }
    reply_raw(c, "\r\n", 2);
}

/* code_of: what the error is counted as; a script may say anything. */
static const char *
code_of(const char *text)
{
    const char *p = text;

    while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
           *p == '_')
        p++;
    return p > text && (*p == ' ' || *p == '\0') ? text : "ERR";
}

void
to_reply_error(struct client *c, const char *text, bool was_counted)
{
    if (!was_counted)
        errorstats_count(code_of(text));
    reply_error_again(c, text);
}

static void
put_error(lua_State *L, struct client *c)
{
    const char *text = lua_tostring(L, -1);

    lua_pushliteral(L, "ignore_error_stats_update");
    lua_rawget(L, -3);
    to_reply_error(c, text, lua_toboolean(L, -1));
    lua_pop(L, 2);
}

static void
put_status(lua_State *L, struct client *c)
{
    size_t len;
    const char *s = lua_tolstring(L, -1, &len);

    put_line(c, "+", s, strlen(s) < len ? strlen(s) : len);
    lua_pop(L, 1);
}

static void
put_big_number(lua_State *L, struct client *c)
{
    const char *s = lua_tostring(L, -1);

    if (c->resp == 2)
        reply_bulk_text(c, s);
    else
        put_line(c, "(", s, strlen(s));
    lua_pop(L, 1);
}

/* put_verbatim: false: it is none; the field that it was has gone from the stack. */
static bool
put_verbatim(lua_State *L, struct client *c)
{
    const char *bytes, *format;
    size_t len, format_len;

    if (!push_field(L, "string", LUA_TSTRING)) {
        lua_pop(L, 1);
        return false;
    }
    bytes = lua_tolstring(L, -1, &len);
    lua_pushliteral(L, "format");
    lua_rawget(L, -3);
    if (lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 3);
        return false;
    }
    format = lua_tolstring(L, -1, &format_len);
    if (format_len == 3 && strlen(format) == 3)
        reply_verbatim(c, format, bytes, len);
    else
        reply_bulk(c, bytes, len);
    lua_pop(L, 3);
    return true;
}

static size_t
count_fields(lua_State *L)
{
    size_t count = 0;

    for (lua_pushnil(L); lua_next(L, -2); count++)
        lua_pop(L, 1);
    return count;
}

static void
put_map(lua_State *L, struct client *c, const struct form *f)
{
    reply_map(c, count_fields(L));
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        put_value(L, c, f);
        put_value(L, c, f);
    }
    lua_pop(L, 1);
}

static void
put_set(lua_State *L, struct client *c, const struct form *f)
{
    reply_set(c, count_fields(L));
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        put_value(L, c, f);
    }
    lua_pop(L, 1);
}

static void
put_array(lua_State *L, struct client *c, const struct form *f)
{
    size_t count = 0;

    for (int i = 1;; i++, count++) {
        bool is_end;
        lua_rawgeti(L, -1, i);
        is_end = lua_isnil(L, -1);
        lua_pop(L, 1);
        if (is_end)
            break;
    }
    reply_array(c, count);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        put_value(L, c, f);
    }
}

/* put_table: the table stays. */
static void
put_table(lua_State *L, struct client *c, const struct form *f)
{
    if (push_field(L, "err", LUA_TSTRING)) {
        put_error(L, c);
    } else if (push_field(L, "ok", LUA_TSTRING)) {
        put_status(L, c);
    } else if (push_field(L, "double", LUA_TNUMBER)) {
        reply_double(c, lua_tonumber(L, -1));
        lua_pop(L, 1);
    } else if (push_field(L, "map", LUA_TTABLE)) {
        put_map(L, c, f);
    } else if (push_field(L, "set", LUA_TTABLE)) {
        put_set(L, c, f);
    } else if (push_field(L, "big_number", LUA_TSTRING)) {
        put_big_number(L, c);
    } else if (!push_field(L, "verbatim_string", LUA_TTABLE) || !put_verbatim(L, c)) {
        put_array(L, c, f);
    }
}

static void
put_value(lua_State *L, struct client *c, const struct form *f)
{
    const char *bytes;
    size_t len;

    if (unlikely(client_pending_out(c) >= f->end_bytes))
        luaL_error(L, "the reply is too long");
    if (!lua_checkstack(L, 4)) { /* it may hold itself */
        reply_error(c, "ERR reached lua stack limit");
        lua_pop(L, 1);
        return;
    }
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        bytes = lua_tolstring(L, -1, &len);
        reply_bulk(c, bytes, len);
        break;
    case LUA_TNUMBER:
        reply_int(c, whole_number(lua_tonumber(L, -1)));
        break;
    case LUA_TBOOLEAN:
        if (f->resp >= 3)
            reply_bool(c, lua_toboolean(L, -1) != 0);
        else if (lua_toboolean(L, -1))
            reply_int(c, 1);
        else
            reply_null(c);
        break;
    case LUA_TTABLE:
        put_table(L, c, f);
        break;
    default:
        reply_null(c);
    }
    lua_pop(L, 1);
}

/* A table that stands in a reply many times takes its room each time: a few of them, each twice in
 * the next, are more than all memory. */
void
to_reply(lua_State *L, struct client *c, int resp)
{
    struct form f = {resp, SIZE_MAX};

    if (config.script_memory_limit != 0)
        f.end_bytes = client_pending_out(c) + (size_t)config.script_memory_limit;
    put_value(L, c, &f);
}
