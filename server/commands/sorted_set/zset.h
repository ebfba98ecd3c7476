/* server/commands/sorted_set/zset.h - what the files of commands on sorted sets share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SORTED_SET_ZSET_H
#define SERVER_COMMANDS_SORTED_SET_ZSET_H

#include "server/data/db/value.h"
#include "server/data/zset/zset.h"
#include "server/exec/typed_key.h"
#include "server/net/client.h"

/* zset_find_key: key_of_type() for sorted sets. */
static inline bool
zset_find_key(struct client *c, int arg, unsigned flags, struct db_ref *ref)
{
    return key_of_type(c, arg, TYPE_ZSET, flags, ref);
}

/* An array of elements while it is replied: with scores, RESP2 has them flat, RESP3 in arrays of
 * two. */
struct zset_reply {
    struct client *c;
    bool with_scores;
};
/* zset_reply_begin: so many elements follow.
 * zset_reply_element: a zset_visitor; ctx: a struct zset_reply. */
void zset_reply_begin(const struct zset_reply *z, uint64_t count);
void zset_reply_element(void *ctx, struct slice member, double score);

/* zset_store: the entries that were collected in z, which becomes the key's or is freed; replies
 * their number.  Told is what changed() is to be told.  Without any entry the key is deleted. */
struct zset_told {
    const char *event;
    uint64_t changes;
};
void zset_store(struct client *c, struct slice key, const struct zroot *z, struct zset_told told);

#endif
