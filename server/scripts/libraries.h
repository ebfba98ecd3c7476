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

/* library_loadstring, library_load_pieces: functions for scripts: loadstring, load. */
int library_loadstring(struct lua_State *L);
int library_load_pieces(struct lua_State *L);

#endif
