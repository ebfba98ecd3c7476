/* server/scripts/lua_json.c - cjson is Debian's lua-cjson.
 *
 * Its encoder counts in int, and nothing there says when that overflows: so what is encoded is
 * measured before.  cjson.new(), which would give an encoder past that, is left out. */
#include <lauxlib.h>
#include <lua-cjson.h>
#include <lua.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "server/scripts/libraries.h"

enum {
    JSON_MAX_BYTES = 256 << 20,
    BYTES_A_CHARACTER = 6, /* \u0000 */
    BYTES_A_NULL = 5,      /* and its comma */
    BYTES_A_VALUE = 32,    /* a number, a comma */
    LEVELS_MAX = 1000      /* cjson's own limit, unless it is told otherwise */
};

static void
spend(lua_State *L, size_t *room, size_t bytes)
{
    if (bytes > *room)
        luaL_error(L, "Cannot serialise: the result may be longer than %d bytes",
                   (int)JSON_MAX_BYTES);
    *room -= bytes;
}

/* measure: the value on top of the stack, which stays. */
static void
measure(lua_State *L, size_t *room, int level)
{
    lua_Number last = 0;

    spend(L, room, BYTES_A_VALUE);
    if (lua_type(L, -1) == LUA_TSTRING)
        spend(L, room, lua_objlen(L, -1) * BYTES_A_CHARACTER);
    if (lua_type(L, -1) != LUA_TTABLE)
        return;
    if (level > LEVELS_MAX)
        luaL_error(L, "Cannot serialise, excessive nesting (%d)", level);
    luaL_checkstack(L, 3, "a value in too many levels");
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            spend(L, room, lua_objlen(L, -2) * BYTES_A_CHARACTER);
        else if (lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) > last)
            last = lua_tonumber(L, -2);
        measure(L, room, level + 1);
    }
    /* A sparse array has a null for each index that is missing. */
    spend(L, room, last < JSON_MAX_BYTES ? (size_t)last * BYTES_A_NULL : SIZE_MAX);
}

/* json_encode: with the upvalue that cjson's own looks for, and that behind it. */
static int
json_encode(lua_State *L)
{
    size_t room = JSON_MAX_BYTES;

    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    measure(L, &room, 1);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

void
library_json(lua_State *L)
{
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_pushnil(L);
    lua_setfield(L, -2, "new");
    lua_getfield(L, -1, "encode");
    must(lua_getupvalue(L, -1, 1) != NULL); /* its configuration */
    lua_insert(L, -2);
    lua_pushcclosure(L, json_encode, 2);
    lua_setfield(L, -2, "encode");
}
