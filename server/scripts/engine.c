/* server/scripts/engine.c - the Lua states: their memory, their birth and their end. */
#include "server/scripts/engine.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/config/config.h"
#include "server/net/loop.h"
#include "server/scripts/scripts_impl.h"

enum {
    /* One block may not be larger: the libraries count in int, and what they build of a string is
     * up to six times as long (a character in JSON). */
    BLOCK_MAX_BYTES = 256 << 20,
    TIDY_EVERY = 50,          /* scripts */
    TIDY_MAX_BYTES = 1 << 20, /* a step begins a cycle, which looks at all of the state */
    AT_ONCE_BYTES = 1 << 20,  /* so large a state is closed in less than a slice */
    END_CYCLES = 2,           /* of the collector, after which nothing of a state is left */
    END_STEPS = 16            /* between two looks at the clock */
};

static void (*open_api)(lua_State *L, enum engine e);
static void (*open_library_api)(lua_State *L);

static struct state {
    lua_State *lua;              /* NULL: none yet */
    size_t bytes, settled_bytes; /* now; after the last whole collection, or fewer */
    unsigned scripts;
} states[ENGINES];

/* A large state that was closed: it is freed in slices, and is nothing to the limit. */
static struct state dying;
static unsigned dying_cycles;

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

/* free_some: call what frees memory where its errors are caught; one that there is no memory for
 * leaves what it would have freed to the state's end: false. */
static bool
free_some(lua_State *L, lua_CFunction f, int *argument)
{
    bool good;

    is_freeing = true;
    good = lua_cpcall(L, f, argument) == 0;
    is_freeing = false;
    if (!good)
        lua_pop(L, 1);
    return good;
}

/* end_dying: what is left of it goes at once. */
static void
end_dying(void)
{
    if (dying.lua != NULL)
        lua_close(dying.lua);
    must(dying.bytes == 0);
    dying = (struct state){.lua = NULL};
}

/* forget_all: of a state: nothing is reachable any more. */
static int
forget_all(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX) != 0;) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_newtable(L);
    lua_replace(L, LUA_GLOBALSINDEX);
    return 0;
}

static int
collect_some(lua_State *L)
{
    for (unsigned i = 0; i < END_STEPS && dying_cycles < END_CYCLES; i++)
        dying_cycles += (unsigned)lua_gc(L, LUA_GCSTEP, 1);
    return 0;
}

static void free_dying(unsigned slice_us);
static struct loop_task task = {
    .place = LOOP_DATA, .is_slice = true, .due_ms = LOOP_NEVER, .run = free_dying};

static void
free_dying(unsigned slice_us)
{
    int64_t until_us = os_monotonic_us() + slice_us;

    while (dying.lua != NULL && dying_cycles < END_CYCLES && os_monotonic_us() < until_us)
        if (!free_some(dying.lua, collect_some, NULL))
            dying_cycles = END_CYCLES;
    if (dying.lua != NULL && dying_cycles < END_CYCLES)
        return;
    end_dying();
    loop_task_at(&task, LOOP_NEVER);
}

/* begin_dying: one after the other, so that there is one more than is counted at most. */
static void
begin_dying(struct state *state)
{
    end_dying();
    dying = *state;
    *state = (struct state){.lua = NULL};
    lua_setallocf(dying.lua, allocate, &dying);
    dying_cycles = free_some(dying.lua, forget_all, NULL) ? 0 : END_CYCLES;
    loop_task_at(&task, LOOP_NOW);
}

void
engine_close(enum engine e)
{
    struct state *state = &states[e];

    if (state->lua != NULL && state->bytes > AT_ONCE_BYTES)
        begin_dying(state);
    else if (state->lua != NULL)
        lua_close(state->lua);
    state->lua = NULL;
    state->settled_bytes = 0;
    must(state->bytes == 0);
}

void
engine_init(void (*open)(lua_State *L, enum engine e), void (*open_library)(lua_State *L))
{
    open_api = open;
    open_library_api = open_library;
    loop_task_add(&task);
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

size_t
engine_bytes(enum engine e)
{
    return states[e].bytes;
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
    (void)free_some(state->lua, collect, &what);
    if (what == LUA_GCCOLLECT)
        state->settled_bytes = state->bytes;
}

void
engine_unref(enum engine e, int reference)
{
    (void)free_some(states[e].lua, unref, &reference);
}
