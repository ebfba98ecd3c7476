/* server/net/net_queue.c - clients whose turn it is not: those whose next command has to wait, and
 * those who were sent something meanwhile. */
#include "server/net/client.h"
#include "server/net/client_evict.h"
#include "server/net/net.h"

struct queue {
    struct client *first, **last;
    unsigned count;
};
static struct queue queues[CLIENT_QUEUES] = {
    [QUEUE_DELAYED] = {.last = &queues[QUEUE_DELAYED].first},
    [QUEUE_WRITES] = {.last = &queues[QUEUE_WRITES].first},
};

static void
put(enum client_queue which, struct client *c)
{
    struct queue *q = &queues[which];

    if (c->queued[which])
        return;
    c->queued[which] = true;
    c->queue_next[which] = NULL;
    *q->last = c;
    q->last = &c->queue_next[which];
    q->count++;
}

static void
take_out(enum client_queue which, struct client *c)
{
    struct queue *q = &queues[which];
    struct client **p = &q->first;

    if (!c->queued[which])
        return;
    while (*p != c)
        p = &(*p)->queue_next[which];
    *p = c->queue_next[which];
    if (q->last == &c->queue_next[which])
        q->last = p;
    q->count--;
    c->queued[which] = false;
}

void
net_forget(struct client *c)
{
    for (int which = 0; which < CLIENT_QUEUES; which++)
        take_out((enum client_queue)which, c);
}

/* ---- whose next command has to wait ---- */

static struct net_gate *gates;

void
net_gate_add(struct net_gate *g)
{
    struct net_gate **p = &gates;

    for (; *p != NULL; p = &(*p)->next)
        if (*p == g)
            return;
    *p = g;
}

void
net_delay(struct client *c)
{
    c->paused = false;
    for (const struct net_gate *g = gates; g != NULL; g = g->next)
        c->paused |= g->opens_by_itself && g->is_closed();
    put(QUEUE_DELAYED, c);
}

bool
net_has_delayed(void)
{
    return queues[QUEUE_DELAYED].first != NULL;
}

unsigned
net_delayed_count(void)
{
    return queues[QUEUE_DELAYED].count;
}

void
net_resume_delayed(void)
{
    struct queue *q = &queues[QUEUE_DELAYED];

    for (const struct net_gate *g = gates; g != NULL; g = g->next)
        if (g->is_closed())
            return;
    /* Who has to wait still goes to the end of the queue again. */
    for (unsigned n = q->count; n > 0 && q->first != NULL; n--) {
        struct client *c = q->first;
        take_out(QUEUE_DELAYED, c);
        net_resume(c);
    }
}

/* ---- who was sent something ---- */

void
net_write_later(struct client *c)
{
    if (!c->running && client_has_socket(c) && !c->closed)
        put(QUEUE_WRITES, c);
}

void
net_resume_later(struct client *c)
{
    c->resumes = true;
    net_write_later(c);
}

bool
net_has_pending_writes(void)
{
    return queues[QUEUE_WRITES].first != NULL;
}

static void
write_and_go_on(struct client *c)
{
    bool resumes = c->resumes;

    c->resumes = false;
    if (c->close_now) {
        client_close(c);
        return;
    }
    if (!net_write(c))
        return;
    if (resumes && !c->queued[QUEUE_DELAYED] && c->block == NULL)
        net_resume(c);
    else
        net_update_interest(c);
    client_evict_weigh(c);
}

void
net_write_pending(void)
{
    struct queue *q = &queues[QUEUE_WRITES];

    /* What comes while this works has its turn in the next one. */
    for (unsigned n = q->count; n > 0 && q->first != NULL; n--) {
        struct client *c = q->first;
        take_out(QUEUE_WRITES, c);
        write_and_go_on(c);
    }
}
