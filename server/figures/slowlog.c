/* server/figures/slowlog.c - see slowlog.h. */
#include "server/figures/slowlog.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/text.h"

static struct slowlog_entry *newest, *oldest;
static int64_t count, next_id;

static void
free_entry(struct slowlog_entry *e)
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
    struct slowlog_entry *e = oldest;

    must(e != NULL && e->next == NULL && count > 0);
    oldest = e->prev;
    *(oldest != NULL ? &oldest->next : &newest) = NULL;
    count--;
    free_entry(e);
}

/* An argument as it is kept: shortened, or what stands for the rest of them. */
static void
describe(const struct slowlog_call *call, int i, struct text *t)
{
    struct slice arg = call->argv[i];

    if (i == SLOWLOG_ARGS_MAX - 1 && call->argc > SLOWLOG_ARGS_MAX) {
        text_addf(t, "... (%d more arguments)", call->argc - SLOWLOG_ARGS_MAX + 1);
    } else if (call->is_secret(call->ctx, i)) {
        text_add(t, "(redacted)");
    } else if (arg.len > SLOWLOG_ARG_BYTES) {
        text_add_bytes(t, arg.ptr, SLOWLOG_ARG_BYTES);
        text_addf(t, "... (%zu more bytes)", arg.len - SLOWLOG_ARG_BYTES);
    } else {
        text_add_bytes(t, arg.ptr, arg.len);
    }
}

static bool
keep_arguments(struct slowlog_entry *e, const struct slowlog_call *call)
{
    for (int i = 0; i < call->argc && i < SLOWLOG_ARGS_MAX; i++) {
        struct text t = {0};
        describe(call, i, &t);
        if (t.failed || (t.at == NULL && (t.at = strdup("")) == NULL))
            return false;
        e->argv[e->argc] = t.at;
        e->len[e->argc++] = t.len;
    }
    return true;
}

void
slowlog_add(const struct slowlog_call *call, int64_t most)
{
    struct slowlog_entry *e = calloc(1, sizeof *e);

    must(call->argc > 0 && call->is_secret != NULL && most >= 0);
    if (e == NULL)
        return;
    *e = (struct slowlog_entry){.id = next_id++,
                                .time_s = clock_now.ms / 1000,
                                .us = (int64_t)(call->ns / 1000),
                                .peer = strdup(call->peer),
                                .name = strdup(call->name != NULL ? call->name : "")};
    if (e->peer == NULL || e->name == NULL || !keep_arguments(e, call)) {
        free_entry(e);
        return;
    }
    e->next = newest;
    *(newest != NULL ? &newest->prev : &oldest) = e;
    newest = e;
    count++;
    while (count > most)
        drop_oldest();
}

const struct slowlog_entry *
slowlog_newest(void)
{
    return newest;
}

int64_t
slowlog_count(void)
{
    return count;
}

void
slowlog_clear(void)
{
    while (count > 0)
        drop_oldest();
}
