/* server/exec/tracking_prefix.c - clients that are told of all keys with their prefixes: the
 * prefixes, and which keys with them this turn of the loop has changed. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "server/exec/tracking_impl.h"
#include "server/net/client.h"
#include "server/net/loop.h"

/* One prefix of at least one client; its bytes follow. */
struct prefix {
    struct nametab_node node; /* first */
    struct subscription_to *first;
    unsigned subscribers;
    struct nametab changed; /* in this turn */
    bool is_lost;           /* there was no room for all of them: all keys may have changed */
    bool is_dirty;
    struct prefix *next_dirty;
};

/* A key that has changed; its bytes follow. */
struct changed_key {
    struct nametab_node node; /* first */
    uint64_t by;              /* who did it last: a client's id; 0: none did */
};

enum {
    /* So much may the keys of one turn take; with more, clients are told that all have changed. */
    CHANGED_MAX_BYTES = 64 << 20
};

static struct nametab prefixes;
static struct prefix *dirty;
static size_t bytes, changed_bytes;

/* The lengths that prefixes have, ascending, and how many have each: a key is looked up once a
 * length. */
static struct length {
    size_t len;
    unsigned count;
} * lengths;
static unsigned length_count, length_room;

static struct loop_task task = {
    .place = LOOP_CHANGES, .due_ms = LOOP_NEVER, .run = tracking_prefix_tell};

static struct prefix *
prefix_of(struct nametab_node *n)
{
    return (struct prefix *)(void *)n;
}

static struct changed_key *
changed_of(struct nametab_node *n)
{
    return (struct changed_key *)(void *)n;
}

struct slice
tracking_prefix_name(const struct prefix *p)
{
    return p->node.name;
}

/* compare: by their bytes, a begin of another before that. */
static int
compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int r = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

/* ---- lengths ---- */

static unsigned
length_position(size_t len)
{
    unsigned at = 0;

    while (at < length_count && lengths[at].len < len)
        at++;
    return at;
}

/* add_length: false: no memory. */
static bool
add_length(size_t len)
{
    unsigned at = length_position(len);

    if (at < length_count && lengths[at].len == len) {
        lengths[at].count++;
        return true;
    }
    if (length_count == length_room) {
        unsigned room = length_room > 0 ? 2 * length_room : 8;
        struct length *p = realloc(lengths, room * sizeof *p);

        if (p == NULL)
            return false;
        lengths = p;
        length_room = room;
    }
    memmove(lengths + at + 1, lengths + at, (length_count - at) * sizeof *lengths);
    lengths[at] = (struct length){.len = len, .count = 1};
    length_count++;
    return true;
}

static void
remove_length(size_t len)
{
    unsigned at = length_position(len);

    must(at < length_count && lengths[at].len == len && lengths[at].count > 0);
    if (--lengths[at].count > 0)
        return;
    length_count--;
    memmove(lengths + at, lengths + at + 1, (length_count - at) * sizeof *lengths);
}

/* ---- what has changed ---- */

static void
free_changed(void *ctx, struct nametab_node *n)
{
    struct prefix *p = ctx;
    size_t size = sizeof(struct changed_key) + n->name.len;

    nametab_remove(&p->changed, n);
    changed_bytes -= size;
    free(changed_of(n));
}

static void
forget_changes(struct prefix *p)
{
    nametab_each(&p->changed, free_changed, p);
    p->is_lost = false;
}

static void
lose(struct prefix *p)
{
    forget_changes(p);
    p->is_lost = true;
}

static void
add_changed(struct prefix *p, struct slice key, uint64_t hash, uint64_t by)
{
    size_t size = sizeof(struct changed_key) + key.len;
    struct changed_key *k;
    char *copy;

    if (changed_bytes + size > CHANGED_MAX_BYTES || fault_point(FAULT_side_alloc) ||
        (k = malloc(size)) == NULL) {
        lose(p);
        return;
    }
    copy = (char *)(k + 1);
    memcpy(copy, key.ptr, key.len);
    *k = (struct changed_key){.node = {.hash = hash, .name = {copy, key.len}}, .by = by};
    changed_bytes += size;
    if (nametab_add(&p->changed, &k->node))
        return;
    changed_bytes -= size;
    free(k);
    lose(p);
}

