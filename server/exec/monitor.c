/* server/exec/monitor.c - MONITOR: each command as one line of text, for all monitors alike. */
#include "server/exec/monitor.h"

#include <sys/time.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/exec/auth.h"
#include "server/exec/cmd.h"
#include "server/exec/exec_impl.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/reply.h"

unsigned monitor_count;
static struct client *first; /* linked by monitor_next */

static void
format_line(const struct client *c, struct text *t)
{
    text_addf(t, "+%lld.%06lld [%d %s%s]", (long long)(clock_now.us / 1000000),
              (long long)(clock_now.us % 1000000), c->db_index, c->is_unix ? "unix:" : "",
              c->is_unix ? c->laddr : c->addr);
    for (int i = 0; i < c->argc; i++) {
        text_add(t, " ");
        if (auth_is_secret(c, i))
            text_add(t, "\"(redacted)\"");
        else
            text_add_quoted(t, c->argv[i].ptr, c->argv[i].len);
    }
    text_add(t, "\r\n");
}

void
monitor_feed(const struct client *c)
{
    struct text t = {0};

    format_line(c, &t);
    for (struct client *m = first; m != NULL && !t.failed; m = m->monitor_next) {
        if (m->reply_off) /* what a monitor sees are replies, not messages */
            continue;
        reply_raw(m, t.at, t.len);
        net_write_later(m);
    }
    text_free(&t);
}

void
monitor_forget(struct client *c)
{
    struct client **p = &first;

    if (!c->is_monitor)
        return;
    while (*p != c) {
        must(*p != NULL);
        p = &(*p)->monitor_next;
    }
    *p = c->monitor_next;
    c->is_monitor = false;
    if (--monitor_count == 0)
        exec_state.onlookers &= ~(unsigned)ONLOOKER_MONITOR;
}

void
monitor_init(void)
{
    static const struct client_attachment attachment = {.on_close = monitor_forget};

    client_attach(&attachment);
}

void
monitor_add(struct client *c)
{
    struct client **p = &first;

    must(client_has_socket(c)); /* on_close is all that takes it off again */
    if (c->is_monitor)
        return;
    while (*p != NULL)
        p = &(*p)->monitor_next;
    *p = c;
    c->monitor_next = NULL;
    c->is_monitor = true;
    monitor_count++;
    exec_state.onlookers |= ONLOOKER_MONITOR;
}
