/* server/commands/set/set_random.c - SPOP and SRANDMEMBER. */
#include "server/commands/set/set.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/exec/typed_key.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/set/set.def"

/* say_popped: members of a batch, as an effect: which they were was chance.  Said before they go,
 * while they can be read. */
static void
say_popped(struct slice key, const struct set_batch *b, uint32_t which)
{
    struct slice words[2 + SET_BATCH] = {SLICE("SREM"), key};
    int argc = 2;

    for (; which != 0; which &= which - 1)
        words[argc++] = b->text[__builtin_ctz(which)];
    effect_instead(argc, words);
}

static void
note_popped(struct client *c, const struct db_ref *ref, uint64_t count)
{
    changed_taken(c, ref, KEY_EVENT_SET, "spop", count);
    if (ref->rec == NULL && unlikely(effects_are_wanted)) {
        effect_none();
        effect_deleted(ref->key);
    }
}

/* give_up: no memory; nothing has changed, whatever was replied already. */
static void
give_up(struct client *c, size_t pending)
{
    effect_none();
    reply_take_back(c, pending);
    reply_no_memory(c);
}

static void
pop_one(struct client *c)
{
    size_t before = client_pending_out(c);
    char scratch[LP_INT_TEXT_BYTES];
    struct slice member;
    struct db_ref ref;
    struct set s;
    int64_t removed;

    if (!key_of_type(c, 1, TYPE_SET, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL) {
        reply_null(c);
        return;
    }
    s = set_of(ref.rec);
    member = set_draw(&s, scratch);
    reply_bulk(c, member.ptr, member.len); /* while it is still there */
    if (unlikely(effects_are_wanted)) {
        struct slice words[] = {SLICE("SREM"), ref.key, member};

        EFFECT(words);
    }
    if (set_remove(&ref, &member, 1, &removed) == 0)
        note_popped(c, &ref, 1);
    else
        give_up(c, before);
}

static void
pop_all(struct client *c, struct db_ref *ref, const struct set *s)
{
    reply_set(c, s->count);
    set_each(s, set_reply_members, c);
    db_remove(ref);
}

static bool
reply_on(void *client, struct set_batch *b, uint32_t which)
{
    (void)set_reply_members(client, b, which);
    if (unlikely(effects_are_wanted))
        say_popped(((struct client *)client)->argv[1], b, which);
    return true; /* also to a client that is gone: they are popped */
}

static void
pop_count(struct client *c, struct db_ref *ref, uint64_t count)
{
    size_t before = client_pending_out(c);
    struct set s;

    if (ref->rec == NULL || count == 0) {
        reply_set(c, 0);
        return;
    }
    s = set_of(ref->rec);
    if (count >= s.count) {
        count = s.count;
        pop_all(c, ref, &s);
    } else {
        reply_set(c, count);
        if (set_pop(ref, count, reply_on, c) < 0) {
            give_up(c, before);
            return;
        }
    }
    note_popped(c, ref, count);
}

void
cmd_spop(struct client *c)
{
    struct db_ref ref;
    int64_t count;

    if (c->argc == 2) {
        pop_one(c);
    } else if (c->argc > 3) {
        reply_syntax(c);
    } else if (arg_positive(c, 2, &count) && key_of_type(c, 1, TYPE_SET, DB_WRITE, &ref)) {
        pop_count(c, &ref, (uint64_t)count);
    }
}

/* ---- SRANDMEMBER ---- */

static void
reply_drawn(struct client *c, const struct set *s)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice member = set_draw(s, scratch);

    reply_bulk(c, member.ptr, member.len);
}

static void
random_one(struct client *c)
{
    struct db_ref ref;
    struct set s;

    if (!key_of_type(c, 1, TYPE_SET, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_null(c);
        return;
    }
    s = set_of(ref.rec);
    reply_drawn(c, &s);
}

/* random_many: with repetitions. */
static void
random_many(struct client *c, const struct set *s, uint64_t count)
{
    reply_array(c, count);
    for (; count > 0 && !c->close_now; count--)
        reply_drawn(c, s);
}

static void
random_different(struct client *c, const struct set *s, uint64_t count)
{
    size_t before = client_pending_out(c);

    if (count > s->count)
        count = s->count;
    reply_array(c, count);
    if (set_sample(s, count, set_reply_members, c) < 0) {
        reply_take_back(c, before);
        reply_no_memory(c);
    }
}

void
cmd_srandmember(struct client *c)
{
    struct db_ref ref;
    int64_t count;
    struct set s;

    if (c->argc == 2) {
        random_one(c);
        return;
    }
    if (c->argc > 3) {
        reply_syntax(c);
        return;
    }
    if (!arg_int_either_way(c, 2, &count))
        return;
    if (!key_of_type(c, 1, TYPE_SET, DB_READ, &ref))
        return;
    if (ref.rec == NULL || count == 0) {
        reply_array(c, 0);
        return;
    }
    s = set_of(ref.rec);
    if (count < 0)
        random_many(c, &s, (uint64_t)-count);
    else
        random_different(c, &s, (uint64_t)count);
}
