/* server/data/db/load.c - from RDB to databases: keys.  What they hold: each type's
 * load_<type>.c. */
#include "server/data/db/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "mm/base/printable.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/data/db/load_value.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"
#include "snapshot/rdb/rdb.h"

bool load_any_version;

void
load_init(struct load_state *s)
{
    memset(s, 0, offsetof(struct load_state, entries)); /* RESTORE has one too: not all of it */
    s->entries.count = s->queue.count = 0;
}

/* settle_entries: all that wait take their places, in their order. */
static int
settle_entries(struct load_state *s)
{
    struct load_entries *e = &s->entries;
    unsigned n = 0;
    int r = 0;

    while (n < e->count && (r = e->ops->enter(s->value.root, e->at[n].hash, e->at[n].entry)) == 0)
        n++;
    for (unsigned i = n; i < e->count; i++)
        e->ops->drop(e->at[i].entry);
    e->count = 0;
    return r != -EEXIST ? r : load_complain(s, r, e->ops->twice);
}

static void
drop_entries(struct load_entries *e)
{
    while (e->count > 0)
        e->ops->drop(e->at[--e->count].entry);
}

int
load_entry(struct load_state *s, const struct load_entry_ops *ops, uint64_t hash, const void *entry)
{
    struct load_entries *e = &s->entries;

    debug_check(s->form == LOAD_ROOT && e->count < LOAD_AHEAD);
    e->ops = ops;
    e->at[e->count++] = (struct load_entry){.entry = entry, .hash = hash};
    ops->warm(s->value.root, hash);
    return e->count == LOAD_AHEAD ? settle_entries(s) : 0;
}

uint64_t
load_expect(const struct load_state *s, uint64_t claim)
{
    enum { ELEMENT_BYTES = 8 };

    return claim < s->size_bytes / ELEMENT_BYTES ? claim : s->size_bytes / ELEMENT_BYTES;
}

/* drop_value: what was read of a value that no record will hold. */
static void
drop_value(struct load_state *s)
{
    drop_entries(&s->entries);
    if (s->form == LOAD_BLOCK || s->form == LOAD_ROOT)
        value_free(&s->value);
    s->form = LOAD_NOTHING;
    s->bytes.len = 0;
}

/* drop_record: one that has no place. */
static void
drop_record(const struct record *r)
{
    struct value gone = value_of(r);

    record_free(r);
    value_free(&gone);
}

void
load_fini(struct load_state *s)
{
    drop_value(s);
    while (s->queue.count > 0)
        drop_record(s->queue.at[--s->queue.count].rec);
    free(s->bytes.at);
    for (int i = 0; s->has_expected && i < db_count(); i++)
        db_fit(db_select(i));
}

int
load_reserve(struct load_buffer *b, size_t room)
{
    char *p;

    if (room <= b->room)
        return 0;
    room += room / 2;
    if (fault_point(FAULT_load_alloc) || (p = realloc(b->at, room)) == NULL)
        return -ENOMEM;
    b->at = p;
    b->room = room;
    return 0;
}

int
load_add(struct load_buffer *b, const void *bytes, size_t len)
{
    if (load_reserve(b, b->len + len + 1) < 0)
        return -ENOMEM;
    if (len > 0)
        memcpy(b->at + b->len, bytes, len);
    b->len += len;
    return 0;
}

/* complain_of: note what is wrong with this key. */
static int
complain_of(struct load_state *s, struct slice key, int error, const char *what)
{
    char name[128];

    printable(name, sizeof name, key.ptr, key.len);
    snprintf(s->error, sizeof s->error, "%s: key '%s'", what, name);
    return error;
}

int
load_complain(struct load_state *s, int error, const char *what)
{
    return complain_of(s, s->key, error, what);
}

/* ---- what is not a key ---- */

