/* server/exec/keyevent.h - who hears that a key was changed: those who watch it or cache it,
 * subscribers of keyspace notifications, and, of a key that went on its own, copies of the data
 * (effect.h).
 *
 * Handlers say what they changed through changed.h, which counts it too.  key_changed() is for
 * changes that no command asked for (expired, evicted); key_event() for what is no change to those
 * who WATCH (keymiss, new: tests/integration/test_watch.py knows them all).  Both cost one branch
 * while nobody listens.  [Redis documentation: Keyspace notifications.]
 * Threads: mutator. */
#ifndef SERVER_EXEC_KEYEVENT_H
#define SERVER_EXEC_KEYEVENT_H

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/data/db/db.h"
#include "server/data/db/listener.h"

/* In key_event_listeners, beside the classes. */
enum {
    KEY_EVENT_TRACKED = 1 << 27, /* some client caches keys (tracking.h) */
    KEY_EVENT_HELD = 1 << 28,    /* some key is held (keyhold.h) */
    KEY_EVENT_COPIED = 1 << 29,  /* effects are wanted: of keys that expire or are evicted */
    KEY_EVENT_WATCHED = 1 << 30  /* some key is watched */
};

void key_changed_heard(struct db *db, struct slice key, unsigned class, const char *event);
void key_event_heard(struct db *db, struct slice key, unsigned class, const char *event);
void key_field_gone_heard(struct db *db, struct slice key, struct slice field);

static inline void
key_changed(struct db *db, struct slice key, unsigned class, const char *event)
{
    if (unlikely(key_event_listeners != 0))
        key_changed_heard(db, key, class, event);
}

static inline void
key_event(struct db *db, struct slice key, unsigned class, const char *event)
{
    if (unlikely((key_event_listeners & class) != 0))
        key_event_heard(db, key, class, event);
}

/* key_event_flushed: before logical database `index` is emptied: watched keys that exist in it are
 * touched. */
void key_event_flushed(int index);
/* key_event_swapped: before two logical databases are exchanged. */
void key_event_swapped(int a, int b);
/* key_event_emptied: one database, or all of them, is or will be empty, or two were exchanged: who
 * caches keys forgets them all.  Once a command. */
void key_event_emptied(void);
/* key_event_init: hook CONFIG SET notify-keyspace-events, and take the configured value over. */
void key_event_init(void);

#endif