static void
note_change(struct prefix *p, struct slice key, uint64_t by)
{
    uint64_t hash = nametab_hash(key);
    struct nametab_node *n = nametab_find(&p->changed, hash, key);

    if (!p->is_dirty) {
        p->is_dirty = true;
        p->next_dirty = dirty;
        dirty = p;
        loop_task_at(&task, LOOP_NOW);
    }
    if (n != NULL)
        changed_of(n)->by = by;
    else if (!p->is_lost)
        add_changed(p, key, hash, by);
}

void
tracking_prefix_changed(struct slice key, uint64_t by)
{
    for (unsigned i = 0; i < length_count && lengths[i].len <= key.len; i++) {
        struct slice begin = {key.ptr, lengths[i].len};
        struct nametab_node *n = nametab_find(&prefixes, nametab_hash(begin), begin);

        if (n != NULL)
            note_change(prefix_of(n), key, by);
    }
}

static void
drop_if_unused(struct prefix *p)
{
    if (p->first != NULL || p->is_dirty) /* dirty: it goes at the end of the turn */
        return;
    forget_changes(p);
    nametab_remove(&prefixes, &p->node);
    remove_length(p->node.name.len);
    bytes -= sizeof *p + p->node.name.len;
    free(p);
}

/* ---- telling ---- */

struct list {
    struct changed_key **at;
    uint64_t count;
};

static void
list_one(void *ctx, struct nametab_node *n)
{
    struct list *l = ctx;

    l->at[l->count++] = changed_of(n);
}

static int
compare_changed(const void *a, const void *b)
{
    const struct changed_key *const *x = a, *const *y = b;

    return compare((*x)->node.name, (*y)->node.name);
}

/* format: as an array, without those that a client (0: none) has changed; false: there is none. */
static bool
format(struct text *to, const struct list *l, uint64_t but)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < l->count; i++)
        count += but == 0 || l->at[i]->by != but;
    text_clear(to);
    text_addf(to, "*%llu\r\n", (unsigned long long)count);
    for (uint64_t i = 0; i < l->count; i++) {
        struct slice name = l->at[i]->node.name;

        if (but != 0 && l->at[i]->by == but)
            continue;
        text_addf(to, "$%zu\r\n", name.len);
        text_add_bytes(to, name.ptr, name.len);
        text_add(to, "\r\n");
    }
    return count > 0;
}

static void
tell_text(struct tracking_client *t, const struct text *array)
{
    if (array->failed)
        tracking_tell_all(t); /* TR1 */
    else
        tracking_tell(t, (struct slice){array->at, array->len});
}

static void
tell_subscribers(const struct prefix *p, const struct list *l)
{
    struct text all = {0}, some = {0};

    (void)format(&all, l, 0);
    for (const struct subscription_to *s = p->first; s != NULL; s = s->next)
        if ((s->owner->modes & TRACKING_NOLOOP) == 0)
            tell_text(s->owner, &all);
        else if (format(&some, l, s->owner->client->id))
            tell_text(s->owner, &some);
    text_free(&all);
    text_free(&some);
}

static void
tell_prefix(struct prefix *p)
{
    struct list l = {.count = 0};
    bool is_lost = p->is_lost;

    if (!is_lost && p->changed.count > 0 &&
        (fault_point(FAULT_side_alloc) ||
         (l.at = malloc(p->changed.count * sizeof(struct changed_key *))) == NULL))
        is_lost = true;
    if (is_lost) {
        for (const struct subscription_to *s = p->first; s != NULL; s = s->next)
            tracking_tell_all(s->owner);
    } else if (l.at != NULL) {
        nametab_each(&p->changed, list_one, &l);
        qsort(l.at, l.count, sizeof(struct changed_key *), compare_changed);
        tell_subscribers(p, &l);
    }
    free(l.at);
    forget_changes(p);
}

