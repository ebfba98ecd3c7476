/* server/scripts/run.c - a script that runs: what it may call, how long it goes unheard, how it
 * ends. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/config/config.h"
#include "server/exec/acl.h"
#include "server/exec/auth.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/exec.h"
#include "server/exec/monitor.h"
#include "server/figures/errorstats.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/output.h"
#include "server/net/reply.h"
#include "server/scripts/engine.h"
#include "server/scripts/scripts_impl.h"

enum {
    /* Of Lua between two looks at the clock: usually a moment's, but one may take long. */
    HOOK_FIRST = 64,
    HOOK_MOST = 16384,
    HOOK_LATE_NS = 2000000,
    ERROR_MAX_BYTES = 1024
};

static const char killed_text[] = "ERR Script killed by user with SCRIPT KILL...",
                  oom_text[] = "OOM command not allowed when used memory > 'maxmemory'.";

static struct run *run;          /* NULL: none runs */
static struct client *commander; /* [owned] who executes what scripts call; NULL: none yet */

struct run *
run_now(void)
{
    return run;
}

struct client *
run_client(void)
{
    return commander;
}

/* ---- commands of the script ---- */

static void
forget_reply(struct client *c)
{
    output_take_back(c, client_pending_out(c));
}

static struct cmd *
find_command(int argc, const struct slice *argv)
{
    struct cmd *cmd = cmd_find(argv[0]);

    if (cmd != NULL && cmd->subs != NULL && argc > 1)
        cmd = cmd_find_sub(cmd, argv[1]);
    return cmd;
}

/* object: why the script may not call that command; NULL: it may.  In Redis's order. */
static const char *
object(const struct cmd *cmd, int argc, const struct slice *argv)
{
    const char *error;

    if (!cmd_arity_is_good(cmd, argc))
        return "ERR Wrong number of args calling Redis command from script";
    if ((cmd->flags & CMD_NOSCRIPT) != 0)
        return "ERR This Redis command is not allowed from script";
    if ((error = auth_script_objection(run->caller, cmd, argv, argc)) != NULL)
        return error;
    if (run->is_readonly && (cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)) != 0)
        return "ERR Write commands are not allowed from read-only scripts.";
    if ((cmd->flags & CMD_WRITE) != 0 && exec_gates.write_error != NULL &&
        (error = exec_gates.write_error()) != NULL)
        return error;
    if (run->is_short && (cmd->flags & CMD_DENYOOM) != 0 && !run->has_written &&
        (run->task->flags & SCRIPT_ALLOW_OOM) == 0)
        return oom_text;
    return NULL;
}

bool
run_caller_may(const struct cmd *cmd, int argc, const struct slice *argv)
{
    return auth_script_may(run->caller, cmd, argv, argc);
}

const char *
run_command(int argc, const struct slice *argv, const char **ret_error)
{
    struct cmd *cmd = find_command(argc, argv);
    const char *error;

    forget_reply(commander);
    error = cmd != NULL ? object(cmd, argc, argv) : "ERR Unknown Redis command called from script";
    if (error != NULL) {
        if (cmd != NULL)
            cmd->rejected++;
        errorstats_count(error);
        *ret_error = error;
        return NULL;
    }
    run->has_written |= (cmd->flags & CMD_WRITE) != 0;
    effect_hush(run->repl == 0);
    exec_nested_call(commander, cmd, argc, argv);
    effect_hush(false);
    if (commander->close_now) {
        *ret_error = "OOM no memory for the reply of a command";
        return NULL;
    }
    return commander->out + commander->out_sent;
}

/* take_commander: who executes for c; false: no memory. */
static bool
take_commander(const struct client *c)
{
    if (commander == NULL && (commander = client_new_detached()) == NULL)
        return false;
    commander->kind = CLIENT_SCRIPT;
    commander->resp = 2;
    acl_act_as(commander, c->user); /* SORT asks what else it may read */
    commander->authenticated = c->authenticated;
    commander->no_touch = c->no_touch;
    commander->db_index = c->db_index;
    strcpy(commander->addr, "lua");
    return true;
}

static void
rest_commander(void)
{
    if (commander->close_now) { /* no memory for a reply: it is of no more use */
        client_free(commander);
        commander = NULL;
        return;
    }
    acl_act_as(commander, NULL);
    forget_reply(commander);
    output_return(commander);
}

/* ---- the time that it takes ---- */

