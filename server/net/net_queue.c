/* server/net/net_queue.c - clients whose turn it is not: those whose next command has to wait,
 * those who were sent something meanwhile, those whose input waits in their transport, those who
 * shake hands. */
#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "server/net/net_impl.h"

struct queue {
    struct client *first, **last;
    unsigned count;
};
static struct queue queues[CLIENT_QUEUES] = {
    [QUEUE_DELAYED] = {.last = &queues[QUEUE_DELAYED].first},
    [QUEUE_WRITES] = {.last = &queues[QUEUE_WRITES].first},
    [QUEUE_INPUT] = {.last = &queues[QUEUE_INPUT].first},
    [QUEUE_HANDSHAKES] = {.last = &queues[QUEUE_HANDSHAKES].first},
};

void
net_queue_put(enum client_queue which, struct client *c)
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

void
net_queue_leave(enum client_queue which, struct client *c)
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
        net_queue_leave((enum client_queue)which, c);
}

unsigned
net_queue_count(enum client_queue which)
{
    return queues[which].count;
}

struct client *
net_queue_first(enum client_queue which)
{
    return queues[which].first;
}

struct client *
net_queue_take(enum client_queue which)
{
    struct client *c = queues[which].first;

    debug_check(c != NULL && c->queued[which]);
    net_queue_leave(which, c);
    return c;
}

/* ---- whose next command has to wait ---- */

static struct net_gate *gates;

void
net_gate_add(struct net_gate *g)
{
    struct net_gate **p = &gates;

    must(g->is_closed != NULL);
    for (; *p != NULL; p = &(*p)->next)
        if (*p == g)
            return;
    *p = g;
}

bool
net_gate_is_closed(void)
{
    for (const struct net_gate *g = gates; g != NULL; g = g->next)
        if (g->is_closed())
            return true;
    return false;
}

void
net_delay(struct client *c)
{
    debug_check(c->postponed);
    c->delayed_ns = clock_now.turn_ns;
    c->paused = false;
    for (const struct net_gate *g = gates; g != NULL; g = g->next)
        c->paused |= g->opens_by_itself && g->is_closed();
    net_queue_put(QUEUE_DELAYED, c);
}

unsigned
net_delayed_count(void)
{
    return queues[QUEUE_DELAYED].count;
}

int64_t
net_held_since_ns(void)
{
    const struct client *c = queues[QUEUE_DELAYED].first;

    while (c != NULL && !c->paused)
        c = c->queue_next[QUEUE_DELAYED];
    return c != NULL ? c->delayed_ns : INT64_MAX;
}

/* ---- who was sent something ---- */

void
net_write_later(struct client *c)
{
    if (!c->running && client_has_socket(c) && !c->closed)
        net_queue_put(QUEUE_WRITES, c);
}

void
net_resume_later(struct client *c)
{
    c->resumes = true;
    net_write_later(c);
}

/* ---- whose input waits ---- */

struct loop_task net_input_task = {.place = LOOP_CLIENTS, .due_ms = LOOP_NEVER};

void
net_read_later(struct client *c)
{
    if (c->closed)
        return;
    net_queue_put(QUEUE_INPUT, c);
    loop_task_at(&net_input_task, LOOP_NOW);
}
