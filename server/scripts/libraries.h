/* server/scripts/libraries.h - the libraries that scripts expect beside Lua's own.  Each call
 * pushes a table, if it does not say otherwise.
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_LIBRARIES_H
#define SERVER_SCRIPTS_LIBRARIES_H

#include <stdbool.h>

struct lua_State;

/* library_msgpack: cmsgpack. */
void library_msgpack(struct lua_State *L);
/* library_struct: struct. */
void library_struct(struct lua_State *L);
/* library_json: cjson, Debian's, with what it would overflow at in front of it. */
void library_json(struct lua_State *L);

/* library_pattern: into the table on top of the stack, Lua's own of strings. */
void library_pattern(struct lua_State *L);
/* library_chance: into the one of numbers: random, randomseed. */
void library_chance(struct lua_State *L);

/* library_bounds: bit and string, which are open, in bounds.
 * library_bound_insert, library_bound_sort: the arguments of table.insert and table.sort, before
 * these are called; pushes nothing. */
void library_bounds(struct lua_State *L);
void library_bound_insert(struct lua_State *L);
void library_bound_sort(struct lua_State *L);
/* library_look: what the state's hook does between two instructions, of a function that takes long:
 * it may raise an error. */
void library_look(struct lua_State *L);

/* library_loadstring, library_load_pieces: functions for scripts: loadstring, load. */
int library_loadstring(struct lua_State *L);
int library_load_pieces(struct lua_State *L);

#endif
