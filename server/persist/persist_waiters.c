/* server/persist/persist_waiters.c - who waits for a save's outcome: of the one that is under way,
 * or of the next, which begins when that has ended.
 *
 * Who asks for a save while one runs waits for the next: the running one is of an instant before
 * its last writes.  Two lists; a begin moves the second to the first, and an end empties the
 * first. */
#include "mm/base/must.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

static struct persist_waiter *of_running, *of_next;
static unsigned count;

static void
enter(struct persist_waiter **list, struct persist_waiter *w)
{
    w->next = *list;
    w->link = list;
    if (w->next != NULL)
        w->next->link = &w->next;
    *list = w;
    count++;
}

void
persist_wait_no_more(struct persist_waiter *w)
{
    must(*w->link == w && count > 0);
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    count--;
}

/* move_all: who waits in one list waits in the other. */
static void
move_all(struct persist_waiter **to, struct persist_waiter **from)
{
    struct persist_waiter *w;

    while ((w = *from) != NULL) {
        persist_wait_no_more(w);
        enter(to, w);
    }
}

static void
tell(struct persist_waiter **list, enum persist_outcome outcome)
{
    struct persist_waiter *w;

    while ((w = *list) != NULL) {
        persist_wait_no_more(w);
        w->told(w->ctx, outcome);
    }
}

void
persist_waiters_begun(void)
{
    must(of_running == NULL); /* the end before told them */
    move_all(&of_running, &of_next);
}

void
persist_waiters_end(enum persist_outcome outcome)
{
    tell(&of_running, outcome);
}

void
persist_waiters_drop_next(enum persist_outcome outcome)
{
    tell(&of_next, outcome);
}

bool
persist_waiters_put_off(void)
{
    move_all(&of_next, &of_running);
    return of_next != NULL;
}

unsigned
persist_waiters_count(void)
{
    return count;
}

void
persist_wait_for(struct persist_waiter *w, bool next)
{
    must(w->told != NULL && (next || persist.running));
    enter(next ? &of_next : &of_running, w);
}
