/* server/commands/generic/wait.c - WAIT and WAITAOF.  There are no replicas, so whoever waits for
 * some waits until the end. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/exec/args.h"
#include "server/exec/block.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

struct waiting {
    struct block block; /* first */
    bool is_aof;
    struct slice argv[];
};

static void
reply_nobody(struct client *c, bool is_aof)
{
    if (is_aof) {
        reply_array(c, 2);
        reply_int(c, 0);
    }
    reply_int(c, 0);
}

static void
end_wait(struct client *c, struct block *b, enum block_end why)
{
    struct waiting *w = (struct waiting *)(void *)b;

    if (why == BLOCK_TIMEOUT)
        reply_nobody(c, w->is_aof);
    else if (why == BLOCK_ERROR)
        reply_error(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
}

static void
wait_for(struct client *c, int64_t replicas, int64_t timeout_ms, bool is_aof)
{
    struct waiting *w;

    if (replicas <= 0 || !client_may_wait(c)) {
        reply_nobody(c, is_aof);
        return;
    }
    if ((w = malloc(sizeof *w + slices_bytes(c->argv, c->argc))) == NULL) {
        reply_error(c, "OOM no memory to wait");
        return;
    }
    w->is_aof = is_aof;
    w->block = (struct block){.end = end_wait,
                              .deadline_ms = timeout_ms > 0 ? clock_now.ms + timeout_ms : 0,
                              .argc = c->argc,
                              .argv = w->argv};
    slices_copy(w->argv, c->argv, c->argc);
    if (block_client(c, &w->block) < 0) {
        free(w);
        reply_error(c, "OOM no memory to wait");
    }
}

/* WAIT replicas timeout -> 0. */
void
cmd_wait(struct client *c)
{
    int64_t replicas, timeout_ms;

    if (arg_int(c, 1, &replicas) && arg_timeout_ms(c, 2, &timeout_ms))
        wait_for(c, replicas, timeout_ms, false);
}

/* WAITAOF local replicas timeout -> 0, 0. */
void
cmd_waitaof(struct client *c)
{
    int64_t local, replicas, timeout_ms;

    if (!arg_int(c, 1, &local))
        return;
    if (local < 0 || local > 1) {
        reply_error(c, "ERR value is out of range, value must between 0 and 1");
        return;
    }
    if (!arg_int(c, 2, &replicas))
        return;
    if (replicas < 0) {
        reply_error(c, "ERR value is out of range, must be positive");
        return;
    }
    if (!arg_timeout_ms(c, 3, &timeout_ms))
        return;
    if (local > 0) {
        reply_error(c,
                    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
        return;
    }
    wait_for(c, replicas, timeout_ms, true);
}