/* merge: two lists in the order of the prefixes. */
static struct prefix *
merge(struct prefix *a, struct prefix *b)
{
    struct prefix *first = NULL, **to = &first;

    while (a != NULL && b != NULL) {
        struct prefix **from = compare(a->node.name, b->node.name) <= 0 ? &a : &b;

        *to = *from;
        *from = (*from)->next_dirty;
        to = &(*to)->next_dirty;
    }
    *to = a != NULL ? a : b;
    return first;
}

/* sort: bottom up: run[i] is empty, or a sorted list of 2^i. */
static struct prefix *
sort(struct prefix *list)
{
    struct prefix *run[64] = {NULL}, *sorted = NULL;

    while (list != NULL) {
        struct prefix *one = list;
        unsigned i = 0;

        list = list->next_dirty;
        one->next_dirty = NULL;
        for (; run[i] != NULL; run[i++] = NULL)
            one = merge(run[i], one);
        run[i] = one;
    }
    for (unsigned i = 0; i < sizeof run / sizeof run[0]; i++)
        sorted = merge(run[i], sorted);
    return sorted;
}

void
tracking_prefix_tell(unsigned slice_us)
{
    struct prefix *p = sort(dirty);

    (void)slice_us;
    dirty = NULL;
    for (struct prefix *next; p != NULL; p = next) {
        next = p->next_dirty;
        p->is_dirty = false;
        tell_prefix(p);
        drop_if_unused(p);
    }
    loop_task_at(&task, LOOP_NEVER);
}

/* ---- prefixes and their clients ---- */

/* get_prefix: NULL: no memory. */
static struct prefix *
get_prefix(struct slice name)
{
    uint64_t hash = nametab_hash(name);
    struct nametab_node *n = nametab_find(&prefixes, hash, name);
    struct prefix *p;
    char *copy;

    if (n != NULL)
        return prefix_of(n);
    if ((p = calloc(1, sizeof *p + name.len)) == NULL)
        return NULL;
    copy = (char *)(p + 1);
    memcpy(copy, name.ptr, name.len);
    p->node = (struct nametab_node){.hash = hash, .name = {copy, name.len}};
    if (!add_length(name.len))
        goto no_memory;
    if (nametab_add(&prefixes, &p->node)) {
        bytes += sizeof *p + name.len;
        return p;
    }
    remove_length(name.len);
no_memory:
    free(p);
    return NULL;
}

