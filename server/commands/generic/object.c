/* server/commands/generic/object.c - OBJECT: how a value is stored and used. */

#include "server/data/db/db.h"
#include "server/data/db/lfu.h"
#include "server/data/db/value.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

/* find: the record at argument 2; NULL, and a null was replied. */
static const struct record *
find(struct client *c)
{
    struct db_ref ref;

    if (db_lookup(c->db, c->argv[2], DB_LOOK | DB_QUIET, &ref) == NULL)
        reply_null(c);
    return ref.rec;
}

void
cmd_object_encoding(struct client *c)
{
    const struct record *r = find(c);
    struct value v;

    if (r == NULL)
        return;
    v = value_of(r);
    reply_bulk_text(c, value_encoding_name(&v));
}

void
cmd_object_refcount(struct client *c)
{
    const struct record *r = find(c);
    struct value v;

    if (r == NULL)
        return;
    v = value_of(r);
    reply_int(c, db_refcount(&v));
}

void
cmd_object_idletime(struct client *c)
{
    const struct record *r = find(c);

    if (r != NULL && db_counts_use())
        reply_error(
            c,
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.");
    else if (r != NULL)
        reply_int(c, lfu_idle_s(record_clock(r)));
}

void
cmd_object_freq(struct client *c)
{
    const struct record *r = find(c);

    if (r != NULL && db_counts_use())
        reply_int(c, lfu_counter(record_clock(r)));
    else if (r != NULL)
        reply_error(
            c,
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}
