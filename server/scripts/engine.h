/* server/scripts/engine.h - the Lua state in which scripts run: its memory, and what a script finds
 * in it.
 *
 *   EN1  What scripts share is read-only: the globals, `redis`, and the libraries.  Each of these
 *        is an empty table (a *front*) before the real one: reads go through, writes are errors.
 *        What Lua would do to a front without asking it (rawset, next, table.insert ...) asks the
 *        engine.
 *   EN2  Only text is compiled, never bytecode, and nothing is collected while that is done.
 *   EN3  Every block of the state is counted; beyond script-memory-limit there is none.
 *
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_ENGINE_H
#define SERVER_SCRIPTS_ENGINE_H

#include <stddef.h>

struct lua_State;

/* engine_init: at start: who pushes the table `redis`. */
void engine_init(void (*open_api)(struct lua_State *L));
/* engine_get: the state, made when it is wanted first.  NULL: no memory. */
struct lua_State *engine_get(void);
/* engine_close: all that it holds goes, with what was compiled.  Not while a script runs. */
void engine_close(void);
/* engine_bytes: of its blocks; 0: there is no state. */
size_t engine_bytes(void);
/* engine_tidy: a script has ended: some of what it left is collected. */
void engine_tidy(void);

#endif
