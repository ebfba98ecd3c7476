/* server/scripts/engine.c - the Lua state: its memory, its birth and its end. */
#include "server/scripts/engine.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/scripts/scripts_impl.h"

enum {
    /* One block may not be larger: the libraries count in int, and what they build of a string is
     * up to six times as long (a character in JSON). */
    BLOCK_MAX_BYTES = 256 << 20,
    TIDY_EVERY = 50 /* scripts */
};

static void (*open_api)(lua_State *L);
static lua_State *state; /* NULL: none yet */
static size_t bytes;

static void *
allocate(void *ctx, void *block, size_t before, size_t after)
{
    size_t others = bytes - (block != NULL ? before : 0);
    void *p;

    (void)ctx;
    if (after == 0) {
        free(block);
        bytes = others;
        return NULL;
    }
    if (after > before &&
        (after > BLOCK_MAX_BYTES ||
         (config.script_memory_limit != 0 && others + after > config.script_memory_limit)))
        return NULL;
    if ((p = realloc(block, after)) != NULL)
        bytes = others + after;
    return p;
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
    sandbox_open(L, open_api);
    return 0;
}

void
engine_init(void (*open)(lua_State *L))
{
    open_api = open;
}

lua_State *
engine_get(void)
{
    if (state != NULL)
        return state;
    if ((state = lua_newstate(allocate, NULL)) == NULL)
        return NULL;
    lua_atpanic(state, panic);
    if (lua_cpcall(state, fill, NULL) != 0)
        engine_close();
    return state;
}

void
engine_close(void)
{
    if (state != NULL)
        lua_close(state);
    state = NULL;
    must(bytes == 0);
}

size_t
engine_bytes(void)
{
    return bytes;
}

/* The collector follows what is allocated by itself; this is for what a script leaves that makes
 * little garbage. */
void
engine_tidy(void)
{
    static unsigned scripts;

    if (config.script_memory_limit != 0 && bytes > config.script_memory_limit / 2)
        lua_gc(state, LUA_GCCOLLECT, 0);
    else if (++scripts % TIDY_EVERY == 0)
        lua_gc(state, LUA_GCSTEP, 1);
}
