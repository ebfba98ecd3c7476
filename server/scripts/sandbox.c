/* server/scripts/sandbox.c - what a script finds in Lua: the libraries, the globals, and what keeps
 * them as they are (EN1 in engine.h).
 *
 *   a script's globals = front -> real globals -> "no such global"
 *   while a library is loaded: the same front -> `redis` alone -> "no such global"
 *   redis, string ...  = front -> real table
 *
 * A front is an empty table; `reals`, a table that the functions here have as their first upvalue,
 * gives the real one for it. */
#include <lauxlib.h>
#include <limits.h>
#include <lua-bitop.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "server/scripts/libraries.h"
#include "server/scripts/scripts_impl.h"

#define READONLY "Attempt to modify a readonly table"

static char reals_key, globals_key, library_key; /* their addresses, in the registry */

/* ---- fronts ---- */

static void
push_registered(lua_State *L, char *key)
{
    lua_pushlightuserdata(L, key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

static void
push_reals(lua_State *L)
{
    push_registered(L, &reals_key);
}

static int
refuse_write(lua_State *L)
{
    return luaL_error(L, READONLY);
}

void
sandbox_front(lua_State *L)
{
    int real = lua_gettop(L);

    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, real);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    push_reals(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, real);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_replace(L, real);
}

/* push_real: is the value at that index a front?  Then the real table is pushed. */
static bool
push_real(lua_State *L, int i)
{
    if (lua_type(L, i) != LUA_TTABLE)
        return false;
    lua_pushvalue(L, i);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static void
refuse_front(lua_State *L, int i)
{
    if (!push_real(L, i))
        return;
    lua_pushliteral(L, READONLY);
    lua_error(L);
}

/* use_real: read the real one where a front was given. */
static void
use_real(lua_State *L, int i)
{
    if (push_real(L, i))
        lua_replace(L, i);
}

/* ---- functions in the place of Lua's own ---- */

static int
sandbox_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    refuse_front(L, 1);
    lua_rawset(L, 1);
    return 1;
}

static int
sandbox_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    use_real(L, 1);
    lua_rawget(L, 1);
    return 1;
}

static int
sandbox_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    use_real(L, 1);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

/* Of any other table Lua's own next, the second upvalue, goes on, without a question; the third is
 * ours. */
static int
sandbox_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, push_real(L, 1) ? lua_upvalueindex(3) : lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int
sandbox_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table expected");
    refuse_front(L, 1);
    if (luaL_getmetafield(L, 1, "__metatable"))
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* Of strings: the front of theirs, the second upvalue; of the globals: that of theirs, the
 * third. */
static int
sandbox_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_pushvalue(L, lua_upvalueindex(2));
    } else if (push_real(L, 1)) {
        lua_pushvalue(L, lua_upvalueindex(3));
        if (!lua_rawequal(L, 1, LUA_GLOBALSINDEX))
            lua_pushnil(L);
    } else if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
    } else {
        luaL_getmetafield(L, 1, "__metatable"); /* if there is one, it is what is answered */
    }
    return 1;
}

/* What fails with an error of redis.call() says so as text. */
static int
sandbox_pcall(lua_State *L)
{
    int r;

    luaL_checkany(L, 1);
    r = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    lua_pushboolean(L, r == 0);
    lua_insert(L, 1);
    if (r != 0 && lua_type(L, -1) == LUA_TTABLE) {
        lua_pushliteral(L, "err");
        lua_rawget(L, -2);
        if (lua_type(L, -1) == LUA_TSTRING)
            lua_replace(L, -2);
        else
            lua_pop(L, 1);
    }
    return lua_gettop(L);
}

/* handle: the script's handler, the upvalue, is asked about its errors; when it is to end, nothing
 * is, since the hook that would end the handler does not come within an error of its own. */
