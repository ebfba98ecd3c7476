/* server/exec/exec.c - one command: what must be true before its handler runs, in Redis's order.
 * How it is called and counted: exec_call.c. */
#include "server/exec/exec.h"

#include <stdio.h>
#include <string.h>

#include "mm/base/log_few.h"
#include "mm/base/must.h"
#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/acl.h"
#include "server/exec/auth.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/exec_impl.h"
#include "server/exec/keyhold.h"
#include "server/exec/keywait.h"
#include "server/exec/multi.h"
#include "server/exec/pause.h"
#include "server/exec/pubsub.h"
#include "server/exec/tracking.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/net/reply.h"

enum { UNKNOWN_ARGS_BYTES = 128 }; /* how much of an unknown command is quoted back */

struct exec_gates exec_gates;

static const char loading_text[] = "LOADING Redis is loading the dataset in memory";

bool
exec_refused_loading(struct client *c)
{
    if (db_state.loading)
        reply_error(c, loading_text);
    return db_state.loading;
}

/* Refuse the command: an error, and a transaction that cannot be executed any more. */
static void
reject(struct client *c, struct cmd *cmd, const char *error)
{
    if (c->multi != NULL)
        c->multi_dirty = true;
    if (cmd != NULL)
        cmd->rejected++;
    if (cmd != NULL && (cmd->flags & CMD_RUNS_QUEUE) != 0)
        multi_abort(c, error);
    else
        reply_error(c, error);
    if (unlikely((exec_state.onlookers & ONLOOKER_TRACKING) != 0))
        tracking_done(c, cmd);
}

/* The words of web browsers and mail servers made to talk to us: somebody is being tricked. */
static bool
is_cross_protocol(struct slice name)
{
    return slice_is_word(name, "post") || slice_is_word(name, "host:");
}

static void
reject_unknown(struct client *c)
{
    static struct log_few attacks = {.lines = 10, .seconds = 60};
    struct text t = {0};
    size_t args = 0;

    if (client_has_socket(c) && is_cross_protocol(c->argv[0])) {
        log_few(
            &attacks, LOG_WARNING,
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Stillframe. Connection from %s aborted.",
            c->addr);
        client_doom(c);
        return;
    }
    text_add(&t, "ERR unknown command '");
    text_add_bytes(&t, c->argv[0].ptr,
                   strnlen(c->argv[0].ptr, c->argv[0].len < UNKNOWN_ARGS_BYTES
                                               ? c->argv[0].len
                                               : UNKNOWN_ARGS_BYTES));
    text_add(&t, "', with args beginning with: ");
    for (int i = 1; i < c->argc && args < UNKNOWN_ARGS_BYTES; i++) {
        size_t room = UNKNOWN_ARGS_BYTES - args,
               len = c->argv[i].len < room ? c->argv[i].len : room;
        size_t before = t.len;
        text_add(&t, "'");
        text_add_bytes(&t, c->argv[i].ptr, strnlen(c->argv[i].ptr, len));
        text_add(&t, "' ");
        args += t.len - before;
    }
    reject(c, NULL, text_str(&t));
    text_free(&t);
}

static void
reject_unknown_sub(struct client *c)
{
    reject(c, NULL, reply_subcommand_text("unknown subcommand", c->argv[0], c->argv[1]));
}

static void
reject_arity(struct client *c, struct cmd *cmd)
{
    char text[128];

    snprintf(text, sizeof text, "ERR wrong number of arguments for '%s' command", cmd->full_name);
    reject(c, cmd, text);
}

/* ---- objections, in Redis's order ---- */

