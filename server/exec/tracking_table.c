/* server/exec/tracking_table.c - which client has read which key: per key the numbers of its
 * readers, sorted, in one block with its name.
 *
 *   +------+-------+----------------------------+------+
 *   | node | count | numbers, room for 2^n      | name |
 *   +------+-------+----------------------------+------+ */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/config/config.h"
#include "server/data/db/listener.h"
#include "server/exec/keyevent.h"
#include "server/exec/tracking_impl.h"
#include "server/net/loop.h"

struct tracked_key {
    struct nametab_node node; /* first */
    uint32_t count;
    uint32_t number[]; /* ascending; room_for(count) of them, then the name's bytes */
};

/* A table that was dropped, and is freed bit by bit. */
struct dying {
    struct nametab table;
    uint64_t at; /* the buckets from here on are empty */
    struct dying *next;
};

enum {
    GONE_SHARE = 8,    /* readers that have gone: an eighth of all before they are looked for */
    STEP_BUCKETS = 32, /* between two looks at the clock, unless these are */
    STEP_NUMBERS = 2048
};

static struct nametab table;
static uint64_t items, gone_items; /* of those: of clients that are gone, about */
static size_t bytes;               /* of the keys, without the table's buckets */
static struct dying *dying;
static uint64_t looked_at; /* numbers of readers, ever */
static uint64_t sweep_at;  /* the next bucket to look for the gone in; 0: nothing is looked for */

static struct loop_task task = {
    .place = LOOP_DATA, .is_slice = true, .due_ms = LOOP_NEVER, .run = tracking_table_work};

/* ---- keys ---- */

static struct tracked_key *
key_of(struct nametab_node *n)
{
    return (struct tracked_key *)(void *)n;
}

/* room_for: how many numbers a key with so many has room for: the next power of two. */
static uint64_t
room_for(uint32_t count)
{
    return count <= 1 ? 1 : 1ULL << (64 - __builtin_clzll((uint64_t)count - 1));
}

/* head_bytes: before the name.  The numbers begin where the count ends, before the struct does. */
static size_t
head_bytes(uint32_t count)
{
    return offsetof(struct tracked_key, number) + room_for(count) * sizeof(uint32_t);
}

static size_t
key_bytes(const struct tracked_key *k)
{
    return head_bytes(k->count) + k->node.name.len;
}

/* make_key: with room for so many numbers; NULL: no memory. */
static struct tracked_key *
make_key(struct slice name, uint64_t hash, uint32_t count)
{
    size_t head = head_bytes(count);
    struct tracked_key *k;
    char *copy;

    if (fault_point(FAULT_side_alloc) || name.len > SIZE_MAX / 2 ||
        (k = tracking_pool_take(head + name.len)) == NULL)
        return NULL;
    copy = (char *)k + head;
    memcpy(copy, name.ptr, name.len);
    k->node = (struct nametab_node){.hash = hash, .name = {copy, name.len}};
    k->count = count;
    bytes += head + name.len;
    return k;
}

static void
free_key(struct tracked_key *k)
{
    size_t size = key_bytes(k);

    bytes -= size;
    tracking_pool_give(k, size);
}

static void
release(uint32_t number)
{
    struct tracking_client *t = tracking_clients.at[number];

    must(t != NULL && t->items > 0);
    t->items--;
    tracking_forget_gone(t);
}

/* remove_key: with all its readers. */
static void
remove_key(struct nametab *from, struct tracked_key *k)
{
    nametab_remove(from, &k->node);
    for (uint32_t i = 0; i < k->count; i++)
        release(k->number[i]);
    free_key(k);
}

/* forget: and its readers are told, but for one. */
static void
forget(struct tracked_key *k, const struct tracking_client *but)
{
    for (uint32_t i = 0; i < k->count; i++) {
        struct tracking_client *t = tracking_clients.at[k->number[i]];

        if (t->client == NULL)
            gone_items -= gone_items > 0;
        else if (t != but && (t->modes & (TRACKING_ON | TRACKING_BCAST)) == TRACKING_ON)
            tracking_tell_key(t, k->node.name);
    }
    items -= k->count;
    remove_key(&table, k);
}

void
tracking_table_changed(struct slice key, const struct tracking_client *but)
{
    struct nametab_node *n;

    if (table.count == 0 || (n = nametab_find(&table, nametab_hash(key), key)) == NULL)
        return;
    forget(key_of(n), but);
    if (table.count == 0)
        tracking_table_note();
}

/* ---- readers ---- */