/* place_of: where the prefix is among the client's, or belongs. */
static unsigned
place_of(const struct tracking_client *t, struct slice prefix)
{
    unsigned from = 0, to = t->prefix_count;

    while (from < to) {
        unsigned middle = from + (to - from) / 2;

        if (compare(t->prefixes[middle]->prefix->node.name, prefix) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* begins: is b the begin of a? */
static bool
begins(struct slice a, struct slice b)
{
    return a.len >= b.len && (b.len == 0 || memcmp(a.ptr, b.ptr, b.len) == 0);
}

bool
tracking_prefix_overlap(const struct tracking_client *t, struct slice prefix, struct slice *ret)
{
    unsigned at = place_of(t, prefix), from = at > 0 ? at - 1 : 0;

    /* Those of one client do not overlap, but that all keys may be asked for beside them.  So only
     * the one before can be its begin, and the one there is the first that can begin with it. */
    if (t->prefix_count > 0 && t->prefixes[0]->prefix->node.name.len == 0)
        from = at = 0;
    for (unsigned i = from; i <= at && i < t->prefix_count; i++) {
        struct slice own = t->prefixes[i]->prefix->node.name;

        if (!begins(own, prefix) && !begins(prefix, own))
            continue;
        *ret = own;
        return true;
    }
    return false;
}

static bool
reserve_one(struct tracking_client *t)
{
    unsigned room = t->prefix_room > 0 ? 2 * t->prefix_room : 4;
    struct subscription_to **p;

    if (t->prefix_count < t->prefix_room)
        return true;
    if (room > UINT32_MAX / 4 ||
        (p = realloc(t->prefixes, room * sizeof(struct subscription_to *))) == NULL)
        return false;
    t->prefixes = p;
    t->prefix_room = room;
    return true;
}

static void
link_to_prefix(struct subscription_to *s)
{
    struct prefix *p = s->prefix;

    s->next = p->first;
    s->link = &p->first;
    if (s->next != NULL)
        s->next->link = &s->next;
    p->first = s;
    p->subscribers++;
}

bool
tracking_prefix_add(struct tracking_client *t, struct slice name)
{
    unsigned at = place_of(t, name);
    struct subscription_to *s;
    struct prefix *p;

    if (at < t->prefix_count && slice_equal(t->prefixes[at]->prefix->node.name, name))
        return true;
    if (!reserve_one(t) || (s = malloc(sizeof *s)) == NULL)
        return false;
    if ((p = get_prefix(name)) == NULL) {
        free(s);
        return false;
    }
    *s = (struct subscription_to){.prefix = p, .owner = t};
    link_to_prefix(s);
    memmove(t->prefixes + at + 1, t->prefixes + at,
            (t->prefix_count - at) * sizeof(struct subscription_to *));
    t->prefixes[at] = s;
    t->prefix_count++;
    return true;
}

void
tracking_prefix_leave(struct tracking_client *t)
{
    for (unsigned i = 0; i < t->prefix_count; i++) {
        struct subscription_to *s = t->prefixes[i];

        *s->link = s->next;
        if (s->next != NULL)
            s->next->link = s->link;
        s->prefix->subscribers--;
        drop_if_unused(s->prefix);
        free(s);
    }
    free(t->prefixes);
    t->prefixes = NULL;
    t->prefix_count = t->prefix_room = 0;
}

void
tracking_prefix_init(void)
{
    loop_task_add(&task);
}

/* ---- figures and checks ---- */

unsigned
tracking_prefix_count(void)
{
    return (unsigned)prefixes.count;
}

size_t
tracking_prefix_bytes(void)
{
    return bytes + changed_bytes + nametab_bytes(&prefixes) + length_room * sizeof *lengths;
}

static void
verify_prefix(void *ctx, struct nametab_node *n)
{
    const struct prefix *p = prefix_of(n);
    struct subscription_to *const *link = &p->first;
    unsigned *ret_subscriptions = ctx, subscribers = 0;

    must(p->first != NULL || p->is_dirty);
    must(p->is_dirty || (p->changed.count == 0 && !p->is_lost));
    must(!p->is_lost || p->changed.count == 0);
    for (struct subscription_to *s; (s = *link) != NULL; link = &s->next, subscribers++) {
        must(s->link == link && s->prefix == p);
        must(s->owner->client != NULL && (s->owner->modes & TRACKING_BCAST) != 0);
        must(s->owner->prefixes[place_of(s->owner, n->name)] == s);
    }
    must(subscribers == p->subscribers);
    *ret_subscriptions += subscribers;
}

void
tracking_prefix_verify(void)
{
    unsigned subscriptions = 0, of_clients = 0;
    uint64_t of_lengths = 0;

    nametab_each(&prefixes, verify_prefix, &subscriptions);
    for (uint32_t i = 0; i < tracking_clients.count; i++)
        if (tracking_clients.at[i] != NULL)
            of_clients += tracking_clients.at[i]->prefix_count;
    must(subscriptions == of_clients);
    for (unsigned i = 0; i < length_count; i++) {
        must(lengths[i].count > 0 && (i == 0 || lengths[i - 1].len < lengths[i].len));
        of_lengths += lengths[i].count;
    }
    must(of_lengths == prefixes.count);
    must(changed_bytes <= CHANGED_MAX_BYTES);
}
