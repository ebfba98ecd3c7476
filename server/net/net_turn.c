/* server/net/net_turn.c - the end of a turn: who had to wait tries again, what others were sent is
 * written, those who are closed go. */
#include <sys/epoll.h>

#include "mm/base/clock.h"
#include "server/net/client_evict.h"
#include "server/net/net_impl.h"

enum { DELAY_WAIT_MS = 1 /* until the gates are looked at again */ };

static void resume_delayed(unsigned slice_us), read_again(unsigned slice_us),
    end_turn(unsigned slice_us);

static struct loop_task delayed_task = {
    .place = LOOP_DELAYED, .due_ms = LOOP_NEVER, .run = resume_delayed};
static struct loop_task end_task = {
    .place = LOOP_CLIENTS, .each_turn = true, .due_ms = LOOP_NEVER, .run = end_turn};

static bool is_resuming;

bool
net_is_resuming(void)
{
    return is_resuming;
}

/* Until now it waited for us, not we for it. */
static void
resume(struct client *c)
{
    size_t left = c->in_len - c->in_pos;
    int64_t since = c->delayed_ns;
    bool paused = c->paused;

    net_resume(c);
    if (c->queued[QUEUE_DELAYED] && c->paused == paused && c->in_len - c->in_pos == left)
        c->delayed_ns = since; /* the same command waits on */
}

/* One after the other, for as long as the gates are open: a gate may close again behind each.  Who
 * has to wait once more, for a later command, goes to the end of the queue, so that all have their
 * turn. */
static void
resume_delayed(unsigned slice_us)
{
    (void)slice_us;
    is_resuming = true;
    for (unsigned n = net_queue_count(QUEUE_DELAYED);
         n > 0 && net_queue_count(QUEUE_DELAYED) > 0 && !net_gate_is_closed(); n--)
        resume(net_queue_take(QUEUE_DELAYED));
    is_resuming = false;
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

/* As if their sockets were ready, each once; who may not be read now comes again when he may
 * (net_update_interest). */
static void
read_again(unsigned slice_us)
{
    (void)slice_us;
    for (unsigned n = net_queue_count(QUEUE_INPUT); n > 0 && net_queue_count(QUEUE_INPUT) > 0;
         n--) {
        struct client *c = net_queue_take(QUEUE_INPUT);

        net_client_ready(&c->source, (uint32_t)EPOLLIN);
    }
    loop_task_at(&net_input_task, net_queue_count(QUEUE_INPUT) > 0 ? LOOP_NOW : LOOP_NEVER);
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
    net_input_task.run = read_again;
    loop_task_add(&net_input_task);
    loop_task_add(&end_task);
    net_tls_init();
}
