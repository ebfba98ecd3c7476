/* server/commands/stream/stream_effect.h - the effects (effect.h) of commands on streams: with the
 * ids, times and counts that came out.
 *
 * Each says one effect; unlikely(effects_are_wanted) first.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_STREAM_STREAM_EFFECT_H
#define SERVER_COMMANDS_STREAM_STREAM_EFFECT_H

#include "mm/base/slice.h"
#include "server/data/stream/stream.h"
#include "server/exec/effect.h"

struct client;

/* stream_say_added: XADD with that id in the place of argument id_arg, and with the fields behind
 * it.  trimmed: the stream, where something went; NULL: nothing did. */
void stream_say_added(const struct client *c, int id_arg, struct stream_id id,
                      const struct stream *trimmed);
/* stream_say_trimmed: down to the length that the stream has now. */
void stream_say_trimmed(struct slice key, const struct stream *s);

/* What the commands on consumer groups are about. */
struct stream_said {
    struct slice key, group, consumer;
};

/* stream_say_consumer: it was made. */
void stream_say_consumer(const struct stream_said *w);
/* stream_say_claimed: the entry is pending for the consumer, since when and how often is looked up
 * in the group. */
void stream_say_claimed(const struct stream_said *w, const struct stream_group *g,
                        struct stream_id id);
/* stream_say_acked: the entry is no longer pending. */
void stream_say_acked(const struct stream_said *w, struct stream_id id);
/* stream_say_read: how far the group has read. */
void stream_say_read(const struct stream_said *w, const struct stream_group *g);

#endif
