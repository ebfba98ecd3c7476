/* server/exec/changed.h - a command changed a key: the one place where it says so.
 *
 * Who hears of it: the count of changes (save points, rdb_changes_since_last_save), those who WATCH
 * the key or cache it (tracking.h), subscribers of keyspace notifications, clients that wait for
 * the key, and, when the command is over, whoever keeps a copy of the data (effect.h).
 *
 *   CH1  A handler says each change once, after it was made, and only if it was made: a command
 *        that failed or found nothing to do says nothing.
 *   CH2  Events come in the order in which they are said.  A key that goes with a change says the
 *        change's own event first, then "del".
 *   CH3  n is how many changes Redis counts for it; the copies are told only of commands that
 *        counted any.
 *
 * What is no change at all is told by key_event() (keyevent.h) and counts nothing: "new" where the
 * handler says it itself, "expire" beside "set", an LTRIM that took nothing.
 * Cost: an addition, and one branch while nobody listens.  None of these fails.
 * Threads: mutator. */
#ifndef SERVER_EXEC_CHANGED_H
#define SERVER_EXEC_CHANGED_H

#include <stdint.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/data/db/db.h"
#include "server/exec/keyevent.h"
#include "server/net/client.h"

/* changed: the key has another value, or is new.  class: one of enum key_event_class; event: its
 * name, as Redis has it. */
static inline void
changed(const struct client *c, struct slice key, unsigned class, const char *event, uint64_t n)
{
    db_state.dirty += n;
    key_changed(c->db, key, class, event);
}

/* changed_in: one change, of a key in another database than the client's: MOVE, COPY. */
static inline void
changed_in(struct db *db, struct slice key, const char *event)
{
    db_state.dirty++;
    key_changed(db, key, KEY_EVENT_GENERIC, event);
}

/* changed_gone: one change: the key was deleted, whatever the command's name. */
static inline void
changed_gone(const struct client *c, struct slice key)
{
    changed(c, key, KEY_EVENT_GENERIC, "del", 1);
}

/* changed_taken: something was taken out of the key at ref, and perhaps (ref->rec is NULL now) the
 * key went with the last of it. */
static inline void
changed_taken(const struct client *c, const struct db_ref *ref, unsigned class, const char *event,
              uint64_t n)
{
    debug_check(n > 0); /* CH1 */
    changed(c, ref->key, class, event, n);
    if (ref->rec == NULL)
        key_event(c->db, ref->key, KEY_EVENT_GENERIC, "del");
}

/* changed_silently: a change without an event, which those who watch hear of nevertheless: the
 * count that PFCOUNT keeps. */
static inline void
changed_silently(const struct client *c, struct slice key, uint64_t n)
{
    changed(c, key, 0, "", n);
}

/* changed_beside: a change that is told and counted, but breaks nobody's transaction, as in Redis:
 * a stream's last id, its groups and their consumers. */
static inline void
changed_beside(const struct client *c, struct slice key, unsigned class, const char *event,
               uint64_t n)
{
    debug_check((class & ~(unsigned)KEY_EVENT_STREAM) == 0);
    db_state.dirty += n;
    key_event(c->db, key, class, event);
}

/* changed_unheard: a change that only counts: what is pending in a stream's groups; a sketch that
 * is the same in another form. */
static inline void
changed_unheard(const struct client *c, struct slice key, uint64_t n)
{
    (void)c;
    (void)key;
    db_state.dirty += n;
}

/* changed_flush, changed_flush_all: empty logical database `index`, or all: their keys are counted,
 * those who watch, cache or wait for one are told. */
void changed_flush(int index);
void changed_flush_all(void);
/* changed_swap: exchange two logical databases; counts one change, also where both are the same. */
void changed_swap(int a, int b);

#endif
