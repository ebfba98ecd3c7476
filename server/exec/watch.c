/* server/exec/watch.c - WATCH: per logical database a table of watched keys, per key its watchers,
 * per client what it watches. */
#include "server/exec/watch.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/data/db/db.h"
#include "server/exec/cmd.h"
#include "server/exec/keyevent.h"
#include "server/exec/keynames.h"
#include "server/net/attachment.h"
#include "server/net/client.h"
#include "server/net/reply.h"

struct watched_key {
    struct keyname key; /* first */
    struct watcher *watchers;
};

/* One client watches one key. */
struct watcher {
    struct client *client;
    struct watched_key *key;
    struct watcher *next_of_key, **link_of_key; /* what points to this one */
    struct watcher *next_of_client;
    bool was_expired; /* at WATCH; that it is deleted then is no change */
};

struct watch_client {
    struct watcher *first;
    unsigned count;
    size_t bytes;
    bool dirty; /* a key has changed; the watchers are gone already */
    struct watch_client *next_loser;
};

static struct keynames tables;
static unsigned clients, keys;

/* ---- keys ---- */

static struct watched_key *
key_of(void *keyname)
{
    return keyname; /* its first member, and of that the node */
}

static struct watched_key *
find_key(int db_index, struct slice name)
{
    return key_of(keynames_find(&tables, db_index, name));
}

static struct watched_key *
make_key(int db_index, struct slice name)
{
    struct watched_key *k = key_of(keynames_add(&tables, db_index, name, sizeof *k));

    if (k != NULL) {
        keys++;
        key_event_listeners |= KEY_EVENT_WATCHED;
    }
    return k;
}

static void
drop_key_without_watchers(struct watched_key *k)
{
    if (k->watchers != NULL)
        return;
    keynames_remove(&tables, &k->key);
    must(keys > 0);
    if (--keys == 0)
        key_event_listeners &= ~(unsigned)KEY_EVENT_WATCHED;
}

/* ---- clients ---- */

static void
drop_watchers(struct watch_client *w)
{
    struct watcher *next;

    for (struct watcher *at = w->first; at != NULL; at = next) {
        next = at->next_of_client;
        debug_check(*at->link_of_key == at && at->client->watch == w);
        *at->link_of_key = at->next_of_key;
        if (at->next_of_key != NULL)
            at->next_of_key->link_of_key = at->link_of_key;
        drop_key_without_watchers(at->key);
        free(at);
    }
    w->first = NULL;
    w->count = 0;
    w->bytes = 0;
}

void
watch_forget(struct client *c)
{
    if (c->watch == NULL)
        return;
    drop_watchers(c->watch);
    free(c->watch);
    c->watch = NULL;
    must(clients > 0);
    clients--;
}

static bool
is_expired(struct db *db, struct slice key)
{
    const struct record *r = db_peek(db, key);

    return r != NULL && db_record_is_expired(r);
}

bool
watch_is_broken(const struct client *c)
{
    if (c->watch == NULL)
        return false;
    if (c->watch->dirty)
        return true;
    for (const struct watcher *w = c->watch->first; w != NULL; w = w->next_of_client)
        if (!w->was_expired && is_expired(db_select(w->key->key.db_index), w->key->key.node.name))
            return true;
    return false;
}

/* As watch_is_broken, but for keys that have expired since. */
static void
describe(const struct client *c, struct client_facts *facts)
{
    facts->watch_is_lost = c->watch != NULL && c->watch->dirty;
}

static size_t
memory_of(const struct client *c)
{
    return c->watch != NULL ? sizeof *c->watch + c->watch->bytes : 0;
}

void
watch_init(void)
{
    static const struct client_attachment attachment = {.bytes = memory_of,
                                                        .describe = describe,
                                                        .on_close = watch_forget,
                                                        .on_free = watch_forget};

    client_attach(&attachment);
}

unsigned
watch_clients(void)
{
    return clients;
}

unsigned
watch_keys(void)
{
    return keys;
}

/* ---- changes ---- */

/* The client's transaction is lost: it need not watch any longer. */
static void
lose(struct watcher *w)
{
    w->client->watch->dirty = true;
    drop_watchers(w->client->watch);
}

void
watch_touch(struct db *db, struct slice name)
{
    struct watched_key *k = find_key(db_index_of(db), name);
    struct watcher *next;
    bool more = k != NULL;

    /* lose() may free the key with its last watcher, so what follows is looked up before. */
    for (struct watcher *w = more ? k->watchers : NULL; w != NULL; w = next) {
        next = w->next_of_key;
        if (w->was_expired && db_peek(db, name) == NULL)
            w->was_expired = false; /* deleted at last, as it had to be */
        else
            lose(w);
    }
}

struct change {
    struct db *from, *to;        /* the database before; what takes its place: NULL: nothing */
    struct watch_client *losers; /* whose transactions are lost */
};

