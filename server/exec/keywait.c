/* server/exec/keywait.c - clients that wait for keys: per logical database a table of the keys that
 * are waited for, per key its clients in the order in which they came, and the list of keys that
 * have become ready. */
#include "server/exec/keywait.h"

#include <stdlib.h>
#include <string.h>

#include "server/data/db/db.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/exec/exec.h"
#include "server/exec/exec_impl.h"
#include "server/exec/keynames.h"
#include "server/exec/pause.h"
#include "server/exec/tracking.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/reply.h"

/* A key that somebody waits for, or that is in the list of ready ones. */
struct waited_key {
    struct keyname key;         /* first */
    struct place *first, *last; /* in the order in which they came */
    unsigned on_delete;         /* how many of them wake when the key goes */
    bool is_ready;
    struct waited_key *next_ready;
};

/* One client waits for one key. */
struct place {
    struct waiting *owner;
    struct waited_key *key; /* NULL: the client named it twice */
    struct place *next, *prev;
};

struct waiting {
    struct block block; /* first */
    struct client *client;
    struct keywait_spec spec;
    uint64_t number; /* in the order in which they came */
    size_t bytes;
    int places;
    struct place place[]; /* and the command behind them */
};

bool keywait_has_ready;

static struct keynames tables;
static unsigned keys, keys_on_delete;
static struct waited_key *ready_first, **ready_last = &ready_first;
static uint64_t begun, left; /* waits, ever */

/* ---- keys ---- */

static struct waited_key *
key_of(void *keyname)
{
    return keyname; /* its first member, and of that the node */
}

static struct waited_key *
find_key(int db_index, struct slice name)
{
    return key_of(keynames_find(&tables, db_index, name));
}

static struct waited_key *
make_key(int db_index, struct slice name)
{
    return key_of(keynames_add(&tables, db_index, name, sizeof(struct waited_key)));
}

/* drop_if_unused: a key that nobody waits for; one that is ready is needed until its turn comes. */
static void
drop_if_unused(struct waited_key *k)
{
    if (k->first != NULL || k->is_ready)
        return;
    keynames_remove(&tables, &k->key);
}

static void
make_ready(struct waited_key *k)
{
    if (k->is_ready || k->first == NULL)
        return;
    k->is_ready = keywait_has_ready = true;
    k->next_ready = NULL;
    *ready_last = k;
    ready_last = &k->next_ready;
}

/* take_ready: the key that became ready first; NULL: there is none. */
static struct waited_key *
take_ready(void)
{
    struct waited_key *k = ready_first;

    if (k == NULL)
        return NULL;
    debug_check(k->is_ready);
    if ((ready_first = k->next_ready) == NULL) {
        ready_last = &ready_first;
        keywait_has_ready = false;
    }
    k->is_ready = false;
    return k;
}

void
keywait_ready_heard(struct db *db, struct slice key)
{
    struct waited_key *k = db_state.loading ? NULL : find_key(db_index_of(db), key);

    if (k != NULL)
        make_ready(k);
}

void
keywait_gone_heard(struct db *db, struct slice key)
{
    struct waited_key *k = db_state.loading ? NULL : find_key(db_index_of(db), key);

    if (k != NULL && k->on_delete > 0)
        make_ready(k);
}

static void
look_at_key(void *ctx, struct nametab_node *n)
{
    (void)ctx;
    make_ready(key_of(n));
}

void
keywait_scan(int index)
{
    if (key_waiters != 0)
        keynames_each(&tables, index, look_at_key, NULL);
}

/* ---- waits ---- */

static void
enter(struct place *p, struct waited_key *k)
{
    p->key = k;
    p->next = NULL;
    p->prev = k->last;
    if (k->last != NULL)
        k->last->next = p;
    else
        k->first = p;
    k->last = p;
    keys += p->prev == NULL;
    if (p->owner->spec.wakes_on_delete && k->on_delete++ == 0)
        keys_on_delete++;
}

static void
leave(struct place *p)
{
    struct waited_key *k = p->key;

    if (k == NULL)
        return;
    *(p->prev != NULL ? &p->prev->next : &k->first) = p->next;
    *(p->next != NULL ? &p->next->prev : &k->last) = p->prev;
    keys -= k->first == NULL;
    if (p->owner->spec.wakes_on_delete && --k->on_delete == 0)
        keys_on_delete--;
    drop_if_unused(k);
}