/* position: where the number is among the key's, or belongs. */
static uint32_t
position(const struct tracked_key *k, uint32_t number)
{
    uint32_t from = 0, to = k->count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (k->number[middle] < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool
add_key(struct tracking_client *t, struct slice name, uint64_t hash)
{
    struct tracked_key *k = make_key(name, hash, 1);

    if (k == NULL)
        return false;
    k->number[0] = t->number;
    if (nametab_add(&table, &k->node))
        return true;
    free_key(k);
    return false;
}

/* widen: the key with room for one number more. */
static struct tracked_key *
widen(struct tracked_key *k)
{
    struct tracked_key *wide;

    if (k->count < room_for(k->count)) {
        k->count++; /* the room is the same */
        return k;
    }
    if (k->count == UINT32_MAX ||
        (wide = make_key(k->node.name, k->node.hash, k->count + 1)) == NULL)
        return NULL;
    memcpy(wide->number, k->number, k->count * sizeof k->number[0]);
    nametab_replace(&table, &k->node, &wide->node);
    free_key(k);
    return wide;
}

/* add_reader: false: no memory.  *ret_is_new: it was none before. */
static bool
add_reader(struct tracked_key *k, uint32_t number, bool *ret_is_new)
{
    uint32_t at = position(k, number);

    *ret_is_new = at == k->count || k->number[at] != number;
    if (!*ret_is_new)
        return true;
    if ((k = widen(k)) == NULL)
        return false;
    memmove(k->number + at + 1, k->number + at, (k->count - 1 - at) * sizeof k->number[0]);
    k->number[at] = number;
    return true;
}

/* forget_one: TR4. */
static void
forget_one(void)
{
    static uint64_t draws;
    uint64_t lot;

    draws++;
    lot = keyhash((struct slice){(const char *)&draws, sizeof draws});
    forget(key_of(nametab_any(&table, lot)), NULL);
}

static bool
is_over_full(void)
{
    return config.tracking_table_max_keys != 0 &&
           table.count > (uint64_t)config.tracking_table_max_keys;
}

void
tracking_table_add(struct tracking_client *t, struct slice key)
{
    uint64_t hash = nametab_hash(key);
    struct nametab_node *n = nametab_find(&table, hash, key);
    bool is_new = true;

    if (!(n != NULL ? add_reader(key_of(n), t->number, &is_new) : add_key(t, key, hash))) {
        tracking_tell_all(t); /* TR1 */
        return;
    }
    if (!is_new)
        return;
    t->items++;
    items++;
    if (n == NULL && unlikely(is_over_full()))
        forget_one();
}

/* ---- what is done bit by bit ---- */

static uint32_t
count_alive(const struct tracked_key *k)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < k->count; i++)
        n += tracking_clients.at[k->number[i]]->client != NULL;
    return n;
}

/* move_alive: the numbers of those who have not gone; the others' are given back. */
static void
move_alive(uint32_t *to, const struct tracked_key *k)
{
    for (uint32_t i = 0; i < k->count; i++)
        if (tracking_clients.at[k->number[i]]->client != NULL)
            *to++ = k->number[i];
        else
            release(k->number[i]);
}

/* cut: take those who have gone out of a key, if there is memory for the smaller one. */
static void
cut(void *ctx, struct nametab_node *n)
{
    struct tracked_key *k = key_of(n), *narrow = k;
    uint32_t alive = count_alive(k), gone = k->count - alive;

    (void)ctx;
    looked_at += k->count;
    if (gone == 0 || (alive > 0 && room_for(alive) < room_for(k->count) &&
                      (narrow = make_key(k->node.name, k->node.hash, alive)) == NULL))
        return;
    items -= gone;
    if (alive == 0) {
        remove_key(&table, k);
        return;
    }
    move_alive(narrow->number, k);
    if (narrow == k) {
        k->count = alive;
        return;
    }
    nametab_replace(&table, &k->node, &narrow->node);
    free_key(k);
}

/* sweep_some: from the last bucket to the first: what moves while the table shrinks is still to
 * come; what moves while it grows may be missed, and waits for the next time. */
static void
sweep_some(void)
{
    uint64_t end = looked_at + STEP_NUMBERS;

    for (int i = 0; i < STEP_BUCKETS && sweep_at > 0 && looked_at < end; i++) {
        if (sweep_at > table.buckets)
            sweep_at = table.buckets;
        if (sweep_at > 0)
            nametab_visit(&table, --sweep_at, cut, NULL);
    }
    if (sweep_at == 0)
        gone_items = 0;
}