static int
handle(lua_State *L)
{
    if (lua_gethookcount(L) == HOOK_OF_ENDING)
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int
sandbox_xpcall(lua_State *L)
{
    int r;

    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_pushcclosure(L, handle, 1);
    lua_insert(L, 1);
    r = lua_pcall(L, 0, LUA_MULTRET, 1);
    lua_pushboolean(L, r == 0);
    lua_replace(L, 1);
    return lua_gettop(L);
}

/* unpack: Lua's own counts in int, which overflows. */
static int
sandbox_unpack(lua_State *L)
{
    int first, last;
    int64_t n;

    luaL_checktype(L, 1, LUA_TTABLE);
    first = luaL_optint(L, 2, 1);
    last = luaL_opt(L, luaL_checkint, 3, (int)lua_objlen(L, 1));
    n = (int64_t)last - first + 1;
    if (n <= 0)
        return 0;
    if (n >= INT_MAX || !lua_checkstack(L, (int)n))
        return luaL_error(L, "too many results to unpack");
    for (int64_t i = first; i <= last; i++)
        lua_rawgeti(L, 1, (int)i);
    return (int)n;
}

/* A script may ask for a collection, but not for none. */
static int
sandbox_collectgarbage(lua_State *L)
{
    static const char *const names[] = {"stop", "restart",  "collect",    "count",
                                        "step", "setpause", "setstepmul", NULL};
    int step;

    switch (luaL_checkoption(L, 1, "collect", names)) {
    case 2:
        lua_gc(L, LUA_GCCOLLECT, 0);
        library_look(L);
        break;
    case 3:
        lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT, 0) + lua_gc(L, LUA_GCCOUNTB, 0) / 1024.0);
        return 1;
    case 4:
        step = luaL_optint(L, 2, 0);
        lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, step < 0 || step > 1024 ? 1024 : step));
        return 1;
    default:
        break;
    }
    lua_pushnumber(L, 0);
    return 1;
}

static int
refuse_unknown(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);

    return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", name);
}

/* ---- the libraries ---- */

/* guard: a function of table.* that writes into its first argument, or reads it past __index; the
 * second upvalue is the function, which has no upvalues of its own.  table.remove and table.sort
 * find nothing in a front. */
