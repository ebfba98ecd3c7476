/* server/exec/keyevent.h - a key was changed: who watches it learns of it, and who subscribed to
 * keyspace notifications.
 *
 * Each handler that changed a key calls key_changed() once for it, after the change, with Redis's
 * name of the event; key_event() alone where something happened that is no change to those who
 * WATCH (keymiss, new, XSETID, a stream's groups and consumers: tests/integration/test_watch.py
 * knows them all). Both cost one branch while nobody listens.  [Redis documentation: Keyspace
 * notifications.]
 * Threads: mutator. */
#ifndef SERVER_EXEC_KEYEVENT_H
#define SERVER_EXEC_KEYEVENT_H

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/data/db/db.h"
#include "server/data/db/listener.h"

enum { KEY_EVENT_WATCHED = 1 << 30 }; /* in key_event_listeners: some key is watched */

void key_changed_heard(struct db *db, struct slice key, unsigned class, const char *event);
void key_event_heard(struct db *db, struct slice key, unsigned class, const char *event);

static inline void
key_changed(struct db *db, struct slice key, unsigned class, const char *event)
{
    if (unlikely(key_event_listeners != 0))
        key_changed_heard(db, key, class, event);
}

/* key_touched: a change without a notification of its own. */
static inline void
key_touched(struct db *db, struct slice key)
{
    key_changed(db, key, 0, "");
}

static inline void
key_event(struct db *db, struct slice key, unsigned class, const char *event)
{
    if (unlikely((key_event_listeners & class) != 0))
        key_event_heard(db, key, class, event);
}

/* key_event_flushed: before logical database `index` is emptied: watched keys that exist in it are
 * touched.
 */
void key_event_flushed(int index);
/* key_event_swapped: before two logical databases are exchanged. */
void key_event_swapped(int a, int b);
/* key_event_init: hook CONFIG SET notify-keyspace-events, and take the configured value over. */
void key_event_init(void);

#endif