/* forget: the client waits no longer. */
static void
forget(struct waiting *w)
{
    for (int i = 0; i < w->places; i++)
        leave(&w->place[i]);
    must(key_waiters > 0);
    key_waiters--;
    left++;
}

static void
end_wait(struct client *c, struct block *b, enum block_end why)
{
    struct waiting *w = (struct waiting *)(void *)b;

    if (why == BLOCK_TIMEOUT)
        w->spec.reply_timeout(c);
    else if (why == BLOCK_ERROR)
        reply_error(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    forget(w);
}

/* make_waiting: with a copy of the command behind it.  NULL: no memory. */
static struct waiting *
make_waiting(struct client *c, const struct keywait_spec *spec)
{
    size_t bytes = sizeof(struct waiting) + (size_t)spec->key_count * sizeof(struct place) +
                   slices_bytes(c->argv, c->argc);
    struct waiting *w;

    if ((w = malloc(bytes)) == NULL)
        return NULL;
    *w = (struct waiting){
        .block = {.deadline_ms = spec->deadline_ms, .end = end_wait},
        .client = c,
        .spec = *spec,
        .number = begun,
        .bytes = bytes,
    };
    w->block.argc = c->argc;
    w->block.argv = (struct slice *)(void *)&w->place[spec->key_count];
    slices_copy(w->block.argv, c->argv, c->argc);
    return w;
}

/* enter_all: false: no memory. */
static bool
enter_all(struct waiting *w)
{
    for (; w->places < w->spec.key_count; w->places++) {
        struct slice name = w->block.argv[w->spec.first_key + w->places];
        struct place *p = &w->place[w->places];
        struct waited_key *k = find_key(w->client->db_index, name);

        *p = (struct place){.owner = w};
        if (k != NULL && k->last != NULL && k->last->owner == w)
            continue;
        if (k == NULL && (k = make_key(w->client->db_index, name)) == NULL)
            return false;
        enter(p, k);
    }
    return true;
}

void
keywait_begin(struct client *c, const struct keywait_spec *spec)
{
    struct waiting *w;

    must(spec->serve != NULL && spec->reply_timeout != NULL);
    must(spec->first_key > 0 && spec->key_count > 0 &&
         spec->first_key <= c->argc - spec->key_count);
    if (!client_may_wait(c)) {
        spec->reply_timeout(c);
        return;
    }
    if ((w = make_waiting(c, spec)) == NULL) {
        reply_error(c, "OOM no memory to wait");
        return;
    }
    begun++;
    key_waiters++;
    if (!enter_all(w) || block_client(c, &w->block) < 0) {
        forget(w);
        free(w);
        reply_error(c, "OOM no memory to wait");
    }
}

/* ---- serving ---- */

/* has_something: may the key serve this client? (K3) */
static bool
has_something(const struct waiting *w, const struct record *r)
{
    return w->spec.wakes_on_delete || (r != NULL && record_type(r) == w->spec.type);
}

/* call: the client's own serve(), as if its command ran now. */
static bool
call(const struct waiting *w, struct slice key)
{
    struct client *c = w->client;
    bool is_heard = effects_are_wanted, served;
    debug_only uint64_t dirty = db_state.dirty;
    struct effect_scope scope;
    struct block_reply reply;
    struct client *running = exec_state.running;

    exec_state.running = exec_state.served = c;
    c->db = db_select(c->db_index);
    block_reply_begin(c, &w->block, &reply);
    if (is_heard)
        effect_begin(c, &scope);
    served = w->spec.serve(c, key, w->block.argc, w->block.argv);
    debug_check(served || db_state.dirty == dirty); /* who waits on has changed nothing */
    if (is_heard)
        effect_end(&scope);
    if (served && unlikely((exec_state.onlookers & ONLOOKER_TRACKING) != 0))
        tracking_look(c, w->block.cmd);
    block_reply_end(c, &w->block, &reply, served);
    exec_state.served = NULL;
    exec_state.running = running;
    if (unlikely((exec_state.owed & OWED_INVALIDATIONS) != 0))
        tracking_deliver_own(c);
    return served;
}

/* serve_one: try the client at p.  True: it was answered, and is gone from all its keys. */
static bool
serve_one(const struct place *p)
{
    struct waiting *w = p->owner;
    struct client *c = w->client;
    struct slice key = p->key->key.node.name;
    struct db_ref ref;

    debug_check(c->block == &w->block); /* K1: whoever was served stands in no list any more */
    if (!has_something(w, db_lookup(db_select(c->db_index), key, 0, &ref)) || !call(w, key))
        return false;
    forget(w);
    block_finish(c);
    return true;
}

/* first_after: whose wait is younger than that number. */
static const struct place *
first_after(const struct waited_key *k, uint64_t number)
{
    const struct place *p = k->first;

    while (p != NULL && p->owner->number <= number)
        p = p->next;
    return p;
}

/* serve_key: every client that waits for it, once, in the order in which they came. */
static void
serve_key(struct waited_key *k)
{
    const struct place *next;

    k->is_ready = true; /* it stays until this is done */
    for (const struct place *p = k->first; p != NULL; p = next) {
        uint64_t number = p->owner->number, before = left;

        next = p->next;
        before += serve_one(p);
        if (left != before) /* a client went meanwhile, perhaps the next one */
            next = first_after(k, number);
    }
    k->is_ready = false;
}

void
keywait_serve_ready(void)
{
    static bool is_serving;
    struct waited_key *k;

    if (is_serving || db_state.loading || (pause_until_ms != 0 && pause_holds(NULL, CMD_WRITE)))
        return;
    is_serving = true;
    while ((k = take_ready()) != NULL) {
        serve_key(k);
        drop_if_unused(k);
    }
    is_serving = false;
    exec_begin(); /* the next command does not pay for it */
}

/* ---- checks ---- */

struct verified {
    unsigned waited, on_delete, ready;
};

static void
verify_key(void *ctx, struct nametab_node *n)
{
    struct verified *v = ctx;
    const struct waited_key *k = key_of(n);
    const struct place *before = NULL;
    unsigned on_delete = 0;

    must(k->first != NULL || k->is_ready); /* or it would have been dropped */
    for (const struct place *p = k->first; p != NULL; before = p, p = p->next) {
        must(p->key == k && p->prev == before);
        must(p->owner->client->block == &p->owner->block);
        must(p->owner->client->db_index == k->key.db_index); /* K4 */
        must(before == NULL || before->owner->number < p->owner->number);
        on_delete += p->owner->spec.wakes_on_delete;
    }
    must(k->last == before && k->on_delete == on_delete);
    v->waited += k->first != NULL;
    v->on_delete += on_delete > 0;
    v->ready += k->is_ready;
}

void
keywait_verify(void)
{
    struct verified v = {.waited = 0};
    struct waited_key *const *link = &ready_first;
    unsigned ready = 0;

    for (int i = 0; i < db_count(); i++)
        keynames_each(&tables, i, verify_key, &v);
    for (; *link != NULL; link = &(*link)->next_ready, ready++)
        must((*link)->is_ready);
    must(ready_last == link && ready == v.ready && keywait_has_ready == (ready > 0));
    must(v.waited == keys && v.on_delete == keys_on_delete && key_waiters == begun - left);
}

/* ---- figures ---- */

unsigned
keywait_keys(void)
{
    return keys;
}

unsigned
keywait_keys_on_delete(void)
{
    return keys_on_delete;
}

static size_t
wait_bytes(const struct client *c)
{
    if (c->block == NULL || c->block->end != end_wait)
        return 0;
    return ((const struct waiting *)(const void *)c->block)->bytes;
}

static void
serve_in_turn(unsigned slice_us)
{
    (void)slice_us;
    keywait_serve_all();
}

void
keywait_init(void)
{
    static struct loop_task task = {
        .place = LOOP_READY_KEYS, .each_turn = true, .due_ms = LOOP_NEVER, .run = serve_in_turn};
    static const struct client_attachment attachment = {.bytes = wait_bytes};

    client_attach(&attachment);
    loop_task_add(&task);
}
