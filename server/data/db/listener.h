/* server/data/db/listener.h - who hears of keys: what databases tell upwards, and what they ask.
 *
 * Databases know neither clients nor commands.  Above them one listener is registered at the start.
 * Three words say what it wants to hear; they are looked at where it matters how long that takes,
 * and while all are zero, nothing above is called.
 *
 *   DL1 A word is set only by who has registered a listener.
 *   DL2 What is called changes no key and takes no time to speak of; it may allocate, and copes
 *       when there is no memory.
 *
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_LISTENER_H
#define SERVER_DATA_DB_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct db;

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
/* Higher bits are the listener's own business: with any of them it hears of every change. */

struct db_listener {
    /* event: this happened to the key, and is no change of it: "keymiss", "new". */
    void (*event)(struct db *db, struct slice key, unsigned class, const char *event);
    /* changed: the key is gone, and no command asked for it: "expired", "evicted". */
    void (*changed)(struct db *db, struct slice key, unsigned class, const char *event);
    /* field_gone: the field's time has passed, and no command asked for it to go. */
    void (*field_gone)(struct db *db, struct slice key, struct slice field);
    /* ready: a key of a type that is waited for (type.h) is new, or has another value. */
    void (*ready)(struct db *db, struct slice key);
    /* gone: the key goes, or is of another type now. */
    void (*gone)(struct db *db, struct slice key);
    /* is_writing: is the command that runs one that writes?  Asked while the data is held still. */
    bool (*is_writing)(void);
};

/* db_listen: from now on; before any of the words below is set. */
void db_listen(const struct db_listener *listener);

/* The classes of events that somebody wants, and the listener's own bits; 0: nobody listens. */
extern unsigned key_event_listeners;
/* How many clients wait for a key. */
extern unsigned key_waiters;
/* Until then the data is held still (CLIENT PAUSE), unix ms: no key expires on its own, or because
 * somebody has looked at it.  0: it is not. */
extern int64_t db_held_until_ms;
/* The same, until the save that runs has room for it. */
extern bool db_held_for_save;

#endif
