/* server/net/net_turn.c - the end of a turn: who had to wait tries again, what others were sent is
 * written, those who are closed go. */
#include "mm/base/clock.h"
#include "server/net/client_evict.h"
#include "server/net/net_impl.h"

enum { DELAY_WAIT_MS = 1 /* until the gates are looked at again */ };

static void resume_delayed(unsigned slice_us), end_turn(unsigned slice_us);

static struct loop_task delayed_task = {
    .place = LOOP_DELAYED, .due_ms = LOOP_NEVER, .run = resume_delayed};
static struct loop_task end_task = {
    .place = LOOP_CLIENTS, .each_turn = true, .due_ms = LOOP_NEVER, .run = end_turn};

static void
resume_delayed(unsigned slice_us)
{
    (void)slice_us;
    if (net_gate_is_closed())
        return;
    /* Who has to wait still goes to the end of the queue again. */
    for (unsigned n = net_queue_count(QUEUE_DELAYED); n > 0 && net_queue_count(QUEUE_DELAYED) > 0;
         n--)
        net_resume(net_queue_take(QUEUE_DELAYED));
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

/* What comes while this works has its turn in the next one. */
static void
write_pending(void)
{
    for (unsigned n = net_queue_count(QUEUE_WRITES); n > 0 && net_queue_count(QUEUE_WRITES) > 0;
         n--)
        write_and_go_on(net_queue_take(QUEUE_WRITES));
}

/* Only this makes them due, so that a turn that leaves nobody waiting changes nothing. */
static void
note_due(void)
{
    bool delayed = net_queue_count(QUEUE_DELAYED) > 0;

    loop_task_at(&end_task, net_queue_count(QUEUE_WRITES) > 0 ? LOOP_NOW : LOOP_NEVER);
    loop_task_at(&delayed_task, delayed ? clock_now.ms + DELAY_WAIT_MS : LOOP_NEVER);
    loop_task_each_turn(&delayed_task, delayed);
}

static void
end_turn(unsigned slice_us)
{
    (void)slice_us;
    client_evict_run();
    write_pending();
    client_free_closed();
    note_due();
}

void
net_turn_init(void)
{
    loop_task_add(&delayed_task);
    loop_task_add(&end_task);
}
