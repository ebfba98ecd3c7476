/* server/scripts/script.h - Lua scripts that clients send: kept by their SHA-1, run for a client.
 *
 *   SC1  A script is one command: nothing of another client's is executed within it, and no
 *        snapshot is cut.  After busy-reply-threshold others are heard, but all that they may do is
 *        to ask, to begin a transaction, and to end the script or the server (exec/exec.h,
 *        exec_let_others()).
 *   SC2  What it changes is told like a transaction's: its commands' effects, in one piece.
 *   SC3  A script may be ended as long as it has called no command that writes.
 *
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_SCRIPT_H
#define SERVER_SCRIPTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "mm/base/slice.h"

struct client;

/* What a script says of itself in its first line, "#!lua flags=no-writes,allow-oom". */
enum script_flag {
    SCRIPT_NO_WRITES = 1 << 0,
    SCRIPT_ALLOW_OOM = 1 << 1,
    SCRIPT_ALLOW_STALE = 1 << 2,
    SCRIPT_NO_CLUSTER = 1 << 3,
    SCRIPT_ALLOW_CROSS_SLOT_KEYS = 1 << 4,
    SCRIPT_PLAIN = 1 << 5 /* no such line: its commands are looked at one by one */
};

/* script_flag_named: 0: there is none.
 * script_flag_name: the i-th, and its bit; NULL after the last. */
unsigned script_flag_named(struct slice name);
const char *script_flag_name(unsigned i, unsigned *ret_flag);

enum { SCRIPT_SHA_BYTES = 40 };
struct script;

/* scripts_init: at start. */
void scripts_init(void);
/* script_find: by its SHA-1 in hexadecimal digits, any case.  NULL: there is none. */
struct script *script_find(struct slice sha);
/* script_keep: the script of that text, compiled; made, if there is none.  for_good: SCRIPT LOAD;
 * of those that EVAL alone brought the oldest go.  NULL: c was replied what is wrong with it. */
struct script *script_keep(struct client *c, struct slice text, bool for_good);
const char *script_sha(const struct script *s);
/* script_flush: none is kept any more, and the Lua state is a new one.  Not while one runs. */
void script_flush(void);

/* script_run: execute it, and reply what it returns.  c's words are EVAL's; its keys begin at word
 * 3 and are key_count; what follows is ARGV. */
void script_run(struct client *c, const struct script *s, int key_count, bool readonly);

enum script_kill { SCRIPT_KILLED, SCRIPT_NOT_BUSY, SCRIPT_UNKILLABLE, SCRIPT_OTHER_KIND };
/* script_kill: end the script, or the function, that runs, at its next instruction; OTHER_KIND: it
 * is the other one that runs, as *ret_busy says. */
enum script_kill script_kill(bool is_function, const char **ret_busy);
/* script_is_busy: one runs, and for so long that others are heard. */
bool script_is_busy(void);

struct script_figures {
    size_t vm_bytes;    /* of the Lua state */
    size_t cache_bytes; /* of what is kept of scripts beside it */
    size_t count, evicted;
};
void script_figures(struct script_figures *ret);

#endif
