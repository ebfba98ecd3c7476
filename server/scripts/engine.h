/* server/scripts/engine.h - the Lua states in which scripts and functions run: their memory, and
 * what a script finds in them.  Scripts have one, function libraries another: what is forgotten of
 * the one is nothing to the other.
 *
 *   EN1  What scripts share is read-only: the globals, `redis`, and the libraries.  Each of these
 *        is an empty table (a *front*) before the real one: reads go through, writes are errors.
 *        What Lua would do to a front without asking it (rawset, next, table.insert ...) asks the
 *        engine.
 *   EN2  Only text is compiled, never bytecode, and nothing is collected while that is done.
 *   EN3  Every block of the states is counted, and what is kept beside them for functions; beyond
 *        script-memory-limit, which is for all of it, there is none.
 *
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_ENGINE_H
#define SERVER_SCRIPTS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

struct lua_State;

enum engine { ENGINE_SCRIPTS, ENGINE_FUNCTIONS, ENGINES };

/* engine_init: at start: who pushes the table `redis` of scripts and functions, and that of a
 * library that is being loaded. */
void engine_init(void (*open_api)(struct lua_State *L, enum engine e),
                 void (*open_library_api)(struct lua_State *L));
/* engine_get: the state, made when it is wanted first.  NULL: no memory. */
struct lua_State *engine_get(enum engine e);
/* engine_close: all that it holds goes, with what was compiled: of a large state in slices of the
 * loop's.  Not while a script runs in it. */
void engine_close(enum engine e);
/* engine_bytes: of its blocks; 0: there is no state. */
size_t engine_bytes(enum engine e);
/* engine_charge: so much is kept beside the states; false: that is beyond the limit.
 * engine_discharge: no longer. */
bool engine_charge(size_t bytes);
void engine_discharge(size_t bytes);
/* engine_tidy: a script has ended: some of what it left is collected.
 * engine_unref: what the registry has under that number goes.  Neither fails, nor is the limit
 * theirs: to free takes a little memory in Lua. */
void engine_tidy(enum engine e);
void engine_unref(enum engine e, int reference);

#endif
