/* server/exec/block.c - clients that wait: a binary heap of deadlines. */
#include "server/exec/block.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/ticks.h"
#include "server/exec/exec.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/net.h"
#include "server/net/output.h"

static struct client **heap; /* the earliest deadline first; clients without one are not in it */
static unsigned heap_count, heap_room, blocked;

static void end_due(unsigned slice_us);
static struct loop_task deadlines = {.place = LOOP_DEADLINES, .due_ms = LOOP_NEVER, .run = end_due};

static int64_t
deadline(unsigned at)
{
    return heap[at]->block->deadline_ms;
}

static void
place(unsigned at, struct client *c)
{
    heap[at] = c;
    c->block->heap_at = at;
}

static void
sift_up(unsigned at, struct client *c)
{
    for (; at > 0 && deadline((at - 1) / 2) > c->block->deadline_ms; at = (at - 1) / 2)
        place(at, heap[(at - 1) / 2]);
    place(at, c);
}

static void
sift_down(unsigned at, struct client *c)
{
    for (unsigned child; (child = 2 * at + 1) < heap_count; at = child) {
        if (child + 1 < heap_count && deadline(child + 1) < deadline(child))
            child++;
        if (deadline(child) >= c->block->deadline_ms)
            break;
        place(at, heap[child]);
    }
    place(at, c);
}

static bool
reserve_one(void)
{
    unsigned room = heap_room > 0 ? heap_room * 2 : 64;
    struct client **p;

    if (heap_count < heap_room)
        return true;
    if ((p = realloc(heap, room * sizeof(struct client *))) == NULL)
        return false;
    heap = p;
    heap_room = room;
    return true;
}

static void
note_first(void)
{
    loop_task_at(&deadlines, heap_count > 0 ? deadline(0) : LOOP_NEVER);
}

static void
take_out(struct block *b)
{
    unsigned at = b->heap_at;
    struct client *last;

    if (b->deadline_ms == 0)
        return;
    must(at < heap_count && heap[at]->block == b); /* a deadline is not changed within a wait */
    last = heap[--heap_count];
    if (at < heap_count) {
        if (at > 0 && deadline((at - 1) / 2) > last->block->deadline_ms)
            sift_up(at, last);
        else
            sift_down(at, last);
    }
    note_first();
}

int
block_client(struct client *c, struct block *b)
{
    must(c->block == NULL && client_may_wait(c));
    must(b->end != NULL && b->deadline_ms >= 0);
    if (b->deadline_ms != 0 && !reserve_one())
        return -ENOMEM;
    c->block = b;
    b->is_muted = c->is_muted;
    b->cmd = c->cmd;
    if (b->deadline_ms != 0) {
        sift_up(heap_count++, c);
        note_first();
    }
    blocked++;
    return 0;
}

void
block_reply_begin(struct client *c, const struct block *b, struct block_reply *r)
{
    *r = (struct block_reply){
        .begin_ticks = ticks_now(), .argc = c->argc, .argv = c->argv, .before = reply_mark(c)};
    c->argc = b->argc;
    c->argv = b->argv;
    c->cmd = b->cmd;
    c->is_error = false;
    if (b->is_muted)
        output_mute(c);
}

/* has_replied: one reply, or, unless it was answered, none.  One that listens to what is changed
 * may be told of that as well, before or after. */
static bool
has_replied(struct client *c, const struct reply_mark *before, bool is_answered)
{
    int n = reply_is_kept(c, before) ? reply_count(c, before) : is_answered;

    return n == is_answered || (n > is_answered && client_is_subscriber(c));
}

void
block_reply_end(struct client *c, const struct block *b, const struct block_reply *r,
                bool is_answered)
{
    debug_check(has_replied(c, &r->before, is_answered));
    output_unmute(c);
    if (is_answered)
        exec_count(c, b->cmd, b->spent_ns + ticks_to_ns(ticks_now() - r->begin_ticks));
    c->argc = r->argc;
    c->argv = r->argv;
}

/* leave: the client is blocked no longer. */
static struct block *
leave(struct client *c)
{
    struct block *b = c->block;

    must(b != NULL && blocked > 0);
    take_out(b);
    c->block = NULL;
    blocked--;
    return b;
}

void
block_finish(struct client *c)
{
    free(leave(c));
    net_resume_later(c);
}

bool
block_end(struct client *c, enum block_end why)
{
    struct block_reply reply;
    struct block *b;

    if (c->block == NULL)
        return false;
    b = leave(c);
    block_reply_begin(c, b, &reply);
    b->end(c, b, why);
    block_reply_end(c, b, &reply, why != BLOCK_GONE);
    free(b);
    if (why != BLOCK_GONE)
        net_resume_later(c);
    return true;
}

static void
end_due(unsigned slice_us)
{
    (void)slice_us;
    while (heap_count > 0 && deadline(0) <= clock_now.ms)
        block_end(heap[0], BLOCK_TIMEOUT);
}

unsigned
block_count(void)
{
    return blocked;
}

unsigned
block_timed(void)
{
    return heap_count;
}

void
block_verify(void)
{
    unsigned n = 0;

    for (unsigned at = 0; at < heap_count; at++) {
        must(heap[at]->block != NULL && heap[at]->block->heap_at == at);
        must(deadline(at) > 0 && (at == 0 || deadline((at - 1) / 2) <= deadline(at)));
    }
    for (const struct client *c = client_first(); c != NULL; c = c->next)
        n += c->block != NULL;
    must(heap_count <= blocked && n <= blocked);
    must(deadlines.due_ms == (heap_count > 0 ? deadline(0) : LOOP_NEVER));
}

static void
on_close(struct client *c)
{
    block_end(c, BLOCK_GONE);
}

void
block_init(void)
{
    static const struct client_attachment attachment = {.on_close = on_close};

    client_attach(&attachment);
    loop_task_add(&deadlines);
}
