/* server/scripts/engine.c - the Lua states: their memory, their birth and their end. */
#include "server/scripts/engine.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/scripts/scripts_impl.h"

enum {
    /* One block may not be larger: the libraries count in int, and what they build of a string is
     * up to six times as long (a character in JSON). */
    BLOCK_MAX_BYTES = 256 << 20,
    TIDY_EVERY = 50,         /* scripts */
    TIDY_MAX_BYTES = 1 << 20 /* a step begins a cycle, which looks at all of the state */
};

static void (*open_api)(lua_State *L, enum engine e);
static void (*open_library_api)(lua_State *L);

static struct state {
    lua_State *lua;              /* NULL: none yet */
    size_t bytes, settled_bytes; /* now; after the last whole collection, or fewer */
    unsigned scripts;
} states[ENGINES];

static size_t charged_bytes;
static bool is_freeing; /* what is asked for meanwhile makes room for more */

/* is_beyond: may the blocks of all states not be so many bytes more? */
static bool
is_beyond(size_t more)
{
    size_t bytes = charged_bytes + more;

    for (unsigned e = 0; e < ENGINES; e++)
        bytes += states[e].bytes;
    return config.script_memory_limit != 0 && bytes > config.script_memory_limit && !is_freeing;
}

static void *
allocate(void *ctx, void *block, size_t before, size_t after)
{
    struct state *state = ctx;
    void *p;

    if (block == NULL)
        before = 0;
    if (after == 0) {
        free(block);
        state->bytes -= before;
        return NULL;
    }
    if (after > before &&
        (fault_point(FAULT_script_alloc) || after > BLOCK_MAX_BYTES || is_beyond(after - before)))
        return NULL;
    if ((p = realloc(block, after)) != NULL)
        state->bytes += after - before;
    return p;
}

bool
engine_charge(size_t bytes)
{
    if (is_beyond(bytes))
        return false;
    charged_bytes += bytes;
    return true;
}

void
engine_discharge(size_t bytes)
{
    must(bytes <= charged_bytes);
    charged_bytes -= bytes;
}

/* Everything is called where errors are caught. */
static int
panic(lua_State *L)
{
    (void)L;
    never("an error in Lua that nobody catches");
}

static int
fill(lua_State *L)
{
    const enum engine *e = lua_touserdata(L, 1);

    sandbox_open(L, *e, open_api);
    if (*e == ENGINE_FUNCTIONS)
        sandbox_open_library(L, open_library_api);
    return 0;
}

void
engine_init(void (*open)(lua_State *L, enum engine e), void (*open_library)(lua_State *L))
{
    open_api = open;
    open_library_api = open_library;
}

lua_State *
engine_get(enum engine e)
{
    struct state *state = &states[e];

    if (state->lua != NULL)
        return state->lua;
    if ((state->lua = lua_newstate(allocate, state)) == NULL)
        return NULL;
    lua_atpanic(state->lua, panic);
    if (lua_cpcall(state->lua, fill, &e) != 0)
        engine_close(e);
    return state->lua;
}

void
engine_close(enum engine e)
{
    struct state *state = &states[e];

    if (state->lua != NULL)
        lua_close(state->lua);
    state->lua = NULL;
    state->settled_bytes = 0;
    must(state->bytes == 0);
}

size_t
engine_bytes(enum engine e)
{
    return states[e].bytes;
}

/* free_some: call what frees memory where its errors are caught; one that there is no memory for
 * leaves what it would have freed to the state's end. */
static void
free_some(lua_State *L, lua_CFunction f, int *argument)
{
    is_freeing = true;
    if (lua_cpcall(L, f, argument) != 0)
        lua_settop(L, 0);
    is_freeing = false;
}

static int
collect(lua_State *L)
{
    const int *what = lua_touserdata(L, 1);

    lua_gc(L, *what, 1);
    return 0;
}

static int
unref(lua_State *L)
{
    const int *reference = lua_touserdata(L, 1);

    luaL_unref(L, LUA_REGISTRYINDEX, *reference);
    return 0;
}

/* is_full: more than half of the limit is used, and more of this state than after the collection
 * before: what stays (libraries, say) is not gone through for each script. */
static bool
is_full(const struct state *state)
{
    uint64_t limit = config.script_memory_limit;

    return limit != 0 && is_beyond(limit / 2) && state->bytes > state->settled_bytes + limit / 16;
}

/* The collector follows what is allocated by itself; this is for what a script leaves that makes
 * little garbage, in a state that is soon looked through. */
void
engine_tidy(enum engine e)
{
    struct state *state = &states[e];
    int what = LUA_GCSTEP;

    if (state->bytes < state->settled_bytes)
        state->settled_bytes = state->bytes;
    if (is_full(state))
        what = LUA_GCCOLLECT;
    else if (++state->scripts % TIDY_EVERY != 0 || state->bytes > TIDY_MAX_BYTES)
        return;
    free_some(state->lua, collect, &what);
    if (what == LUA_GCCOLLECT)
        state->settled_bytes = state->bytes;
}

void
engine_unref(enum engine e, int reference)
{
    free_some(states[e].lua, unref, &reference);
}
