/* server/scripts/scripts_impl.h - what the files of this folder share.
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_SCRIPTS_IMPL_H
#define SERVER_SCRIPTS_SCRIPTS_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/scripts/engine.h"
#include "server/scripts/script.h"

struct client;
struct cmd;
struct lua_State;

/* ---- sandbox.c: what a script finds ---- */

/* How many instructions of a script that is to end lie between two calls of the hook. */
enum { HOOK_OF_ENDING = 1 };
/* sandbox_open: libraries, globals, and what keeps them as they are (EN1).
 * sandbox_open_library: what is found instead while a function library is loaded. */
void sandbox_open(struct lua_State *L, enum engine e,
                  void (*open_api)(struct lua_State *L, enum engine e));
void sandbox_open_library(struct lua_State *L, void (*open_api)(struct lua_State *L));
/* sandbox_call_library: call the function on top of the stack, which goes, with only the names of a
 * library that is being loaded; 0, or what lua_pcall() says, and the error is pushed. */
int sandbox_call_library(struct lua_State *L);
/* sandbox_set_global: the value on top of the stack, which it takes, as a global that scripts read;
 * raises an error without memory. */
void sandbox_set_global(struct lua_State *L, const char *name);
/* sandbox_front: replace the table on top of the stack by a front of it. */
void sandbox_front(struct lua_State *L);

/* ---- sandbox_compile.c ---- */

/* sandbox_compile: the text as a function, pushed; or what is wrong with it, pushed as a string.
 * 0, or LUA_ERRSYNTAX, LUA_ERRMEM.  name: as errors quote it, "@" first. */
int sandbox_compile(struct lua_State *L, struct slice text, const char *name);

/* ---- script.c: a script that is kept ---- */

/* script_digest: the SHA-1 of a text: SCRIPT_SHA_BYTES digits and a NUL. */
void script_digest(struct slice text, char *ret);

/* ---- api.c: the table `redis` ---- */

/* api_open: push it.
 * api_open_common: one with what is there while a library is loaded, too. */
void api_open(struct lua_State *L, enum engine e);
void api_open_common(struct lua_State *L);
/* api_error: push an error as scripts see it, a table; text with its code. */
void api_error(struct lua_State *L, const char *text, bool was_counted);

/* ---- from_reply.c, to_reply.c ---- */

/* from_reply: push the reply that stands in whole at p, as Lua has it; returns its end. */
const char *from_reply(struct lua_State *L, const char *p);
/* to_reply: reply with the value on top of the stack, which goes.  resp: what the script speaks.
 * Raises an error when the reply becomes longer than script-memory-limit: then a part of it stands
 * in the output. */
void to_reply(struct lua_State *L, struct client *c, int resp);

/* to_reply_error: what a script says is wrong. */
void to_reply_error(struct client *c, const char *text, bool was_counted);

/* ---- function_load.c: a library that is being loaded ---- */

/* library_open_api: push the table `redis` that it finds. */
void library_open_api(struct lua_State *L);

/* ---- run.c: the script that runs ---- */

enum run_repl { RUN_REPL_AOF = 1, RUN_REPL_REPLICA = 2, RUN_REPL_ALL = 3 };
/* What is to run: a script, or a function of a library, which gets KEYS and ARGV as its
 * arguments. */
struct run_task {
    enum engine engine;
    const char *name; /* as errors and the log have it; it stays until the task has ended */
    unsigned flags;   /* enum script_flag */
    int function;     /* in the registry of its state */
    int key_count;
    bool readonly; /* by a command that is */
};
struct run {
    const struct run_task *task;
    struct client *caller;
    bool is_readonly; /* EVAL_RO, or it says no-writes */
    bool is_short;    /* beyond maxmemory when it began */
    bool has_written; /* it has called a command that writes: it may not be killed */
    bool is_killed;
    bool is_busy;  /* it runs for longer than busy-reply-threshold */
    unsigned repl; /* redis.set_repl() */
    int64_t begin_ns, looked_ns;
};
/* run_task: execute it, and reply to c what it returns: c's words are EVAL's, or FCALL's: keys
 * begin at word 3, and what follows them is ARGV. */
void run_task(struct client *c, const struct run_task *task);
/* run_now: NULL: none runs. */
struct run *run_now(void);
/* run_client: who executes its commands.  It has replied nothing. */
struct client *run_client(void);
/* run_caller_may: may who called the script execute these words? */
bool run_caller_may(const struct cmd *cmd, int argc, const struct slice *argv);
/* run_command: execute these words, and find the reply in the client's output; returns it, whole.
 * NULL: *ret_error says why not, code first. */
const char *run_command(int argc, const struct slice *argv, const char **ret_error);

#endif
