/* server/exec/multi.c - the queue of a transaction. */
#include "server/exec/multi.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/exec/auth.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/exec/watch.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/net/reply.h"

struct queued {
    struct cmd *cmd;
    int argc;
    struct slice *argv; /* and the bytes, in one block */
};

struct multi_state {
    struct queued *at;
    int count, room;
    uint32_t flags;
    size_t bytes;
};

/* NULL: no memory. */
static struct slice *
copy_arguments(const struct client *c, size_t *ret_bytes)
{
    struct slice *argv;

    *ret_bytes = slices_bytes(c->argv, c->argc);
    if ((argv = malloc(*ret_bytes)) != NULL)
        slices_copy(argv, c->argv, c->argc);
    return argv;
}

static bool
reserve_one(struct multi_state *m)
{
    int room = m->room > 0 ? m->room * 2 : 8;
    struct queued *p;

    if (m->count < m->room)
        return true;
    if (m->room > INT32_MAX / 4 || (p = realloc(m->at, (size_t)room * sizeof *p)) == NULL)
        return false;
    m->at = p;
    m->room = room;
    return true;
}

void
multi_queue(struct client *c, struct cmd *cmd)
{
    struct multi_state *m = c->multi;
    struct slice *argv;
    size_t bytes;

    debug_check(m != NULL && (cmd->flags & (CMD_NO_MULTI | CMD_RUN_IN_MULTI)) == 0);
    if (c->multi_dirty) { /* it cannot be executed any more: nothing to keep */
        reply_raw(c, "+QUEUED\r\n", 9);
        return;
    }
    if (!reserve_one(m) || (argv = copy_arguments(c, &bytes)) == NULL) {
        c->multi_dirty = true;
        reply_error(c, "OOM no memory to queue this command");
        return;
    }
    m->at[m->count++] = (struct queued){.cmd = cmd, .argc = c->argc, .argv = argv};
    m->flags |= cmd->flags;
    m->bytes += bytes;
    client_bytes.queued += bytes;
    reply_raw(c, "+QUEUED\r\n", 9);
}

void
multi_discard(struct client *c)
{
    struct multi_state *m = c->multi;

    if (m == NULL)
        return;
    for (int i = 0; i < m->count; i++)
        free(m->at[i].argv);
    must(client_bytes.queued >= m->bytes);
    client_bytes.queued -= m->bytes;
    free(m->at);
    free(m);
    c->multi = NULL;
    c->multi_dirty = false;
}

void
multi_abort(struct client *c, const char *error)
{
    if (strncmp(error, "ERR ", 4) == 0)
        error += 4;
    multi_discard(c);
    watch_forget(c);
    reply_errorf(c, "EXECABORT Transaction discarded because of: %s", error);
}

bool
multi_any(const struct client *c, bool (*fn)(const struct client *c, const struct cmd *cmd,
                                             const struct slice *argv, int argc))
{
    const struct multi_state *m = c->multi;

    for (int i = 0; m != NULL && i < m->count; i++)
        if (fn(c, m->at[i].cmd, m->at[i].argv, m->at[i].argc))
            return true;
    return false;
}

uint32_t
multi_flags(const struct client *c)
{
    return c->multi != NULL ? c->multi->flags : 0;
}

int
multi_count(const struct client *c)
{
    return c->multi != NULL ? c->multi->count : -1;
}

size_t
multi_memory(const struct client *c)
{
    const struct multi_state *m = c->multi;

    return m != NULL ? sizeof *m + (size_t)m->room * sizeof *m->at + m->bytes : 0;
}

static void
describe(const struct client *c, struct client_facts *facts)
{
    facts->queued_commands = multi_count(c);
    facts->queued_bytes = multi_memory(c);
}

void
multi_init(void)
{
    static const struct client_attachment attachment = {
        .bytes = multi_memory, .describe = describe, .on_free = multi_discard};

    client_attach(&attachment);
}

bool
multi_begin(struct client *c)
{
    must(c->multi == NULL);
    c->multi_dirty = false;
    return (c->multi = calloc(1, sizeof *c->multi)) != NULL;
}

static void
run_queued(struct client *c, struct multi_state *m)
{
    struct cmd *exec = c->cmd;
    struct slice *argv = c->argv;
    int argc = c->argc;

    c->in_exec = true;
    reply_array(c, (size_t)m->count);
    for (int i = 0; i < m->count; i++) {
        const char *objection = NULL;
        c->argc = m->at[i].argc;
        c->argv = m->at[i].argv;
        c->cmd = m->at[i].cmd;
        if (unlikely(c->is_limited)) /* AC1: its user may have been changed */
            objection = auth_objection_at_exec(c, c->cmd);
        if (unlikely(objection != NULL))
            reply_error(c, objection);
        else
            exec_call(c, c->cmd);
    }
    must(c->in_exec && c->multi == NULL); /* what is queued begins and ends no transaction */
    c->in_exec = false;
    output_unmute(c); /* one of them may have been CLIENT REPLY OFF */
    c->argc = argc;
    c->argv = argv;
    c->cmd = exec;
    c->is_error = false; /* EXEC itself went well */
}

void
multi_run(struct client *c)
{
    struct multi_state *m = c->multi;

    must(m != NULL && !c->multi_dirty && !c->in_exec);
    c->multi = NULL; /* the queued commands run as outside of a transaction */
    run_queued(c, m);
    c->multi = m;
    multi_discard(c);
}
