/* server/commands/sorted_set/zset_store.c - results that become sorted sets: ZRANGESTORE,
 * ZUNIONSTORE and its kin. */
#include <stdlib.h>

#include "mm/base/keyhash.h"
#include "server/commands/sorted_set/zset.h"
#include "server/data/db/db.h"
#include "server/exec/changed.h"

/* put: the value into its key, which is told of.  false: no memory; the value is still the
 * caller's. */
static bool
put(struct client *c, struct slice key, const struct value *v, const struct zset_told *told)
{
    struct db_ref ref;

    db_lookup(c->db, key, DB_WRITE, &ref);
    if (db_store(&ref, v, RECORD_NO_EXPIRE) < 0)
        return false;
    changed(c, key, KEY_EVENT_ZSET, told->event, told->changes);
    return true;
}

/* delete_key: also one whose time is over: it counts as deleted, not as expired. */
static void
delete_key(struct client *c, struct slice key)
{
    struct db_ref ref = {.db = c->db, .key = key, .hash = keyhash(key), .rec = db_peek(c->db, key)};

    if (ref.rec == NULL)
        return;
    db_remove(&ref);
    changed_gone(c, key);
}

void
zset_store(struct client *c, struct slice key, const struct zroot *z, struct zset_told told)
{
    uint64_t count = zroot_count(z);
    const struct zentry **sorted;
    struct value v;

    must(told.event != NULL);
    if (count == 0) {
        zroot_free(z);
        delete_key(c, key);
        reply_int(c, 0);
        return;
    }
    if ((sorted = zroot_sorted(z)) == NULL || !zset_value_of(z, sorted, key.len, &v)) {
        zroot_free(z);
        reply_no_memory(c);
    } else if (!put(c, key, &v, &told)) {
        value_free(&v);
        reply_no_memory(c);
    } else {
        reply_int(c, (int64_t)count);
    }
    free(sorted);
}
