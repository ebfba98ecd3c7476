/* server/scripts/lua_chance.c - math.random and math.randomseed: what srand48() and lrand48() do,
 * as in Redis, with a state that is the engine's. */
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

#include "server/scripts/libraries.h"

static uint64_t chance = 0x1234ABCD330E;

static uint32_t
draw(void)
{
    chance = (chance * 0x5DEECE66D + 0xB) & 0xFFFFFFFFFFFF;
    return (uint32_t)(chance >> 17);
}

static int
chance_random(lua_State *L)
{
    double r = (double)(draw() % INT32_MAX) / (double)INT32_MAX;
    int arguments = lua_gettop(L);
    double low = 1, high;

    if (arguments == 0) {
        lua_pushnumber(L, r);
        return 1;
    }
    if (arguments > 2)
        return luaL_error(L, "wrong number of arguments");
    if (arguments == 2)
        low = luaL_checkint(L, 1);
    high = luaL_checkint(L, arguments);
    luaL_argcheck(L, low <= high, arguments, "interval is empty");
    r = r * (high - low + 1);
    lua_pushnumber(L, (double)(int64_t)r + low);
    return 1;
}

static int
chance_randomseed(lua_State *L)
{
    chance = (uint64_t)(uint32_t)luaL_checkint(L, 1) << 16 | 0x330E;
    return 0;
}

void
library_chance(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"random", chance_random}, {"randomseed", chance_randomseed}, {NULL, NULL}};

    luaL_register(L, NULL, functions);
}
