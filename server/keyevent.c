/* server/keyevent.c - changes of keys, told to those who want to know. */
#include "server/keyevent.h"

unsigned key_event_listeners;

void
key_changed_heard(struct db *db, struct slice key, unsigned class, const char *event)
{
    key_event_heard(db, key, class, event);
}

void
key_event_heard(struct db *db, struct slice key, unsigned class, const char *event)
{
    (void)db;
    (void)key;
    (void)class;
    (void)event;
}

void
key_event_flushed(int index)
{
    (void)index;
}

void
key_event_swapped(int a, int b)
{
    (void)a;
    (void)b;
}

void
key_event_init(void)
{
}
