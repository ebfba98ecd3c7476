/* server/commands/stream/stream_group.c - XGROUP. */
#include "mm/base/clock.h"
#include "server/commands/stream/stream.h"
#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/exec/keywait.h"
#include "server/exec/typed_key.h"
#include "server/net/reply.h"

#include "server/commands/stream/stream.def"

enum { KEY_ARG = 2, GROUP_ARG = 3, ID_ARG = 4, OPTIONS_ARG = 5 };

struct group_options {
    bool make_stream;
    int64_t entries_read;
};

static bool
parse_options(struct client *c, struct group_options *o, bool is_create)
{
    *o = (struct group_options){.entries_read = STREAM_READ_UNKNOWN};
    for (int i = OPTIONS_ARG; i < c->argc; i++) {
        if (is_create && arg_is(c, i, "mkstream")) {
            o->make_stream = true;
        } else if (arg_is(c, i, "entriesread") && i + 1 < c->argc) {
            if (!arg_int(c, ++i, &o->entries_read))
                return false;
            if (o->entries_read < STREAM_READ_UNKNOWN) {
                reply_error(c, "ERR value for ENTRIESREAD must be positive or -1");
                return false;
            }
        } else {
            reply_subcommand_syntax(c);
            return false;
        }
    }
    return true;
}

/* find_stream: false: WRONGTYPE was replied, or, unless `may_miss`, that the key should exist. */
static bool
find_stream(struct client *c, bool may_miss, struct db_ref *ref)
{
    if (!key_of_type(c, KEY_ARG, TYPE_STREAM, DB_WRITE, ref))
        return false;
    if (ref->rec != NULL || may_miss)
        return true;
    reply_error(
        c,
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.");
    return false;
}

/* find_group: false: an error was replied. */
static bool
find_group(struct client *c, struct db_ref *ref, const struct stream_group **ret)
{
    struct slice key = c->argv[KEY_ARG], name = c->argv[GROUP_ARG];

    if (!find_stream(c, false, ref))
        return false;
    if ((*ret = stream_group_find(stream_of(ref), name)) != NULL)
        return true;
    reply_no_group(c, (const char *const[]){"No such consumer group", "for key name", ""}, name,
                   key);
    return false;
}

static void
tell(const struct client *c, const char *event)
{
    changed_beside(c, c->argv[KEY_ARG], KEY_EVENT_STREAM, event, 1);
}

/* make_stream: an empty stream with the group; false: no memory, and nothing has changed. */
static bool
make_stream(struct db_ref *ref, struct slice group, struct stream_id id, int64_t entries_read)
{
    struct value v = {.type = TYPE_STREAM, .enc = ENC_ROOT, .root = stream_new()};

    if (v.root == NULL)
        return false;
    if (stream_group_create(v.root, group, id, entries_read) != NULL &&
        db_store(ref, &v, RECORD_NO_EXPIRE) == 0)
        return true;
    value_free(&v);
    return false;
}

static bool
create(struct db_ref *ref, struct slice group, struct stream_id id, int64_t entries_read)
{
    if (ref->rec == NULL)
        return make_stream(ref, group, id, entries_read);
    return stream_group_create(stream_of(ref), group, id, entries_read) != NULL;
}

/* XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n] -> OK. */
void
cmd_xgroup_create(struct client *c)
{
    struct stream_id id = {0, 0};
    struct group_options o;
    struct db_ref ref;
    bool is_new;

    if (!parse_options(c, &o, true) || !find_stream(c, o.make_stream, &ref))
        return;
    if (!slice_equal(c->argv[ID_ARG], SLICE("$"))) {
        if (!arg_stream_id(c, ID_ARG, &id))
            return;
    } else if (ref.rec != NULL) {
        id = stream_of(&ref)->last;
    }
    if (ref.rec != NULL && stream_group_find(stream_of(&ref), c->argv[GROUP_ARG]) != NULL) {
        reply_error(c, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    is_new = ref.rec == NULL;
    if (!create(&ref, c->argv[GROUP_ARG], id, o.entries_read)) {
        reply_no_memory(c);
        return;
    }
    if (is_new)
        changed_silently(c, c->argv[KEY_ARG], 0); /* the group is what counts */
    tell(c, "xgroup-create");
    reply_ok(c);
}

/* XGROUP SETID key group id|$ [ENTRIESREAD n] -> OK. */
void
cmd_xgroup_setid(struct client *c)
{
    const struct stream_group *g;
    struct group_options o;
    struct stream_id id;
    struct db_ref ref;

    if (!parse_options(c, &o, false) || !find_group(c, &ref, &g))
        return;
    if (slice_equal(c->argv[ID_ARG], SLICE("$"))) {
        id = stream_of(&ref)->last;
    } else if (!stream_id_parse(c->argv[ID_ARG], (struct id_syntax){.missing = 0}, &id, NULL)) {
        reply_error(c, "ERR Invalid stream ID specified as stream command argument");
        return;
    }
    stream_group_set(g, id, o.entries_read);
    tell(c, "xgroup-setid");
    reply_ok(c);
}

/* XGROUP DESTROY key group -> 1, or 0 if it was not there.  Clients that wait in the group get an
 * error. */
void
cmd_xgroup_destroy(struct client *c)
{
    const struct stream_group *g;
    struct db_ref ref;

    if (!find_stream(c, false, &ref))
        return;
    if ((g = stream_group_find(stream_of(&ref), c->argv[GROUP_ARG])) == NULL) {
        reply_int(c, 0);
        return;
    }
    stream_group_destroy(stream_of(&ref), g);
    tell(c, "xgroup-destroy");
    keywait_ready(c->db, c->argv[KEY_ARG]);
    reply_int(c, 1);
}

/* XGROUP CREATECONSUMER key group consumer -> 1, or 0 if it was there. */
void
cmd_xgroup_createconsumer(struct client *c)
{
    const struct stream_group *g;
    struct db_ref ref;

    if (!find_group(c, &ref, &g))
        return;
    if (stream_consumer_find(g, c->argv[ID_ARG]) != NULL) {
        reply_int(c, 0);
    } else if (stream_consumer_create(g, c->argv[ID_ARG], clock_now.ms) == NULL) {
        reply_no_memory(c);
    } else {
        tell(c, "xgroup-createconsumer");
        reply_int(c, 1);
    }
}

/* XGROUP DELCONSUMER key group consumer -> how many entries were pending for it. */
void
cmd_xgroup_delconsumer(struct client *c)
{
    const struct stream_consumer *consumer;
    const struct stream_group *g;
    struct db_ref ref;
    uint64_t pending = 0;

    if (!find_group(c, &ref, &g))
        return;
    if ((consumer = stream_consumer_find(g, c->argv[ID_ARG])) != NULL) {
        pending = consumer->pending.count;
        stream_consumer_delete(g, consumer);
        tell(c, "xgroup-delconsumer");
    }
    reply_int(c, (int64_t)pending);
}
