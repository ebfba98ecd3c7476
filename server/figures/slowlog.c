/* server/figures/slowlog.c - SLOWLOG: the newest first, slowlog-max-len of them. */
#include "server/figures/slowlog.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/exec/auth.h"
#include "server/exec/cmd.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/exec/handlers.h"

#include "server/commands/server/server.def"

enum { ARGS_MAX = 32, ARG_BYTES = 128, GET_DEFAULT = 10 };

struct entry {
    struct entry *next, *prev; /* next: older */
    int64_t id, time_s, us;
    char *peer, *name; /* [owned] */
    int argc;
    char *argv[ARGS_MAX]; /* [owned] */
    size_t len[ARGS_MAX];
};

static struct entry *newest, *oldest;
static int64_t count, next_id;

static void
free_entry(struct entry *e)
{
    for (int i = 0; i < e->argc; i++)
        free(e->argv[i]);
    free(e->peer);
    free(e->name);
    free(e);
}

static void
drop_oldest(void)
{
    struct entry *e = oldest;

    oldest = e->prev;
    *(oldest != NULL ? &oldest->next : &newest) = NULL;
    count--;
    free_entry(e);
}

/* An argument as it is kept: shortened, or what stands for the rest of them. */
static void
describe(const struct client *c, int i, struct text *t)
{
    struct slice arg = c->argv[i];

    if (i == ARGS_MAX - 1 && c->argc > ARGS_MAX) {
        text_addf(t, "... (%d more arguments)", c->argc - ARGS_MAX + 1);
    } else if (auth_is_secret(c, i)) {
        text_add(t, "(redacted)");
    } else if (arg.len > ARG_BYTES) {
        text_add_bytes(t, arg.ptr, ARG_BYTES);
        text_addf(t, "... (%zu more bytes)", arg.len - ARG_BYTES);
    } else {
        text_add_bytes(t, arg.ptr, arg.len);
    }
}

static bool
keep_arguments(struct entry *e, const struct client *c)
{
    for (int i = 0; i < c->argc && i < ARGS_MAX; i++) {
        struct text t = {0};
        describe(c, i, &t);
        if (t.failed || (t.at == NULL && (t.at = strdup("")) == NULL))
            return false;
        e->argv[e->argc] = t.at;
        e->len[e->argc++] = t.len;
    }
    return true;
}

void
slowlog_add(const struct client *c, uint64_t ns)
{
    struct entry *e = calloc(1, sizeof *e);

    if (e == NULL)
        return;
    *e = (struct entry){.id = next_id++,
                        .time_s = clock_now.ms / 1000,
                        .us = (int64_t)(ns / 1000),
                        .peer = strdup(c->addr),
                        .name = strdup(c->name != NULL ? c->name : "")};
    if (e->peer == NULL || e->name == NULL || !keep_arguments(e, c)) {
        free_entry(e);
        return;
    }
    e->next = newest;
    *(newest != NULL ? &newest->prev : &oldest) = e;
    newest = e;
    count++;
    while (count > config.slowlog_max_len)
        drop_oldest();
}

/* ---- commands ---- */

static void
reply_entry(struct client *c, const struct entry *e)
{
    reply_array(c, 6);
    reply_int(c, e->id);
    reply_int(c, e->time_s);
    reply_int(c, e->us);
    reply_array(c, (size_t)e->argc);
    for (int i = 0; i < e->argc; i++)
        reply_bulk(c, e->argv[i], e->len[i]);
    reply_bulk_text(c, e->peer);
    reply_bulk_text(c, e->name);
}

/* SLOWLOG GET [count] -> the newest; -1: all. */
void
cmd_slowlog_get(struct client *c)
{
    int64_t wanted = GET_DEFAULT;

    if (c->argc > 3) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 3 && (!num_parse(c->argv[2].ptr, c->argv[2].len, &wanted) || wanted < -1)) {
        reply_error(c, "ERR count should be greater than or equal to -1");
        return;
    }
    if (wanted == -1 || wanted > count)
        wanted = count;
    reply_array(c, (size_t)wanted);
    for (const struct entry *e = newest; e != NULL && wanted > 0; e = e->next, wanted--)
        reply_entry(c, e);
}

/* SLOWLOG LEN -> how many are kept. */
void
cmd_slowlog_len(struct client *c)
{
    reply_int(c, count);
}

/* SLOWLOG RESET -> OK. */
void
cmd_slowlog_reset(struct client *c)
{
    while (count > 0)
        drop_oldest();
    reply_ok(c);
}
