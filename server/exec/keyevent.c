/* server/exec/keyevent.c - changes of keys, told to those who want to know. */
#include "server/exec/keyevent.h"

#include <stdio.h>
#include <stdlib.h>

#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/exec/effect.h"
#include "server/exec/keyhold.h"
#include "server/exec/pubsub.h"
#include "server/exec/tracking.h"
#include "server/exec/watch.h"

void
key_changed_heard(struct db *db, struct slice key, unsigned class, const char *event)
{
    if ((key_event_listeners & KEY_EVENT_WATCHED) != 0)
        watch_touch(db, key);
    if ((key_event_listeners & KEY_EVENT_HELD) != 0)
        keyhold_note(db, key, event);
    if ((key_event_listeners & KEY_EVENT_TRACKED) != 0 && db_index_of(db) >= 0)
        tracking_key_changed(key, class);
    if ((key_event_listeners & KEY_EVENT_COPIED) != 0 &&
        (class & (KEY_EVENT_EXPIRED | KEY_EVENT_EVICTED)) != 0)
        effect_key_gone(db, key);
    if ((key_event_listeners & class) != 0)
        key_event_heard(db, key, class, event);
}

void
key_field_gone_heard(struct db *db, struct slice key, struct slice field)
{
    if ((key_event_listeners & KEY_EVENT_COPIED) != 0)
        effect_field_gone(db, key, field);
}

/* "__keyspace@0__:" and the like: the prefix of a channel. */
static int
put_prefix(char *to, size_t room, const char *what, int index)
{
    return snprintf(to, room, "__%s@%d__:", what, index);
}

static void
publish_keyspace(int index, struct slice key, struct slice event)
{
    char prefix[48], *channel;
    size_t n = (size_t)put_prefix(prefix, sizeof prefix, "keyspace", index);

    if ((channel = malloc(n + key.len)) == NULL) {
        log_line(LOG_WARNING, "No memory for a keyspace notification: it is lost");
        return;
    }
    memcpy(channel, prefix, n);
    memcpy(channel + n, key.ptr, key.len);
    pubsub_publish((struct slice){channel, n + key.len}, event, false);
    free(channel);
}

static void
publish_keyevent(int index, struct slice key, const char *event)
{
    char channel[128];
    int n = put_prefix(channel, sizeof channel, "keyevent", index);

    n += snprintf(channel + n, sizeof channel - (size_t)n, "%s", event);
    must((size_t)n < sizeof channel); /* the names of events are ours, and short */
    pubsub_publish((struct slice){channel, (size_t)n}, key, false);
}

void
key_event_heard(struct db *db, struct slice key, unsigned class, const char *event)
{
    int index = db_index_of(db);

    (void)class;
    if (index < 0)
        return; /* a flushed database: its keys are nobody's any more */
    if ((key_event_listeners & KEY_EVENT_KEYSPACE) != 0)
        publish_keyspace(index, key, (struct slice){event, strlen(event)});
    if ((key_event_listeners & KEY_EVENT_KEYEVENT) != 0)
        publish_keyevent(index, key, event);
}

void
key_event_flushed(int index)
{
    if ((key_event_listeners & KEY_EVENT_WATCHED) != 0)
        watch_flushed(index);
    if ((key_event_listeners & KEY_EVENT_HELD) != 0)
        keyhold_note_all(index);
}

void
key_event_swapped(int a, int b)
{
    if ((key_event_listeners & KEY_EVENT_WATCHED) != 0)
        watch_swapped(a, b);
    if ((key_event_listeners & KEY_EVENT_HELD) != 0) {
        keyhold_note_all(a);
        keyhold_note_all(b);
    }
}

void
key_event_emptied(void)
{
    if ((key_event_listeners & KEY_EVENT_TRACKED) != 0)
        tracking_emptied();
}

/* Without K or E nobody is told, so nothing else is listened for. */
static bool
apply(const struct config *next, const char **why)
{
    unsigned classes = (unsigned)next->notify_keyspace_events;

    (void)why;
    if ((classes & (KEY_EVENT_KEYSPACE | KEY_EVENT_KEYEVENT)) == 0)
        classes = 0;
    key_event_listeners = (key_event_listeners & (KEY_EVENT_WATCHED | KEY_EVENT_COPIED |
                                                  KEY_EVENT_HELD | KEY_EVENT_TRACKED)) |
                          classes;
    return true;
}

void
key_event_init(void)
{
    config_follow("notify-keyspace-events", apply);
}