/* Does what becomes of the key mean a change to this watcher? */
static bool
is_changed(struct watcher *w, const struct change *ch, bool there, bool there_then)
{
    bool expired_then = there_then && is_expired(ch->to, w->key->key.node.name);

    if (!there && !there_then)
        return false;
    if (w->was_expired && there && !there_then) {
        w->was_expired = false;
        return false;
    }
    if (w->was_expired && expired_then)
        return false;
    if (!there && expired_then) {
        w->was_expired = true;
        return false;
    }
    return true;
}

static void
look_at_key(void *ctx, struct nametab_node *n)
{
    struct change *ch = ctx;
    struct watched_key *k = key_of(n);
    bool there = db_peek(ch->from, n->name) != NULL,
         there_then = ch->to != NULL && db_peek(ch->to, n->name) != NULL;

    for (struct watcher *w = k->watchers; w != NULL; w = w->next_of_key) {
        struct watch_client *loser = w->client->watch;
        if (loser->dirty || !is_changed(w, ch, there, there_then))
            continue;
        loser->dirty = true;
        loser->next_loser = ch->losers;
        ch->losers = loser;
    }
}

/* Every key that is watched in the database is looked at; only then do the losers' watches go, so
 * that nothing moves during the walk. */
static void
look_at_all(int index, struct db *to)
{
    struct change ch = {.from = db_select(index), .to = to};

    keynames_each(&tables, index, look_at_key, &ch);
    for (; ch.losers != NULL; ch.losers = ch.losers->next_loser)
        drop_watchers(ch.losers);
}

void
watch_flushed(int index)
{
    look_at_all(index, NULL);
}

void
watch_swapped(int a, int b)
{
    look_at_all(a, db_select(b));
    look_at_all(b, db_select(a));
}

/* ---- a client begins to watch ---- */

/* Both lists would name it, so the shorter one says: neither a client that watches a million keys
 * nor a key that ten thousand watch makes the next WATCH slow. */
static bool
watches(const struct client *c, const struct watched_key *k)
{
    const struct watcher *of_key = k->watchers, *of_client = c->watch->first;

    for (; of_key != NULL && of_client != NULL;
         of_key = of_key->next_of_key, of_client = of_client->next_of_client)
        if (of_key->client == c || of_client->key == k)
            return true;
    return false;
}

static bool
watch_key(struct client *c, struct slice name)
{
    struct watched_key *k = find_key(c->db_index, name);
    struct watcher *w;

    if (k != NULL && watches(c, k))
        return true;
    if (k == NULL && (k = make_key(c->db_index, name)) == NULL)
        return false;
    if ((w = malloc(sizeof *w)) == NULL) {
        drop_key_without_watchers(k);
        return false;
    }
    *w = (struct watcher){.client = c,
                          .key = k,
                          .next_of_key = k->watchers,
                          .link_of_key = &k->watchers,
                          .next_of_client = c->watch->first,
                          .was_expired = is_expired(c->db, name)};
    if (k->watchers != NULL)
        k->watchers->link_of_key = &w->next_of_key;
    k->watchers = w;
    c->watch->first = w;
    c->watch->count++;
    c->watch->bytes += sizeof *w + sizeof *k + name.len;
    return true;
}

bool
watch_add(struct client *c, struct slice key)
{
    must(c->db != NULL && c->db == db_select(c->db_index));
    if (c->watch == NULL) {
        if ((c->watch = calloc(1, sizeof *c->watch)) == NULL)
            return false;
        clients++;
    }
    if (c->watch->dirty || watch_key(c, key))
        return true;
    c->watch->dirty = true;
    drop_watchers(c->watch);
    return false;
}

/* ---- checks ---- */

struct verified {
    unsigned keys, watchers, clients, of_clients;
};

/* A client's own list; it is come to once, by the watcher at its begin. */
static void
verify_client(const struct client *c, struct verified *v)
{
    unsigned n = 0;

    for (const struct watcher *w = c->watch->first; w != NULL; w = w->next_of_client, n++)
        must(w->client == c && w->key->watchers != NULL);
    must(n == c->watch->count);
    v->clients++;
    v->of_clients += n;
}

static void
verify_key(void *ctx, struct nametab_node *n)
{
    struct verified *v = ctx;
    struct watched_key *k = key_of(n);
    struct watcher *const *link = &k->watchers;

    must(k->watchers != NULL); /* or it would have been dropped */
    v->keys++;
    for (const struct watcher *w; (w = *link) != NULL; link = &w->next_of_key) {
        const struct watch_client *of = w->client->watch;

        must(w->link_of_key == link && w->key == k);
        must(of != NULL && !of->dirty); /* who has lost watches nothing */
        v->watchers++;
        if (of->first == w)
            verify_client(w->client, v);
    }
}

void
watch_verify(void)
{
    struct verified v = {.keys = 0};

    for (int i = 0; i < db_count(); i++)
        keynames_each(&tables, i, verify_key, &v);
    must(v.keys == keys && v.watchers == v.of_clients && v.clients <= clients);
    must(((key_event_listeners & KEY_EVENT_WATCHED) != 0) == (keys > 0));
}