static void __attribute__((format(printf, 3, 4)))
note(const struct load_state *s, bool is_warning, const char *format, ...)
{
    char text[256];
    va_list args;

    if (s->on_note == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->on_note(s->progress_ctx, is_warning, text);
}

/* refuse: an error of carried.h, in words. */
static int
refuse(struct load_state *s, int error, const char *what, const char *name)
{
    if (error == -EEXIST)
        snprintf(s->error, sizeof s->error, "There are two function libraries \"%s\"", name);
    else if (error == -E2BIG)
        snprintf(s->error, sizeof s->error,
                 "The dump has more than %d function libraries and AUX fields", RDB_CARRIED_MOST);
    else
        snprintf(s->error, sizeof s->error, "No memory for %s \"%s\"", what, name);
    return error;
}

static int
on_function(void *ctx, struct slice code)
{
    struct slice found = rdb_library_name(code);
    struct load_state *s = ctx;
    char name[128];
    int r;

    printable(name, sizeof name, found.ptr, found.len);
    if ((r = carried_library(code, s->merge)) < 0)
        return refuse(s, r, "the function library", name);
    return 0;
}

static int
on_aux(void *ctx, struct slice field, struct slice value)
{
    const struct rdb_aux *aux = rdb_aux_of(field);
    struct load_state *s = ctx;
    bool is_new;
    char name[64];
    int r;

    if (aux->fate == RDB_AUX_ANEW)
        return 0;
    printable(name, sizeof name, field.ptr, field.len);
    if (aux->fate == RDB_AUX_CARRIED && (r = carried_aux(field, value)) < 0)
        return refuse(s, r, "the AUX field", name);
    is_new = strcmp(name, s->noted_aux) != 0;
    memcpy(s->noted_aux, name, sizeof name);
    if (is_new && aux->fate == RDB_AUX_CARRIED)
        note(s, false, "the AUX field %s (%s) is kept as it is, for the next save", name,
             aux->about != NULL ? aux->about : "unknown here");
    else if (is_new)
        note(s, false, "the AUX field %s is not kept: %s", name, aux->about);
    return 0;
}

static int
on_selectdb(void *ctx, uint64_t db)
{
    struct load_state *s = ctx;

    s->selected = db < (uint64_t)db_count() ? db_select((int)db) : NULL;
    return 0;
}

/* on_resizedb: a table of the right size from the start is never split; one that is too small
 * grows. */
static int
on_resizedb(void *ctx, uint64_t keys, uint64_t expires)
{
    enum { KEY_BYTES = 32 }; /* of a file of shorter ones, as many fit; the table grows then */
    struct load_state *s = ctx;
    uint64_t most = s->size_bytes / KEY_BYTES;

    if (s->selected == NULL)
        return 0;
    db_expect(s->selected, keys < most ? keys : most, expires < most ? expires : most);
    s->has_expected = true;
    return 0;
}

/* ---- keys ---- */

/* begin_key: where it goes; the value is not there yet. */
static int
begin_key(struct load_state *s, const struct rdb_key *k)
{
    s->key = k->name;
    if (unlikely(k->db >= (uint64_t)db_count()))
        return load_complain(s, -ERANGE, "The dump has more databases than are configured");
    s->db = db_select((int)k->db);
    s->expire_at_ms = k->expire_at_ms;
    s->idle_s = k->idle_s;
    s->freq = k->freq;
    s->skip = k->expire_at_ms != -1 && k->expire_at_ms < clock_now.ms;
    s->keys_expired += s->skip;
    return 0;
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct load_state *s = ctx;

    drop_value(s);
    s->kept = (struct load_kept){.flag = false};
    return begin_key(s, k);
}

/* on_finding: a key without an element is passed over, as Redis does; it is no value for
 * RESTORE. */
static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct load_state *s = ctx;

    if (f->kind == RDB_FINDING_EMPTY_KEY && s->capture != NULL)
        return -EBADMSG;
    s->skip |= f->kind == RDB_FINDING_EMPTY_KEY;
    if (s->findings[f->kind]++ < LOAD_TOLD && s->on_finding != NULL)
        s->on_finding(s->progress_ctx, f);
    return 0;
}

/* finish: the value that the record will hold; its block or root is the caller's. */
static int
finish(struct load_state *s, struct value *ret)
{
    struct slice bytes = {.ptr = s->bytes.at, .len = s->bytes.len};
    int r;

    switch (s->form) {
    case LOAD_BYTES:
        return value_string(ret, bytes, s->key.len);
    case LOAD_BLOB:
        if ((r = value_blob(ret, s->value.type, bytes, s->key.len)) == 0)
            ret->intset = s->value.intset;
        return r;
    case LOAD_VIEW:
        if ((r = value_blob(ret, s->value.type, s->view, s->key.len)) == 0)
            ret->intset = s->value.intset;
        return r;
    case LOAD_ROOT:
        if ((r = settle_entries(s)) < 0)
            return r;
        /* fall through */
    case LOAD_BLOCK:
        *ret = s->value;
        s->form = LOAD_NOTHING;
        return 0;
    case LOAD_NOTHING:
        break;
    }
    return -EBADMSG;
}

int
load_take(struct load_state *s, struct value *ret)
{
    int r = finish(s, ret);

    if (r == 0 && ret->enc != ENC_INLINE) /* else its bytes are still the buffer's */
        drop_value(s);
    return r;
}

/* capture: the value is handed over instead of stored. */
static int
capture(struct load_state *s)
{
    int r;

    if (s->form == LOAD_VIEW) { /* the decoder's hands are empty before the value is wanted */
        if (load_add(&s->bytes, s->view.ptr, s->view.len) < 0)
            return -ENOMEM;
        s->form = LOAD_BLOB;
    }
    if ((r = load_take(s, s->capture)) < 0)
        return r;
    s->captured = true;
    return 0;
}

/* ---- records that wait for their places ---- */