/* A RESP2 client with subscriptions may say little else. */
static const char *
object_to_subscriber(const struct cmd *cmd)
{
    static char text[192];

    snprintf(
        text, sizeof text,
        "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        cmd->full_name);
    return text;
}

#define NOT_ALLOWED(name, parameter)                                                               \
    "ERR " name " command not allowed. If the " parameter                                          \
    " option is set to \"local\", you can run it from a local connection, otherwise you need to "  \
    "set this option in the configuration file, and then restart the server."

/* What a parameter has to allow. */
static const char *
object_to_admin(const struct client *c, const struct cmd *cmd)
{
    if ((cmd->flags & CMD_DEBUGS) != 0 && !client_is_permitted(c, config.enable_debug_command))
        return NOT_ALLOWED("DEBUG", "enable-debug-command");
    if ((cmd->flags & CMD_LOADS_MODULES) != 0 &&
        !client_is_permitted(c, config.enable_module_command))
        return NOT_ALLOWED("MODULE", "enable-module-command");
    return NULL;
}

static const char *
object_to_permission(const struct client *c, const struct cmd *cmd)
{
    if (client_is_stranger(c) && (cmd->flags & CMD_NO_AUTH) == 0)
        return "NOAUTH Authentication required.";
    if (unlikely((cmd->flags & CMD_ADMIN) != 0))
        return object_to_admin(c, cmd);
    return NULL;
}

static bool
writers_wait(void)
{
    return exec_gates.writers_wait != NULL && exec_gates.writers_wait();
}

static bool
make_room(struct client *c)
{
    bool is_enough;

    exec_state.beginner = c;
    is_enough = exec_gates.make_room();
    exec_state.beginner = NULL;
    return is_enough;
}

/* Whether the handler may run now; if not, the error.  flags: the command's, and for EXEC those of
 * what it runs. */
static const char *
find_objection(struct client *c, const struct cmd *cmd, uint32_t flags)
{
    const char *error = object_to_permission(c, cmd);

    if (unlikely(error != NULL))
        return error;
    if (unlikely(c->multi != NULL) && (cmd->flags & CMD_NO_MULTI) != 0)
        return "ERR Command not allowed inside a transaction";
    if (unlikely(c->is_limited) && !acl_grants(c->user, cmd, c->argv, c->argc))
        return auth_objection(c, cmd);
    if (unlikely(exec_gates.make_room != NULL) && !make_room(c) && (flags & CMD_DENYOOM) != 0)
        return "OOM command not allowed when used memory > 'maxmemory'.";
    if ((flags & (CMD_WRITE | CMD_PROBES_WRITES)) != 0 &&
        unlikely(exec_gates.write_error != NULL) && (error = exec_gates.write_error()) != NULL)
        return error;
    if (unlikely(client_is_subscriber(c)) && c->resp == 2 && (cmd->flags & CMD_PUBSUB_CONTEXT) == 0)
        return object_to_subscriber(cmd);
    if (unlikely(db_state.loading) && (flags & CMD_LOADING) == 0)
        return loading_text;
    if (unlikely(exec_gates.busy != NULL) && (cmd->flags & CMD_ALLOW_BUSY) == 0)
        return exec_gates.busy;
    return NULL;
}

/* Does it change data?  PFCOUNT does, and PUBLISH, which others would have to repeat too, does
 * not. */
static inline bool
changes_data(uint32_t flags)
{
    return (flags & CMD_WRITE) != 0 ||
           (flags & (CMD_MAY_REPLICATE | CMD_PUBSUB)) == CMD_MAY_REPLICATE;
}

/* Must the command wait?  Writers do while the snapshot's memory is used up, unless they are only
 * queued, what CLIENT PAUSE holds, and who would change a key that is held.  Who has no socket
 * cannot. */
static __attribute__((noinline)) bool
is_held(const struct client *c, const struct cmd *cmd, uint32_t flags)
{
    if (!client_has_socket(c))
        return false;
    if (mm_barrier_on && changes_data(flags) &&
        (c->multi == NULL || (cmd->flags & CMD_RUNS_QUEUE) != 0) && writers_wait())
        return true;
    if (keyhold_count != 0 && keyhold_stops(c, cmd, flags))
        return true;
    return pause_until_ms != 0 && pause_holds(c, flags);
}

static inline bool
must_wait(const struct client *c, const struct cmd *cmd, uint32_t flags)
{
    return unlikely(mm_barrier_on || pause_until_ms != 0 || keyhold_count != 0) &&
           is_held(c, cmd, flags);
}

/* ---- executing ---- */

/* The command, or the subcommand, that c's words name; NULL: an error was replied. */
static struct cmd *
choose(struct client *c, struct cmd *cmd)
{
    struct cmd *sub;

    if (unlikely(cmd == NULL)) {
        reject_unknown(c);
        return NULL;
    }
    if (likely(cmd->subs == NULL) || c->argc == 1)
        return cmd;
    if ((sub = cmd_find_sub(cmd, c->argv[1])) == NULL)
        reject_unknown_sub(c);
    return sub;
}

/* flags_in_all: the command's, and what EXEC does with those that it runs; a script may change
 * data. */
static inline uint32_t
flags_in_all(const struct client *c, const struct cmd *cmd)
{
    uint32_t flags = cmd->flags;

    if (unlikely((flags & CMD_RUNS_QUEUE) != 0))
        flags |= multi_flags(c) & (CMD_WRITE | CMD_DENYOOM | CMD_MAY_REPLICATE | CMD_RUNS_SCRIPT);
    if ((flags & CMD_RUNS_SCRIPT) != 0)
        flags |= CMD_MAY_REPLICATE;
    return flags;
}

static void
execute(struct client *c, struct cmd *cmd)
{
    const char *objection;
    uint32_t flags;

    if ((cmd = choose(c, cmd)) == NULL)
        return;
    c->cmd = c->last_cmd = cmd;
    if (unlikely(!cmd_arity_is_good(cmd, c->argc))) {
        reject_arity(c, cmd);
        return;
    }
    flags = flags_in_all(c, cmd);
    if (unlikely((objection = find_objection(c, cmd, flags)) != NULL)) {
        reject(c, cmd, objection);
        return;
    }
    if (unlikely(must_wait(c, cmd, flags))) {
        c->postponed = true;
        return;
    }
    if (unlikely(c->multi != NULL) && (cmd->flags & CMD_RUN_IN_MULTI) == 0)
        multi_queue(c, cmd);
    else
        exec_call(c, cmd);
}

/* CLIENT REPLY OFF or SKIP. */
static void
execute_muted(struct client *c, struct cmd *cmd)
{
    bool skip = c->reply_skip;

    c->reply_skip = false;
    output_mute(c);
    execute(c, cmd);
    output_unmute(c);
    if (c->postponed)
        c->reply_skip = skip;
}

static inline void
execute_one(struct client *c, struct cmd *cmd)
{
    c->postponed = false;
    if (unlikely(c->reply_off || c->reply_skip))
        execute_muted(c, cmd);
    else
        execute(c, cmd);
}

/* pay: what the command has told its own client beside the reply, which is complete now. */
static void
pay(struct client *c)
{
    if ((exec_state.owed & OWED_INVALIDATIONS) != 0)
        tracking_deliver_own(c);
    if ((exec_state.owed & OWED_MESSAGES) != 0)
        pubsub_deliver_own(c);
}

void
exec_command(struct client *c, struct cmd *cmd)
{
    execute_one(c, cmd);
    if (unlikely(exec_others_run)) /* the outermost command has not come to its end yet */
        return;
    keywait_serve_all();
    if (unlikely(exec_state.owed != 0))
        pay(c);
}

/* Put words into the place of the client's command, which is cmd, and execute them. */
static void
execute_words(struct client *c, int argc, const struct slice *argv, struct cmd *cmd,
              void (*execute_it)(struct client *c, struct cmd *cmd))
{
    struct slice *outer_argv = c->argv;
    int outer_argc = c->argc;
    union {
        const struct slice *given;
        struct slice *argv;
    } u = {.given = argv}; /* handlers only read them */

    must(argc > 0);
    if (!client_has_socket(c))
        output_lend(c);
    c->argc = argc;
    c->argv = u.argv;
    exec_begin();
    execute_it(c, cmd);
    c->argc = outer_argc;
    c->argv = outer_argv;
    if (c->sink != NULL)
        output_deliver(c);
}

void
exec_words(struct client *c, int argc, const struct slice *argv)
{
    execute_words(c, argc, argv, cmd_find(argv[0]), exec_command);
}

/* execute_nested: within the running command, whose handler goes on afterwards. */
static void
execute_nested(struct client *c, int argc, const struct slice *argv, struct cmd *cmd,
               void (*execute_it)(struct client *c, struct cmd *cmd))
{
    struct client *outer = exec_running(), *sender = exec_state.sender;

    must(outer != NULL && outer != c && !client_has_socket(c)); /* so it neither waits nor blocks */
    if (sender == NULL)
        exec_state.sender = outer;
    execute_words(c, argc, argv, cmd, execute_it);
    exec_state.sender = sender;
    must(!c->postponed && c->block == NULL);
    exec_go_on(outer);
}

void
exec_nested(struct client *c, int argc, const struct slice *argv)
{
    execute_nested(c, argc, argv, cmd_find(argv[0]), execute_one);
}

void
exec_nested_call(struct client *c, struct cmd *cmd, int argc, const struct slice *argv)
{
    debug_check(exec_gates.busy == NULL || !exec_others_run);
    execute_nested(c, argc, argv, cmd, exec_call);
}
