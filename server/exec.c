/* server/exec.c - one command: what must be true before its handler runs, in Redis's order, and the counting.
 */
#include "server/exec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mm/must.h"
#include "server/client.h"
#include "server/commands/cmd.h"
#include "server/config.h"
#include "server/data/db.h"
#include "server/log.h"
#include "server/multi.h"
#include "server/num.h"
#include "server/output.h"
#include "server/persist.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/text.h"

enum { UNKNOWN_ARGS_BYTES = 128 }; /* how much of an unknown command is quoted back */

static const char loading_text[] = "LOADING Redis is loading the dataset in memory";

/* Refuse the command: an error, and a transaction that cannot be executed any more. */
static void
reject(struct client *c, struct cmd *cmd, const char *error)
{
    if (c->multi != NULL)
        c->multi_dirty = true;
    if (cmd != NULL)
        cmd->rejected++;
    if (cmd != NULL && cmd->handler == cmd_exec)
        multi_abort(c, error);
    else
        reply_error(c, error);
}

/* The words of web browsers and mail servers made to talk to us: somebody is being tricked. */
static bool
is_cross_protocol(struct slice name)
{
    return (name.len == 4 && strncasecmp(name.ptr, "post", 4) == 0) ||
           (name.len == 5 && strncasecmp(name.ptr, "host:", 5) == 0);
}

static void
reject_unknown(struct client *c)
{
    struct text t = {0};
    size_t args = 0;

    if (c->fd >= 0 && is_cross_protocol(c->argv[0])) {
        log_line(
            LOG_WARNING,
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to "
            "Stillframe. Connection from %s aborted.",
            c->addr);
        client_doom(c);
        return;
    }
    text_add(&t, "ERR unknown command '");
    text_add_bytes(
        &t, c->argv[0].ptr,
        strnlen(c->argv[0].ptr, c->argv[0].len < UNKNOWN_ARGS_BYTES ? c->argv[0].len : UNKNOWN_ARGS_BYTES));
    text_add(&t, "', with args beginning with: ");
    for (int i = 1; i < c->argc && args < UNKNOWN_ARGS_BYTES; i++) {
        size_t room = UNKNOWN_ARGS_BYTES - args, len = c->argv[i].len < room ? c->argv[i].len : room;
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
reject_unknown_sub(struct client *c, const struct cmd *cmd)
{
    struct slice word = c->argv[1];
    char text[256];
    int len = (int)(word.len < UNKNOWN_ARGS_BYTES ? word.len : UNKNOWN_ARGS_BYTES), n;

    n = snprintf(text, sizeof text, "ERR unknown subcommand '%.*s'. Try ", len, word.ptr);
    for (const char *p = cmd->name; *p != '\0' && n < (int)sizeof text - 8; p++)
        text[n++] = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    snprintf(text + n, sizeof text - (size_t)n, " HELP.");
    reject(c, NULL, text);
}

static void
reject_arity(struct client *c, struct cmd *cmd)
{
    char text[128];

    snprintf(text, sizeof text, "ERR wrong number of arguments for '%s' command", cmd->full_name);
    reject(c, cmd, text);
}

/* Whether the handler may run now; if not, the error. */
static const char *
find_objection(const struct client *c, const struct cmd *cmd)
{
    uint32_t flags = cmd->flags;

    if (unlikely(cmd->handler == cmd_debug) && !client_is_permitted(c, config.enable_debug_command))
        return "ERR DEBUG command not allowed: it needs \"enable-debug-command yes\" (or \"local\", for "
               "connections "
               "from this machine) in the configuration file or on the command line";
    if (unlikely(c->multi != NULL)) {
        if (flags & CMD_NO_MULTI)
            return "ERR Command not allowed inside a transaction";
        if (cmd->handler == cmd_exec)
            flags |= multi_flags(c) & CMD_WRITE;
    }
    if ((flags & CMD_WRITE) != 0 || cmd->handler == cmd_ping) {
        const char *error = persist_write_error();
        if (unlikely(error != NULL))
            return error;
    }
    if (unlikely(server.loading) && (flags & CMD_LOADING) == 0)
        return loading_text;
    return NULL;
}

void
exec_call(struct client *c, struct cmd *cmd)
{
    c->cmd = cmd;
    c->is_error = false;
    c->db = db_select(c->db_index);
    cmd->handler(c);
    cmd->calls++;
    server.stat_commands++;
    if (unlikely(c->is_error))
        cmd->failed++;
}

struct cmd *
exec_command(struct client *c, struct cmd *cmd)
{
    const char *objection;

    if (unlikely(cmd == NULL)) {
        reject_unknown(c);
        return NULL;
    }
    if (unlikely(cmd->subs != NULL) && c->argc > 1) {
        struct cmd *sub = cmd_find_sub(cmd, c->argv[1]);
        if (sub == NULL) {
            reject_unknown_sub(c, cmd);
            return NULL;
        }
        cmd = sub;
    }
    c->cmd = c->last_cmd = cmd;
    if (unlikely(!cmd_arity_is_good(cmd, c->argc))) {
        reject_arity(c, cmd);
        return cmd;
    }
    if (unlikely((objection = find_objection(c, cmd)) != NULL)) {
        reject(c, cmd, objection);
        return cmd;
    }
    if (unlikely(c->multi != NULL) && (cmd->flags & CMD_RUN_IN_MULTI) == 0) {
        multi_queue(c, cmd);
        return cmd;
    }
    exec_call(c, cmd);
    return cmd;
}

void
client_execute(struct client *c, int argc, const struct slice *argv)
{
    struct slice *outer_argv = c->argv;
    int outer_argc = c->argc;
    int64_t begin = server_monotonic_ns();
    struct cmd *cmd;
    union {
        const struct slice *given;
        struct slice *argv;
    } u = {.given = argv}; /* handlers only read them */

    if (c->fd < 0)
        output_lend(c);
    c->argc = argc;
    c->argv = u.argv;
    cmd = exec_command(c, cmd_find(argv[0]));
    if (cmd != NULL)
        cmd->nsec += (uint64_t)(server_monotonic_ns() - begin);
    c->argc = outer_argc;
    c->argv = outer_argv;
}

bool
arg_int(struct client *c, int i, int64_t *ret)
{
    if (likely(num_parse(c->argv[i].ptr, c->argv[i].len, ret)))
        return true;
    reply_not_int(c);
    return false;
}

bool
arg_is(const struct client *c, int i, const char *word)
{
    struct slice s = c->argv[i];

    return strlen(word) == s.len && strncasecmp(s.ptr, word, s.len) == 0;
}