/* supplant: the key is there; with merge its record becomes this one, which is not needed any
 * more. */
static int
supplant(struct load_state *s, const struct load_queued *q)
{
    struct record_spec spec;
    struct db_ref ref;

    if (!s->merge)
        return complain_of(s, record_key(q->rec), -EEXIST,
                           "The dump has a key twice, or one that is there already");
    record_spec_of(q->rec, &spec);
    db_lookup(q->db, spec.key, 0, &ref);
    if (db_update(&ref, &spec) < 0)
        return -ENOMEM;
    record_touch(ref.rec, record_clock(q->rec));
    record_free(q->rec);
    return 0;
}

/* settle: all records of the queue take their places, in their order. */
static int
settle(struct load_state *s)
{
    struct load_queue *queue = &s->queue;
    unsigned n = 0;
    int r = 0;

    for (; n < queue->count; n++) {
        const struct load_queued *q = &queue->at[n];

        if ((r = db_adopt(q->db, q->hash, q->rec)) == -EEXIST)
            r = supplant(s, q);
        if (unlikely(r < 0))
            break;
    }
    s->keys_loaded += n;
    queue->count -= n;
    memmove(queue->at, queue->at + n, queue->count * sizeof *queue->at);
    return r;
}

/* enqueue: the value is the key's: its block or table is not the caller's any more, whatever comes
 * of it. */
static int
enqueue(struct load_state *s, const struct value *v)
{
    struct record_spec spec = {.key = s->key,
                               .expire_at_ms = s->expire_at_ms,
                               .db = db_number(s->db),
                               .clock = db_birth_clock(),
                               .value = *v};
    struct load_queued *q = &s->queue.at[s->queue.count];

    debug_check(s->queue.count < LOAD_AHEAD);
    if ((q->rec = record_new(&spec)) == NULL) {
        value_free(v);
        return -ENOMEM;
    }
    q->db = s->db;
    q->hash = keyhash(s->key);
    db_warm(q->db, q->hash, q->rec);
    if (unlikely(s->idle_s >= 0 || s->freq >= 0))
        db_set_use(q->rec, s->idle_s, s->freq);
    return ++s->queue.count == LOAD_AHEAD ? settle(s) : 0;
}

static int
on_value_end(void *ctx)
{
    struct load_state *s = ctx;
    struct value v;
    int r;

    if (s->skip) {
        drop_value(s);
        return 0;
    }
    if (s->capture != NULL)
        return capture(s);
    if ((r = finish(s, &v)) < 0)
        return r;
    r = enqueue(s, &v);
    drop_value(s);
    return r;
}

/* on_string: the usual key: its value goes from the decoder's hands into the record. */
static int
on_string(void *ctx, const struct rdb_key *k, struct slice bytes)
{
    struct load_state *s = ctx;
    struct value v;
    int r;

    debug_check(s->form == LOAD_NOTHING && s->capture == NULL);
    if (unlikely((r = begin_key(s, k)) < 0) || unlikely(s->skip))
        return r;
    if ((r = value_string(&v, bytes, s->key.len)) < 0)
        return r;
    return enqueue(s, &v);
}

void
load_view(struct load_state *s, enum value_type type, struct slice bytes)
{
    s->value = (struct value){.type = type, .enc = ENC_INLINE};
    s->form = LOAD_VIEW;
    s->view = bytes;
}

void
load_begin_blob(struct load_state *s, enum value_type type)
{
    s->value = (struct value){.type = type, .enc = ENC_INLINE};
    s->form = LOAD_BLOB;
}

int
load_begin_root(struct load_state *s, enum value_type type, const void *root)
{
    if (root == NULL)
        return -ENOMEM;
    s->value = (struct value){.type = type, .enc = ENC_ROOT, .root = root};
    s->form = LOAD_ROOT;
    return 0;
}

static int
on_progress(void *ctx, uint64_t offset)
{
    struct load_state *s = ctx;
    int r = settle(s);

    if (r == 0 && s->on_progress != NULL)
        s->on_progress(s->progress_ctx, offset);
    return r;
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    (void)crc;
    return settle(ctx);
}

/* ---- the events ---- */

const struct rdb_events *
load_events(void)
{
    static struct rdb_events events;

    if (events.value_end != NULL) {
        events.any_version = load_any_version;
        return &events;
    }
    events = (struct rdb_events){.any_version = load_any_version,
                                 .aux = on_aux,
                                 .selectdb = on_selectdb,
                                 .resizedb = on_resizedb,
                                 .function = on_function,
                                 .finding = on_finding,
                                 .key = on_key,
                                 .plain_string = on_string,
                                 .value_end = on_value_end,
                                 .progress = on_progress,
                                 .end = on_end};
    for (unsigned t = 0; t < TYPE_COUNT; t++)
        type_of(t)->load(&events);
    return &events;
}
