/* server/commands/server/save.c - commands about dumps: SAVE BGSAVE LASTSAVE. */
#include <stdlib.h>

#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/commands/server/copy_args.h"
#include "server/exec/args.h"
#include "server/exec/block.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"

#include "server/commands/server/server.def"

static const char started[] = "Background saving started",
                  scheduled[] = "Background saving scheduled",
                  in_progress[] = "ERR Background save already in progress";

/* SAVE -> OK, when it is done. */
void
cmd_save(struct client *c)
{
    if (persist_is_saving())
        reply_error(c, in_progress);
    else if (persist_save_now() == 0)
        reply_ok(c);
    else
        reply_errorf(c, "ERR the save failed: %s", persist_cause());
}

/* LASTSAVE -> unix time. */
void
cmd_lastsave(struct client *c)
{
    reply_int(c, persist_last_save_s());
}

/* ---- BGSAVE ---- */

static void
reply_not_begun(struct client *c)
{
    reply_errorf(c, "ERR Can't save in background: %s", persist_cause());
}

static void
begin(struct client *c)
{
    if (persist_is_saving())
        reply_error(c, in_progress);
    else if (persist_bgsave() == 0)
        reply_status(c, started);
    else
        reply_not_begun(c);
}

static void
cancel(struct client *c)
{
    switch (persist_cancel()) {
    case PERSIST_RUNNING:
        reply_status(c, "Background saving cancelled");
        break;
    case PERSIST_SCHEDULED:
        reply_status(c, "Scheduled background saving cancelled");
        break;
    case PERSIST_NONE:
        reply_error(c, "ERR Background saving is currently not in progress or scheduled");
        break;
    }
}

/* ---- BGSAVE WAIT ---- */

/* A client that waits for the save that it asked for. */
struct waiting {
    struct block block; /* first */
    struct persist_waiter waiter;
    struct client *client;
    bool is_next; /* one was running: the save begins behind it */
    bool is_copy; /* it is not the dump's: BGSAVE TO */
    struct slice argv[];
};

static void
reply_outcome(struct client *c, enum persist_outcome outcome, bool is_copy)
{
    switch (outcome) {
    case PERSIST_SAVED:
        reply_status(c, "Background saving terminated with success");
        break;
    case PERSIST_FAILED:
        reply_errorf(c, "ERR Background saving failed: %s",
                     is_copy ? persist_copy_cause() : persist_cause());
        break;
    case PERSIST_GIVEN_UP:
        reply_errorf(c, "ERR Background saving cancelled: %s",
                     is_copy ? persist_copy_cause() : persist_cancel_reason());
        break;
    }
}

static void
told(void *ctx, enum persist_outcome outcome)
{
    struct waiting *w = ctx;
    struct client *c = w->client;
    struct block_reply reply;

    block_reply_begin(c, &w->block, &reply);
    reply_outcome(c, outcome, w->is_copy);
    block_reply_end(c, &w->block, &reply, true);
    block_finish(c);
}

/* What BGSAVE answers that does not wait. */
static void
reply_begun(struct client *c, bool is_next)
{
    reply_status(c, is_next ? scheduled : started);
}

/* end_wait: the save goes on without it. */
static void
end_wait(struct client *c, struct block *b, enum block_end why)
{
    struct waiting *w = (struct waiting *)(void *)b;

    persist_wait_no_more(&w->waiter);
    if (why == BLOCK_TIMEOUT)
        reply_begun(c, w->is_next);
    else if (why == BLOCK_ERROR)
        reply_error(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
}

static struct waiting *
make_waiting(struct client *c, bool is_next)
{
    struct waiting *w = malloc(sizeof *w + slices_bytes(c->argv, c->argc));

    if (w == NULL)
        return NULL;
    *w = (struct waiting){.block = {.end = end_wait, .argc = c->argc, .argv = w->argv},
                          .waiter = {.told = told, .ctx = w},
                          .client = c,
                          .is_next = is_next};
    slices_copy(w->argv, c->argv, c->argc);
    return w;
}

static void
wait_for(struct waiting *w)
{
    persist_wait_for(&w->waiter, w->is_next);
    must(block_client(w->client, &w->block) == 0); /* it has no deadline, and so needs no memory */
}

/* begin_and_wait: where nobody can wait, the answer is that of a BGSAVE. */
static void
begin_and_wait(struct client *c)
{
    bool is_next = persist_is_saving();
    struct waiting *w = NULL;

    if (client_may_wait(c) && (w = make_waiting(c, is_next)) == NULL) {
        reply_error(c, "OOM no memory to wait");
        return;
    }
    if (is_next) {
        persist_bgsave_next();
    } else if (persist_bgsave() < 0) {
        reply_not_begun(c);
        free(w);
        return;
    }
    if (w == NULL) {
        reply_begun(c, is_next);
        return;
    }
    wait_for(w);
}

/* ---- BGSAVE TO ---- */

/* begin_copy: false: an error was replied. */
static bool
begin_copy(struct client *c, const struct copy_args *a)
{
    struct save_filter *filter = NULL;
    struct text why = {0};
    bool has_begun = false;

    if (persist_is_saving())
        reply_error(c, in_progress);
    else if ((filter = save_filter_new(&a->choice)) == NULL)
        reply_error(c, "OOM no memory for the copy");
    else if (persist_copy_to(c->argv[2], filter, &why) < 0)
        reply_why(c, "ERR Can't save a copy: ", &why);
    else
        has_begun = true;
    text_free(&why);
    return has_begun;
}

static void
copy_to(struct client *c)
{
    struct waiting *w = NULL;
    struct copy_args a;

    if (!copy_args_parse(c, 3, &a))
        return;
    if (a.waits && client_may_wait(c) && (w = make_waiting(c, false)) == NULL) {
        reply_error(c, "OOM no memory to wait");
        return;
    }
    if (!begin_copy(c, &a)) {
        free(w);
    } else if (w == NULL) {
        reply_status(c, started);
    } else {
        w->is_copy = true;
        wait_for(w);
    }
}

/* BGSAVE [SCHEDULE | CANCEL | WAIT | TO name [DB n | MATCH pattern | TYPE type | WAIT] ...] -> what
 * happens in the background; with WAIT, what became of it. */
void
cmd_bgsave(struct client *c)
{
    if (c->argc == 1 || (c->argc == 2 && arg_is(c, 1, "schedule")))
        begin(c);
    else if (c->argc == 2 && arg_is(c, 1, "cancel"))
        cancel(c);
    else if (c->argc == 2 && arg_is(c, 1, "wait"))
        begin_and_wait(c);
    else if (c->argc >= 3 && arg_is(c, 1, "to"))
        copy_to(c);
    else
        reply_syntax(c);
}