static void
free_dying_key(void *ctx, struct nametab_node *n)
{
    looked_at += key_of(n)->count;
    remove_key(ctx, key_of(n));
}

static void
free_some(struct dying *d)
{
    uint64_t end = looked_at + STEP_NUMBERS;

    for (int i = 0; i < STEP_BUCKETS && d->table.count > 0 && looked_at < end; i++) {
        if (d->at > d->table.buckets)
            d->at = d->table.buckets;
        nametab_visit(&d->table, --d->at, free_dying_key, &d->table);
    }
}

/* work_some: false: nothing is left to do. */
static bool
work_some(void)
{
    struct dying *d = dying;

    if (is_over_full()) {
        forget_one();
    } else if (sweep_at > 0) {
        sweep_some();
    } else if (d != NULL) {
        free_some(d);
        if (d->table.count == 0) {
            dying = d->next;
            free(d);
        }
    } else {
        return false;
    }
    return true;
}

void
tracking_table_work(unsigned slice_us)
{
    int64_t until_us = os_monotonic_us() + slice_us;

    while (work_some() && os_monotonic_us() < until_us)
        ;
    tracking_table_note();
}

void
tracking_table_note(void)
{
    if (sweep_at == 0 && gone_items > items / GONE_SHARE)
        sweep_at = table.buckets;
    loop_task_at(&task, is_over_full() || dying != NULL || sweep_at != 0 ? LOOP_NOW : LOOP_NEVER);
    if (tracking_clients.on > 0 || table.count > 0)
        key_event_listeners |= KEY_EVENT_TRACKED;
    else
        key_event_listeners &= ~(unsigned)KEY_EVENT_TRACKED;
}

void
tracking_table_drop(void)
{
    struct dying *d;

    items = gone_items = sweep_at = 0;
    if (table.count > 0 && (d = malloc(sizeof *d)) != NULL) {
        *d = (struct dying){.table = table, .at = table.buckets, .next = dying};
        table = (struct nametab){.count = 0};
        dying = d;
    }
    nametab_each(&table, free_dying_key, &table); /* without memory, all at once */
    tracking_table_note();
}

void
tracking_table_gone(const struct tracking_client *t)
{
    gone_items += t->items;
    if (tracking_clients.alive == 0)
        tracking_table_drop();
    else
        tracking_table_note();
}

static bool
apply(const struct config *next, const char **why)
{
    (void)next;
    (void)why;
    loop_task_at(&task, LOOP_NOW); /* there may be too many keys, once this is in place */
    return true;
}

void
tracking_table_init(void)
{
    config_on_change("tracking-table-max-keys", apply);
    loop_task_add(&task);
}

/* ---- figures and checks ---- */

uint64_t
tracking_table_keys(void)
{
    return table.count;
}

uint64_t
tracking_table_items(void)
{
    return items;
}

size_t
tracking_table_bytes(void)
{
    size_t sum = tracking_pool_bytes() + nametab_bytes(&table);

    for (const struct dying *d = dying; d != NULL; d = d->next)
        sum += sizeof *d + nametab_bytes(&d->table);
    return sum;
}

struct verified {
    uint64_t items;
    size_t bytes;
};

static void
verify_key(void *ctx, struct nametab_node *n)
{
    struct verified *v = ctx;
    const struct tracked_key *k = key_of(n);

    must(k->count > 0); /* or it would have been forgotten */
    for (uint32_t i = 0; i < k->count; i++) {
        must(k->number[i] < tracking_clients.count && tracking_clients.at[k->number[i]] != NULL);
        must(i == 0 || k->number[i - 1] < k->number[i]);
    }
    v->items += k->count;
    v->bytes += key_bytes(k);
}

void
tracking_table_verify(void)
{
    struct verified v = {.items = 0};
    uint64_t of_clients = 0;

    nametab_each(&table, verify_key, &v);
    must(v.items == items);
    for (struct dying *d = dying; d != NULL; d = d->next)
        nametab_each(&d->table, verify_key, &v);
    must(v.bytes == bytes && bytes <= tracking_pool_bytes());
    for (uint32_t i = 0; i < tracking_clients.count; i++)
        if (tracking_clients.at[i] != NULL)
            of_clients += tracking_clients.at[i]->items;
    must(of_clients == v.items);
    must(((key_event_listeners & KEY_EVENT_TRACKED) != 0) ==
         (tracking_clients.on > 0 || table.count > 0));
}
