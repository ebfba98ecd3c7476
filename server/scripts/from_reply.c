/* server/scripts/from_reply.c - a command's reply as a value of Lua.
 *
 *   :1 and $1        number, string            #t      boolean
 *   +OK              {ok = "OK"}               ,1.5    {double = 1.5}
 *   -ERR ...         {err = "ERR ..."}         (12     {big_number = "12"}
 *   $-1 and *-1      false                     =       {verbatim_string = {format =, string =}}
 *   *                table                     %, ~    {map = {}}, {set = {member = true}}
 *   _                nil */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/scripts/scripts_impl.h"

/* One step down takes so much of the stack at most. */
enum { STACK_STEP = 6 };

/* line: the number in the line at p; *ret_end: what follows the line. */
static int64_t
line_number(const char *p, const char **ret_end)
{
    bool is_negative = *p == '-';
    int64_t n = 0;

    for (p += is_negative; *p != '\r'; p++)
        n = n * 10 + (*p - '0');
    *ret_end = p + 2;
    return is_negative ? -n : n;
}

static const char *
line_end(const char *p)
{
    while (*p != '\r')
        p++;
    return p;
}

/* push_line: what stands in the line at p, as a field of a new table. */
static const char *
push_line(lua_State *L, const char *p, const char *field)
{
    const char *end = line_end(p);

    lua_createtable(L, 0, 1);
    lua_pushlstring(L, p, (size_t)(end - p));
    lua_setfield(L, -2, field);
    return end + 2;
}

static const char *
push_error(lua_State *L, const char *p)
{
    const char *end = line_end(p);

    lua_createtable(L, 0, 2);
    lua_pushlstring(L, p, (size_t)(end - p));
    lua_setfield(L, -2, "err");
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "ignore_error_stats_update");
    return end + 2;
}

static const char *
push_bulk(lua_State *L, const char *p)
{
    int64_t len = line_number(p, &p);

    if (len < 0) {
        lua_pushboolean(L, 0);
        return p;
    }
    lua_pushlstring(L, p, (size_t)len);
    return p + len + 2;
}

static const char *
push_array(lua_State *L, const char *p)
{
    int64_t count = line_number(p, &p);

    if (count < 0) {
        lua_pushboolean(L, 0);
        return p;
    }
    lua_createtable(L, (int)count, 0);
    for (int64_t i = 1; i <= count; i++) {
        p = from_reply(L, p);
        lua_rawseti(L, -2, (int)i);
    }
    return p;
}

/* A key of nil or of no number is passed over: Lua has no such keys. */
static bool
is_key(lua_State *L)
{
    return !lua_isnil(L, -1) &&
           (lua_type(L, -1) != LUA_TNUMBER || lua_tonumber(L, -1) == lua_tonumber(L, -1));
}

static const char *
push_map(lua_State *L, const char *p)
{
    int64_t count = line_number(p, &p);

    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, (int)count);
    for (int64_t i = 0; i < count; i++) {
        bool is_usable;

        p = from_reply(L, p);
        is_usable = is_key(L);
        p = from_reply(L, p);
        if (is_usable)
            lua_rawset(L, -3);
        else
            lua_pop(L, 2);
    }
    lua_setfield(L, -2, "map");
    return p;
}

static const char *
push_set(lua_State *L, const char *p)
{
    int64_t count = line_number(p, &p);

    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, (int)count);
    for (int64_t i = 0; i < count; i++) {
        p = from_reply(L, p);
        if (is_key(L)) {
            lua_pushboolean(L, 1);
            lua_rawset(L, -3);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_setfield(L, -2, "set");
    return p;
}

static const char *
push_double(lua_State *L, const char *p)
{
    lua_createtable(L, 0, 1);
    lua_pushnumber(L, strtod(p, NULL));
    lua_setfield(L, -2, "double");
    return line_end(p) + 2;
}

static const char *
push_verbatim(lua_State *L, const char *p)
{
    int64_t len = line_number(p, &p);

    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, 2);
    lua_pushlstring(L, p, 3);
    lua_setfield(L, -2, "format");
    lua_pushlstring(L, p + 4, (size_t)len - 4);
    lua_setfield(L, -2, "string");
    lua_setfield(L, -2, "verbatim_string");
    return p + len + 2;
}

const char *
from_reply(lua_State *L, const char *p)
{
    luaL_checkstack(L, STACK_STEP, "a reply in too many levels");
    switch (*p++) {
    case ':':
        lua_pushnumber(L, (lua_Number)line_number(p, &p));
        return p;
    case '$':
        return push_bulk(L, p);
    case '+':
        return push_line(L, p, "ok");
    case '-':
        return push_error(L, p);
    case '*':
    case '>':
        return push_array(L, p);
    case '%':
        return push_map(L, p);
    case '~':
        return push_set(L, p);
    case '_':
        lua_pushnil(L);
        return p + 2;
    case '#':
        lua_pushboolean(L, *p == 't');
        return p + 3;
    case ',':
        return push_double(L, p);
    case '(':
        return push_line(L, p, "big_number");
    case '=':
        return push_verbatim(L, p);
    default:
        never("a command replied something that is no reply");
    }
}
