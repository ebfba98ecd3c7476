/* server/exec/keyhold.c - see keyhold.h. */
#include "server/exec/keyhold.h"

#include <errno.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "server/data/db/db.h"
#include "server/exec/cmd.h"
#include "server/exec/keyevent.h"
#include "server/exec/keynames.h"
#include "server/exec/multi.h"
#include "server/net/client.h"
#include "server/net/net.h"

struct keyhold {
    struct keyname key; /* first */
    bool was_changed, was_touched;
};

static struct keynames holds;
unsigned keyhold_count;

/* The turn in which those who wait may try again, in the clock of clock_now.turn_ns: the next one
 * that asks after a key was released.  In every turn they would try in vain; but those who wait for
 * something else, CLIENT PAUSE or a save's memory, stand in the same queue, and are let through
 * when that is over, at most so much later. */
enum { LOOK_NS = 5000000 };
static bool has_released;
static int64_t open_turn_ns;

static struct keyhold *
find(int db_index, struct slice name)
{
    return (struct keyhold *)(void *)keynames_find(&holds, db_index, name); /* its first member */
}

int
keyhold_take(int db_index, struct slice name, struct keyhold **ret)
{
    struct keyhold *h;

    if (find(db_index, name) != NULL)
        return -EEXIST;
    if ((h = (struct keyhold *)(void *)keynames_add(&holds, db_index, name, sizeof *h)) == NULL)
        return -ENOMEM;
    keyhold_count++;
    key_event_listeners |= KEY_EVENT_HELD;
    *ret = h;
    return 0;
}

void
keyhold_release(struct keyhold *h)
{
    keynames_remove(&holds, &h->key);
    must(keyhold_count > 0);
    if (--keyhold_count == 0)
        key_event_listeners &= ~(unsigned)KEY_EVENT_HELD;
    has_released = true;
}

bool
keyhold_was_changed(const struct keyhold *h)
{
    return h->was_changed;
}

bool
keyhold_was_touched(const struct keyhold *h)
{
    return h->was_touched;
}

void
keyhold_accept(struct keyhold *h)
{
    h->was_changed = h->was_touched = false;
}

bool
keyhold_is_held(int db_index, struct slice name)
{
    return find(db_index, name) != NULL;
}

/* ---- who changes one (HD2) ---- */

void
keyhold_note(const struct db *db, struct slice name, const char *event)
{
    struct keyhold *h = find(db_index_of(db), name);

    if (h == NULL)
        return;
    h->was_touched = true;
    h->was_changed |= strcmp(event, "hexpired") != 0;
}

static void
note(void *ctx, struct nametab_node *n)
{
    struct keyhold *h = (struct keyhold *)(void *)n; /* the node is the name's first member */

    (void)ctx;
    h->was_changed = h->was_touched = true;
}

void
keyhold_note_all(int db_index)
{
    keynames_each(&holds, db_index, note, NULL);
}

/* ---- who waits (HD1) ---- */

struct call {
    const struct slice *argv;
    int db_index;
    bool names_held;
};

static void
look_at(void *ctx, int at, uint32_t flags)
{
    struct call *call = ctx;

    (void)flags;
    call->names_held |= find(call->db_index, call->argv[at]) != NULL;
}

static bool
may_change(uint32_t flags)
{
    return (flags & (CMD_WRITE | CMD_RUNS_SCRIPT)) != 0 ||
           (flags & (CMD_MAY_REPLICATE | CMD_PUBSUB)) == CMD_MAY_REPLICATE;
}

/* touches_all: it changes keys, and names none of them. */
static bool
touches_all(const struct cmd *cmd)
{
    return (cmd->flags & CMD_WRITE) != 0 && (cmd->acl_categories & ACL_KEYSPACE) != 0 &&
           !key_spec_has_keys(cmd);
}

static bool
stops(const struct client *c, const struct cmd *cmd, const struct slice *argv, int argc)
{
    struct call call = {.argv = argv, .db_index = c->db_index};

    if (!may_change(cmd->flags))
        return false;
    if (touches_all(cmd))
        return true;
    key_spec_find(cmd, argv, argc, look_at, &call);
    return call.names_held;
}

bool
keyhold_stops(const struct client *c, const struct cmd *cmd, uint32_t flags)
{
    if (!may_change(flags))
        return false;
    if ((cmd->flags & CMD_RUNS_QUEUE) != 0)
        return multi_any(c, stops);
    return c->multi == NULL && stops(c, cmd, c->argv, c->argc);
}

static bool
is_closed(void)
{
    if (keyhold_count == 0)
        return false;
    if (has_released || clock_now.turn_ns - open_turn_ns >= LOOK_NS)
        open_turn_ns = clock_now.turn_ns;
    has_released = false;
    return open_turn_ns != clock_now.turn_ns;
}

void
keyhold_init(void)
{
    /* Who waits is read on: how long that takes is another server's to say. */
    static struct net_gate gate = {.is_closed = is_closed};

    net_gate_add(&gate);
}

static void
count(void *ctx, struct nametab_node *n)
{
    (void)n;
    ++*(unsigned *)ctx;
}

void
keyhold_verify(void)
{
    unsigned n = 0;

    for (int i = 0; i < db_count(); i++)
        keynames_each(&holds, i, count, &n);
    must(n == keyhold_count);
    must(((key_event_listeners & KEY_EVENT_HELD) != 0) == (n > 0));
}