static const char *const busy_texts[ENGINES] = {
    [ENGINE_SCRIPTS] =
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    [ENGINE_FUNCTIONS] =
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."};

static void
begin_busy(int64_t ms)
{
    const struct run_task *task = run->task;

    run->is_busy = true;
    exec_gates.busy = busy_texts[task->engine];
    log_line(
        LOG_WARNING,
        "Slow script detected: still in execution after %lld milliseconds. You can try killing the script using the %s KILL command. Script name is: %s.",
        (long long)ms, task->engine == ENGINE_SCRIPTS ? "SCRIPT" : "FUNCTION", task->name);
}

static void
end_busy(void)
{
    exec_gates.busy = NULL;
}

static void look(lua_State *L, lua_Debug *ar);

/* pace: the next look comes later than this one did, unless this one came late. */
static void
pace(lua_State *L, int64_t now_ns)
{
    int count = lua_gethookcount(L);
    bool is_late = now_ns - run->looked_ns > HOOK_LATE_NS;

    run->looked_ns = now_ns;
    if (is_late && count != HOOK_FIRST)
        lua_sethook(L, look, LUA_MASKCOUNT, HOOK_FIRST);
    else if (!is_late && count < HOOK_MOST)
        lua_sethook(L, look, LUA_MASKCOUNT, 2 * count);
}

/* look: the engine's call, now and then, from between two instructions; and library_look()'s. */
static void
look(lua_State *L, lua_Debug *ar)
{
    int64_t now_ns = os_monotonic_ns(), ms = (now_ns - run->begin_ns) / 1000000;

    (void)ar;
    if (!run->is_killed)
        pace(L, now_ns);
    if (!run->is_busy && config.busy_reply_threshold > 0 && ms >= config.busy_reply_threshold)
        begin_busy(ms);
    if (run->is_busy && !run->is_killed)
        exec_let_others(loop_turn_while_busy);
    if (!run->is_killed)
        return;
    /* Whoever catches the error is stopped by the next instruction, here and in the main thread,
     * which goes on when a coroutine ends. */
    lua_sethook(L, look, LUA_MASKCOUNT, HOOK_OF_ENDING);
    lua_sethook(engine_get(run->task->engine), look, LUA_MASKCOUNT, HOOK_OF_ENDING);
    api_error(L, killed_text, false);
    lua_error(L);
}

enum script_kill
script_kill(bool is_function, const char **ret_busy)
{
    if (run == NULL)
        return SCRIPT_NOT_BUSY;
    if (run->has_written)
        return SCRIPT_UNKILLABLE;
    if (is_function != (run->task->engine == ENGINE_FUNCTIONS)) {
        *ret_busy = busy_texts[run->task->engine];
        return SCRIPT_OTHER_KIND;
    }
    log_line(LOG_NOTICE, "Lua script killed by user with SCRIPT KILL.");
    run->is_killed = true;
    return SCRIPT_KILLED;
}

bool
script_is_busy(void)
{
    return run != NULL && run->is_busy;
}

/* ---- the end of it ---- */

/* explain: the handler of an error that nobody caught: where it was raised is put into it. */
static int
explain(lua_State *L)
{
    lua_Debug at = {.source = NULL};

    lua_settop(L, 1);
    if (!lua_istable(L, 1)) {
        lua_pushliteral(L, "ERR ");
        if (lua_isstring(L, 1))
            lua_pushvalue(L, 1);
        else if (lua_isboolean(L, 1))
            lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
        else
            lua_pushstring(L, luaL_typename(L, 1));
        lua_concat(L, 2);
        lua_createtable(L, 0, 3);
        lua_insert(L, -2);
        lua_setfield(L, -2, "err");
        lua_replace(L, 1);
    }
    if (!lua_getstack(L, 1, &at) || !lua_getinfo(L, "Sl", &at))
        return 1;
    if (strcmp(at.what, "C") == 0 && lua_getstack(L, 2, &at))
        lua_getinfo(L, "Sl", &at);
    lua_pushliteral(L, "source");
    lua_pushstring(L, at.source);
    lua_rawset(L, 1);
    lua_pushliteral(L, "line");
    lua_pushinteger(L, at.currentline);
    lua_rawset(L, 1);
    return 1;
}

/* text_field: of the table on top of the stack; it stays there, below the text.  NULL: no such
 * text. */
static const char *
text_field(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, table);
    return lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
}

