/* server/scripts/lua_bounds.c - functions of Lua's own libraries whose arguments lead them out of
 * their memory, or keep them busy for ever: what is done about each before it is called.
 *
 *   bit.tohex     with as many digits as the smallest int it writes below its buffer
 *   string.rep    of an empty string it counts all the same
 *   table.insert  at a place far below the first it moves every one in between
 *   table.sort    takes the square of the elements, if they are laid out for that */
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <string.h>

#include "server/scripts/libraries.h"

enum {
    TOHEX_DIGITS = 8,
    REP_SHORT_BYTES = 1024,
    INSERT_LOWEST = -(1 << 20),
    SORT_SHORT = 4096,      /* elements, whose square is a moment */
    SORT_LOOK_EVERY = 65536 /* comparisons, some milliseconds */
};

void
library_look(lua_State *L)
{
    lua_Hook hook = lua_gethook(L);

    if (hook != NULL)
        hook(L, NULL);
}

/* ---- bit.tohex ---- */

/* as_int: a number as the library takes it: its low 32 bits. */
static int32_t
as_int(lua_Number n)
{
    union {
        lua_Number number;
        uint64_t bits;
    } u = {.number = n + 6755399441055744.0}; /* 2^52 + 2^51: the whole part is the low bits */

    return (int32_t)(uint32_t)u.bits;
}

/* With the library's own as its upvalue. */
static int
bounded_tohex(lua_State *L)
{
    if (lua_isnumber(L, 2) && as_int(lua_tonumber(L, 2)) == INT32_MIN) {
        lua_settop(L, 1);
        lua_pushinteger(L, -TOHEX_DIGITS);
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- string.rep ---- */

static void
fill(char *p, const char *s, size_t len, size_t total)
{
    size_t done = len;

    memcpy(p, s, len);
    for (size_t n; done < total; done += n) {
        n = done < total - done ? done : total - done;
        memcpy(p + done, p, n);
    }
}

static int
bounded_rep(lua_State *L)
{
    char room[REP_SHORT_BYTES], *p = room;
    size_t len, total;
    const char *s = luaL_checklstring(L, 1, &len);
    int count = luaL_checkint(L, 2);

    if (len == 0 || count <= 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    total = len * (size_t)count; /* a string is far below 2^31 bytes long */
    if (total > sizeof room)
        p = lua_newuserdata(L, total); /* or there is not enough memory */
    fill(p, s, len, total);
    lua_pushlstring(L, p, total);
    return 1;
}

/* ---- the table library ---- */

void
library_bound_insert(lua_State *L)
{
    if (lua_gettop(L) == 3 && lua_istable(L, 1))
        luaL_argcheck(L, luaL_checkint(L, 2) >= INSERT_LOWEST, 2, "position out of bounds");
}

/* looking_less: what compares, with a look now and then; the upvalue is the script's, or nil. */
static int
looking_less(lua_State *L)
{
    static unsigned comparisons;

    if (++comparisons % SORT_LOOK_EVERY == 0)
        library_look(L);
    lua_settop(L, 2);
    if (lua_isnil(L, lua_upvalueindex(1))) {
        lua_pushboolean(L, lua_lessthan(L, 1, 2));
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* A function that is Lua's is looked at while it compares. */
void
library_bound_sort(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TTABLE || lua_objlen(L, 1) <= SORT_SHORT ||
        !(lua_isnoneornil(L, 2) || lua_iscfunction(L, 2)))
        return;
    lua_settop(L, 2);
    lua_pushcclosure(L, looking_less, 1);
}

void
library_bounds(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushcfunction(L, bounded_rep);
    lua_setfield(L, -2, "rep");
    lua_getglobal(L, "bit");
    lua_getfield(L, -1, "tohex");
    lua_pushcclosure(L, bounded_tohex, 1);
    lua_setfield(L, -2, "tohex");
    lua_pop(L, 2);
}