static int
guard_read(lua_State *L)
{
    use_real(L, 1);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static int
guard_insert(lua_State *L)
{
    library_bound_insert(L);
    if (lua_gettop(L) == 2 || lua_gettop(L) == 3) /* others are refused anyway */
        refuse_front(L, 1);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static int
guard_sort(lua_State *L)
{
    library_bound_sort(L);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static void
open_library(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

/* guard_table: of the table library, on top of the stack. */
static void
guard_table(lua_State *L)
{
    static const struct {
        const char *name;
        lua_CFunction guard;
    } guards[] = {{"insert", guard_insert}, {"sort", guard_sort},   {"foreach", guard_read},
                  {"maxn", guard_read},     {"concat", guard_read}, {"foreachi", guard_read},
                  {"getn", guard_read}};

    for (unsigned i = 0; i < sizeof guards / sizeof guards[0]; i++) {
        push_reals(L);
        lua_getfield(L, -2, guards[i].name);
        lua_pushcclosure(L, guards[i].guard, 2);
        lua_setfield(L, -2, guards[i].name);
    }
}

/* os.clock, all that there is of Lua's os, which would bring system() into the program. */
static int
sandbox_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)clock() / (lua_Number)CLOCKS_PER_SEC);
    return 1;
}

/* open_libraries: into Lua's own globals, from which those are taken that a script may have. */
static void
open_libraries(lua_State *L, enum engine e, void (*open_api)(lua_State *L, enum engine e))
{
    open_library(L, luaopen_base, "");
    open_library(L, luaopen_table, LUA_TABLIBNAME);
    open_library(L, luaopen_string, LUA_STRLIBNAME);
    open_library(L, luaopen_math, LUA_MATHLIBNAME);
    open_library(L, luaopen_bit, "bit");
    lua_getglobal(L, "table");
    guard_table(L);
    lua_getglobal(L, "string");
    library_pattern(L);
    library_bounds(L);
    lua_getglobal(L, "math");
    library_chance(L);
    lua_newtable(L);
    lua_pushcfunction(L, sandbox_clock);
    lua_setfield(L, -2, "clock");
    lua_setglobal(L, "os");
    lua_settop(L, 0);
    library_json(L);
    lua_setglobal(L, "cjson");
    library_msgpack(L);
    lua_setglobal(L, "cmsgpack");
    library_struct(L);
    lua_setglobal(L, "struct");
    open_api(L, e);
    lua_setglobal(L, "redis");
}

/* ---- the globals ---- */

/* add_function: to the table on top of the stack; upvalues: reals, and what else stands above the
 * table, which it takes. */
static void
add_function(lua_State *L, int table, const char *name, lua_CFunction f)
{
    int more = lua_gettop(L) - table;

    push_reals(L);
    lua_insert(L, table + 1);
    lua_pushcclosure(L, f, 1 + more);
    lua_setfield(L, table, name);
}

/* push_next: Lua's own, and the one that reads fronts. */
static void
push_next(lua_State *L)
{
    lua_getglobal(L, "next");
    push_reals(L);
    lua_pushcclosure(L, sandbox_next, 1);
}

static void
add_functions(lua_State *L, int table)
{
    add_function(L, table, "rawset", sandbox_rawset);
    add_function(L, table, "rawget", sandbox_rawget);
    add_function(L, table, "next", sandbox_next);
    add_function(L, table, "setmetatable", sandbox_setmetatable);
    add_function(L, table, "pcall", sandbox_pcall);
    add_function(L, table, "xpcall", sandbox_xpcall);
    add_function(L, table, "unpack", sandbox_unpack);
    add_function(L, table, "loadstring", library_loadstring);
    add_function(L, table, "load", library_load_pieces);
    add_function(L, table, "collectgarbage", sandbox_collectgarbage);
    push_next(L);
    add_function(L, table, "pairs", sandbox_pairs);
}

static void
take_globals(lua_State *L, int table)
{
    static const char *const names[] = {"_VERSION", "assert", "error",    "gcinfo",   "ipairs",
                                        "rawequal", "select", "tonumber", "tostring", "type",
                                        "string",   "table",  "math",     "os",       "coroutine",
                                        "bit",      "cjson",  "cmsgpack", "struct",   "redis"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getglobal(L, names[i]);
        if (lua_istable(L, -1))
            sandbox_front(L);
        lua_setfield(L, table, names[i]);
    }
    lua_getfield(L, table, "redis");
    lua_setfield(L, table, "server");
}

/* refuse_other_names: of the table on top of the stack. */
static void
refuse_other_names(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, refuse_unknown);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

/* add_getmetatable: the front of strings' metatable shows the string library's front, not what is
 * behind it. */
static void
add_getmetatable(lua_State *L, int table)
{
    lua_newtable(L);
    lua_getfield(L, table, "string");
    lua_setfield(L, -2, "__index");
    sandbox_front(L);
    lua_getmetatable(L, table);
    sandbox_front(L);
    add_function(L, table, "getmetatable", sandbox_getmetatable);
}

static void
add_to_registry(lua_State *L, char *key)
{
    lua_pushlightuserdata(L, key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void
sandbox_open(lua_State *L, enum engine e, void (*open_api)(lua_State *L, enum engine e))
{
    lua_newtable(L);
    add_to_registry(L, &reals_key);
    open_libraries(L, e, open_api);
    lua_newtable(L);
    take_globals(L, 1);
    add_functions(L, 1);
    refuse_other_names(L);
    add_getmetatable(L, 1);
    lua_pushvalue(L, 1);
    add_to_registry(L, &globals_key);
    lua_pushvalue(L, 1);
    sandbox_front(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "_G");
    lua_replace(L, LUA_GLOBALSINDEX);
}

void
sandbox_open_library(lua_State *L, void (*open_api)(lua_State *L))
{
    lua_newtable(L);
    open_api(L);
    refuse_other_names(L);
    sandbox_front(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "server");
    lua_setfield(L, -2, "redis");
    refuse_other_names(L);
    add_to_registry(L, &library_key);
}

/* show: globals are what stands at that index; the front's metatable and "__index" stand at `mt`
 * and behind it.  Takes no memory. */
static void
show(lua_State *L, int mt, int globals)
{
    lua_pushvalue(L, mt + 1);
    lua_pushvalue(L, globals);
    lua_rawset(L, mt);
}

int
sandbox_call_library(lua_State *L)
{
    int function = lua_gettop(L), mt = function + 1, r;

    lua_getmetatable(L, LUA_GLOBALSINDEX);
    lua_pushliteral(L, "__index");
    push_registered(L, &globals_key);
    push_registered(L, &library_key);
    show(L, mt, mt + 3);
    lua_pushvalue(L, function);
    r = lua_pcall(L, 0, 0, 0);
    show(L, mt, mt + 2);
    if (r != 0)
        lua_replace(L, function);
    lua_settop(L, r != 0 ? function : function - 1);
    return r;
}

void
sandbox_set_global(lua_State *L, const char *name)
{
    push_registered(L, &globals_key);
    lua_insert(L, -2);
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}
