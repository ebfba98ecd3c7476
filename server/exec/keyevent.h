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

/* The letters of notify-keyspace-events; A is all but m and n. */
enum key_event_class {
    KEY_EVENT_KEYSPACE = 1 << 0, /* K */
    KEY_EVENT_KEYEVENT = 1 << 1, /* E */
    KEY_EVENT_GENERIC = 1 << 2,  /* g */
    KEY_EVENT_STRING = 1 << 3,   /* $ */
    KEY_EVENT_LIST = 1 << 4,     /* l */
    KEY_EVENT_SET = 1 << 5,      /* s */
    KEY_EVENT_HASH = 1 << 6,     /* h */
    KEY_EVENT_ZSET = 1 << 7,     /* z */
    KEY_EVENT_EXPIRED = 1 << 8,  /* x */
    KEY_EVENT_EVICTED = 1 << 9,  /* e */
    KEY_EVENT_STREAM = 1 << 10,  /* t */
    KEY_EVENT_MISS = 1 << 11,    /* m */
    KEY_EVENT_MODULE = 1 << 12,  /* d */
    KEY_EVENT_NEW = 1 << 13      /* n */
};
enum { KEY_EVENT_WATCHED = 1 << 30 }; /* in key_event_listeners: some key is watched */

/* The classes that somebody wants, and KEY_EVENT_WATCHED; 0: nobody listens. */
extern unsigned key_event_listeners;

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