/* reply_failure: with the error on top of the stack. */
static void
reply_failure(lua_State *L, struct client *c)
{
    int table = lua_gettop(L);
    const char *error, *source, *line;
    char text[ERROR_MAX_BYTES];
    bool was_counted;

    if (!lua_istable(L, table)) { /* there was no memory for one, or the handler's went wrong */
        reply_errorf(c, "ERR %s script: %s",
                     lua_isstring(L, table) ? lua_tostring(L, table) : "unknown error",
                     run->task->name);
        return;
    }
    error = text_field(L, table, "err");
    source = text_field(L, table, "source");
    line = text_field(L, table, "line");
    lua_pushliteral(L, "ignore_error_stats_update");
    lua_rawget(L, table);
    was_counted = lua_toboolean(L, -1);
    snprintf(text, sizeof text, "%s script: %s, on %s:%s.",
             error != NULL ? error : "ERR unknown error", run->task->name,
             source != NULL ? source : "?", line != NULL ? line : "?");
    to_reply_error(c, text, was_counted);
}

/* ---- running ---- */

static void
push_words(lua_State *L, const struct slice *words, int count)
{
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushlstring(L, words[i].ptr, words[i].len);
        lua_rawseti(L, -2, i + 1);
    }
}

enum { FIRST_KEY = 3 /* EVAL script numkeys key ... */ };

/* What execute() gets. */
struct call {
    struct client *client;
    const struct run_task *task;
};

/* execute: all that may fail for want of memory, which lua_cpcall() catches. */
static int
execute(lua_State *L)
{
    const struct call *call = lua_touserdata(L, 1);
    const struct run_task *task = call->task;
    struct client *c = call->client;
    const struct slice *words = c->argv + FIRST_KEY;
    bool has_arguments = task->engine == ENGINE_FUNCTIONS;

    lua_pushcfunction(L, explain);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->function);
    push_words(L, words, task->key_count);
    push_words(L, words + task->key_count, c->argc - FIRST_KEY - task->key_count);
    if (!has_arguments) {
        sandbox_set_global(L, "ARGV");
        sandbox_set_global(L, "KEYS");
    }
    if (lua_pcall(L, has_arguments ? 2 : 0, 1, 2) == 0)
        to_reply(L, c, commander->resp);
    else
        reply_failure(L, c);
    return 0;
}

/* forget_words: what a script was given does not stay until the next one. */
static int
forget_words(lua_State *L)
{
    push_words(L, NULL, 0);
    sandbox_set_global(L, "KEYS");
    push_words(L, NULL, 0);
    sandbox_set_global(L, "ARGV");
    return 0;
}

static void
call_engine(lua_State *L, struct call *call)
{
    struct client *c = call->client;
    size_t before = client_pending_out(c);

    lua_sethook(L, look, LUA_MASKCOUNT, HOOK_FIRST);
    if (lua_cpcall(L, execute, call) != 0) {
        reply_take_back(c, before);
        reply_errorf(
            c, "OOM script: %s needs more memory than script-memory-limit allows, or there is",
            call->task->name);
    }
    lua_sethook(L, NULL, 0, 0);
    lua_settop(L, 0);
    if (call->task->engine == ENGINE_SCRIPTS && lua_cpcall(L, forget_words, NULL) != 0)
        lua_settop(L, 0);
    engine_tidy(call->task->engine);
}

static bool
is_short_of_memory(void)
{
    return config.maxmemory != 0 && exec_gates.make_room != NULL && !exec_gates.make_room();
}

/* object_to_script: one that says what it does is asked about as a whole. */
static const char *
object_to_script(unsigned flags, bool readonly)
{
    const char *error;

    if ((flags & (SCRIPT_PLAIN | SCRIPT_NO_WRITES)) != 0)
        return NULL;
    if (readonly)
        return "ERR Can not execute a script with write flag using *_ro command.";
    if (exec_gates.write_error != NULL && (error = exec_gates.write_error()) != NULL)
        return error;
    if ((flags & SCRIPT_ALLOW_OOM) == 0 && run->is_short)
        return oom_text;
    return NULL;
}

void
run_task(struct client *c, const struct run_task *task)
{
    struct run this = {.task = task,
                       .caller = c,
                       .is_readonly = task->readonly || (task->flags & SCRIPT_NO_WRITES) != 0,
                       .is_short = is_short_of_memory(),
                       .repl = RUN_REPL_ALL,
                       .begin_ns = os_monotonic_ns()};
    struct call call = {.client = c, .task = task};
    const char *error;

    this.looked_ns = this.begin_ns;
    must(run == NULL); /* EVAL is no command for scripts, nor for those that are heard meanwhile */
    if (!take_commander(c)) {
        reply_error(c, "OOM no memory to run a script");
        return;
    }
    if (unlikely(monitor_count > 0))
        monitor_feed(c);
    run = &this;
    if ((error = object_to_script(task->flags, task->readonly)) != NULL)
        reply_error(c, error);
    else
        call_engine(engine_get(task->engine), &call);
    if (this.is_busy)
        end_busy();
    rest_commander();
    run = NULL;
}
