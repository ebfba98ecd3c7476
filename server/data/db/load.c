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
#include "mm/base/printable.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/data/db/load_value.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"
#include "snapshot/rdb/rdb.h"

void
load_init(struct load_state *s)
{
    *s = (struct load_state){.form = LOAD_NOTHING};
}

/* drop_value: what was read of a value that no record will hold. */
static void
drop_value(struct load_state *s)
{
    if (s->form == LOAD_BLOCK || s->form == LOAD_ROOT)
        value_free(&s->value);
    s->form = LOAD_NOTHING;
    s->bytes.len = 0;
}

void
load_fini(struct load_state *s)
{
    drop_value(s);
    free(s->key.at);
    free(s->bytes.at);
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

int
load_complain(struct load_state *s, int error, const char *what)
{
    char name[128];

    printable(name, sizeof name, (const uint8_t *)s->key.at, s->key.len);
    snprintf(s->error, sizeof s->error, "%s: key '%s'", what, name);
    return error;
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
    note(
        s, true,
        "the function library \"%s\" cannot be called here; it is kept as it is, for the next save",
        name);
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

/* ---- keys ---- */

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct load_state *s = ctx;

    drop_value(s);
    s->key.len = 0;
    if (load_add(&s->key, k->name.ptr, k->name.len) < 0)
        return -ENOMEM;
    if (k->db >= (uint64_t)db_count())
        return load_complain(s, -ERANGE, "The dump has more databases than are configured");
    s->db = db_select((int)k->db);
    s->expire_at_ms = k->expire_at_ms;
    s->idle_s = k->idle_s;
    s->freq = k->freq;
    s->kept = (struct load_kept){.flag = false};
    s->skip = k->expire_at_ms != -1 && k->expire_at_ms < clock_now.ms;
    s->keys_expired += s->skip;
    return 0;
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
    case LOAD_BLOCK:
    case LOAD_ROOT:
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

    if ((r = load_take(s, s->capture)) < 0)
        return r;
    s->captured = true;
    return 0;
}

static int
on_value_end(void *ctx)
{
    struct load_state *s = ctx;
    struct db_ref ref;
    struct value v;
    int r;

    if (s->skip) {
        drop_value(s);
        return 0;
    }
    if (s->capture != NULL)
        return capture(s);
    db_lookup(s->db, (struct slice){.ptr = s->key.at, .len = s->key.len}, 0, &ref);
    if (ref.rec != NULL && !s->merge)
        return load_complain(s, -EEXIST, "The dump has a key twice, or one that is there already");
    if ((r = finish(s, &v)) < 0)
        return r;
    if (db_load(&ref, &v, s->expire_at_ms) < 0) {
        value_free(&v);
        return -ENOMEM;
    }
    db_set_use(ref.rec, s->idle_s, s->freq);
    s->keys_loaded++;
    drop_value(s);
    return 0;
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

    if (s->on_progress != NULL)
        s->on_progress(s->progress_ctx, offset);
    return 0;
}

/* ---- the events ---- */

const struct rdb_events *
load_events(void)
{
    static struct rdb_events events;

    if (events.value_end != NULL)
        return &events;
    events = (struct rdb_events){.aux = on_aux,
                                 .function = on_function,
                                 .finding = on_finding,
                                 .key = on_key,
                                 .value_end = on_value_end,
                                 .progress = on_progress};
    for (unsigned t = 0; t < TYPE_COUNT; t++)
        type_of(t)->load(&events);
    return &events;
}
