/* server/commands/set/set.c - commands on one set.  At random: commands/set/set_random.c; on
 * several: commands/set/set_combine.c; SSCAN: commands/generic/scan.c. */
#include "server/commands/set/set.h"
#include "server/commands/generic/scan.h"
#include "server/data/db/db.h"
#include "server/exec/changed.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/exec/typed_key.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/set/set.def"

static bool
find_set(struct client *c, unsigned flags, struct db_ref *ref)
{
    return key_of_type(c, 1, TYPE_SET, flags, ref);
}

bool
set_reply_members(void *client, struct set_batch *b, uint32_t which)
{
    for (; which != 0; which &= which - 1) {
        struct slice text = b->text[__builtin_ctz(which)];

        reply_bulk(client, text.ptr, text.len);
    }
    return !((struct client *)client)->close_now;
}

void
cmd_sadd(struct client *c)
{
    struct db_ref ref;
    int64_t added;

    if (!find_set(c, DB_WRITE, &ref))
        return;
    if (set_add(&ref, c->argv + 2, c->argc - 2, &added) < 0) {
        reply_no_memory(c);
        return;
    }
    if (added > 0)
        changed(c, c->argv[1], KEY_EVENT_SET, "sadd", (uint64_t)added);
    reply_int(c, added);
}

void
cmd_srem(struct client *c)
{
    int64_t removed = 0;
    struct db_ref ref;

    if (!find_set(c, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL && set_remove(&ref, c->argv + 2, c->argc - 2, &removed) < 0) {
        reply_no_memory(c);
        return;
    }
    if (removed > 0)
        changed_taken(c, &ref, KEY_EVENT_SET, "srem", (uint64_t)removed);
    reply_int(c, removed);
}

static bool
has(const struct db_ref *ref, struct slice member)
{
    struct set s;

    if (ref->rec == NULL)
        return false;
    s = set_of(ref->rec);
    return set_has(&s, member);
}

/* move_quietly: set_move() that tells no "new": that follows on the first set's events. */
static int
move_quietly(struct db_ref *from, struct db_ref *to, struct slice member, int64_t *ret_added)
{
    unsigned new_is_heard = key_event_listeners & KEY_EVENT_NEW;
    int r;

    key_event_listeners &= ~(unsigned)KEY_EVENT_NEW;
    r = set_move(from, to, member, ret_added);
    key_event_listeners |= new_is_heard;
    return r;
}

void
cmd_smove(struct client *c)
{
    struct db_ref from, to;
    bool is_new;
    int64_t added;

    if (db_lookup(c->db, c->argv[1], DB_WRITE, &from) == NULL) {
        (void)db_lookup(c->db, c->argv[2], DB_WRITE, &to); /* Redis, too, lets it expire */
        reply_int(c, 0);
        return;
    }
    if (!key_of_type(c, 2, TYPE_SET, DB_WRITE, &to))
        return;
    is_new = to.rec == NULL;
    if (record_type(from.rec) != TYPE_SET) {
        reply_wrong_type(c);
    } else if (from.rec == to.rec || !has(&from, c->argv[3])) {
        reply_int(c, has(&from, c->argv[3]));
    } else if (move_quietly(&from, &to, c->argv[3], &added) < 0) {
        reply_no_memory(c);
    } else {
        changed_taken(c, &from, KEY_EVENT_SET, "srem", 1);
        if (is_new)
            key_event(c->db, c->argv[2], KEY_EVENT_NEW, "new");
        if (added > 0)
            changed(c, c->argv[2], KEY_EVENT_SET, "sadd", 1);
        reply_int(c, 1);
    }
}

/* ---- read ---- */

void
cmd_sismember(struct client *c)
{
    struct db_ref ref;

    if (find_set(c, DB_READ, &ref))
        reply_int(c, has(&ref, c->argv[2]));
}

void
cmd_smismember(struct client *c)
{
    struct db_ref ref;

    if (!find_set(c, DB_READ, &ref))
        return;
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_int(c, has(&ref, c->argv[i]));
}

void
cmd_scard(struct client *c)
{
    struct db_ref ref;

    if (find_set(c, DB_READ, &ref))
        reply_int(c, ref.rec == NULL ? 0 : (int64_t)set_of(ref.rec).count);
}

void
cmd_smembers(struct client *c)
{
    struct db_ref ref;
    struct set s;

    if (!find_set(c, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_set(c, 0);
        return;
    }
    s = set_of(ref.rec);
    reply_set(c, s.count);
    set_each(&s, set_reply_members, c);
}

void
cmd_sscan(struct client *c)
{
    scan_elements(c, TYPE_SET);
}
