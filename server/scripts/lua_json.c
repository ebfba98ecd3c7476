/* server/scripts/lua_json.c - cjson is Debian's lua-cjson.
 *
 * Its encoder counts in int, and nothing there says when that overflows: so what is encoded is
 * measured before.  cjson.new(), which would give an encoder past that, is left out.
 *
 * Where it has no memory it ends the process, exit(-1).  The linker (--wrap) leads the program's
 * calls of exit() here, where that one becomes an error of the script. */
#include <lauxlib.h>
#include <lua-cjson.h>
#include <lua.h>
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/must.h"
#include "server/scripts/libraries.h"

enum {
    JSON_MAX_BYTES = 256 << 20,
    BYTES_A_CHARACTER = 6, /* \u0000 */
    BYTES_A_NULL = 5,      /* and its comma */
    BYTES_A_VALUE = 32,    /* a number, a comma */
    LEVELS_MAX = 1000      /* cjson's own limit, unless it is told otherwise */
};

/* Who is in cjson; it may be out again by an error, and nobody else gives that status. */
static lua_State *within;
enum { JSON_NO_MEMORY = -1 };

_Noreturn void __real_exit(int status);
_Noreturn void __wrap_exit(int status);

void
__wrap_exit(int status)
{
    if (status == JSON_NO_MEMORY && within != NULL)
        luaL_error(within, "not enough memory"); /* does not return */
    __real_exit(status);
}

static int
call_json(lua_State *L, lua_CFunction f)
{
    int results;

    within = L;
    results = f(L);
    within = NULL;
    return results;
}

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

static int
json_encode(lua_State *L)
{
    size_t room = JSON_MAX_BYTES;

    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    measure(L, &room, 1);
    return call_json(L, lua_tocfunction(L, lua_upvalueindex(2)));
}

static int
json_decode(lua_State *L)
{
    return call_json(L, lua_tocfunction(L, lua_upvalueindex(2)));
}

/* put_before: a function of ours before that of the table on top of the stack, with the upvalue
 * that cjson's own looks for, its configuration, and itself behind that. */
static void
put_before(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    must(lua_getupvalue(L, -1, 1) != NULL);
    lua_insert(L, -2);
    lua_pushcclosure(L, f, 2);
    lua_setfield(L, -2, name);
}

void
library_json(lua_State *L)
{
    within = L; /* it makes its buffer */
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    within = NULL;
    lua_pushnil(L);
    lua_setfield(L, -2, "new");
    put_before(L, "encode", json_encode);
    put_before(L, "decode", json_decode);
}
