/* server/scripts/sandbox_compile.c - text becomes functions: a script's own, and what it compiles
 * itself (EN2 in engine.h). */
#include <lauxlib.h>
#include <lua.h>

#include "server/scripts/libraries.h"
#include "server/scripts/scripts_impl.h"

int
sandbox_compile(lua_State *L, struct slice text, const char *name)
{
    int r;

    if (text.len > 0 && text.ptr[0] == LUA_SIGNATURE[0]) {
        lua_pushliteral(L, "bytecode is not accepted");
        return LUA_ERRSYNTAX;
    }
    /* EN2: Lua 5.1's compiler holds strings that the collector does not see. */
    lua_gc(L, LUA_GCSTOP, 0);
    r = luaL_loadbuffer(L, text.ptr, text.len, name);
    lua_gc(L, LUA_GCRESTART, 0);
    return r;
}

/* refuse_text: nil, and why, which is on top of the stack. */
static int
refuse_text(lua_State *L)
{
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int
compile(lua_State *L, struct slice text, const char *name)
{
    return sandbox_compile(L, text, name) == 0 ? 1 : refuse_text(L);
}

int
library_loadstring(lua_State *L)
{
    struct slice text;

    text.ptr = luaL_checklstring(L, 1, &text.len);
    return compile(L, text, luaL_optstring(L, 2, text.ptr));
}

/* load: the pieces first, then the whole, so that no function of the script's runs while it is
 * compiled. */
int
library_load_pieces(lua_State *L)
{
    const char *name = luaL_optstring(L, 2, "=(load)");
    struct slice text;
    luaL_Buffer b;
    int count = 0;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_newtable(L);
    for (;;) {
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 0, 1, 0) != 0)
            return refuse_text(L);
        if (lua_isnil(L, -1) || (lua_isstring(L, -1) && lua_objlen(L, -1) == 0))
            break;
        if (!lua_isstring(L, -1)) {
            lua_pushliteral(L, "reader function must return a string");
            return refuse_text(L);
        }
        lua_rawseti(L, 3, ++count);
    }
    lua_settop(L, 3);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, 3, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    text.ptr = lua_tolstring(L, -1, &text.len);
    return compile(L, text, name);
}
