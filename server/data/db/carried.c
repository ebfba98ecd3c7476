/* server/data/db/carried.c - function libraries and AUX fields on their way from a dump to the
 * next.
 *
 * A list that somebody holds is not changed: who changes it makes a copy of the pointers first.
 * Items are counted references too, so that their bytes are never copied. */
#include "server/data/db/carried.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "snapshot/rdb/rdb_enc.h"

struct item {
    unsigned references;
    bool is_library;
    /* of an AUX field its name; of a library the part of its text that is the name */
    size_t name_len, len;
    char *name, *bytes; /* the text of a library, the value of a field */
    char text[];
};

struct carried {
    unsigned references;
    size_t count, room;
    struct item **item; /* [owned] */
};

static struct carried *current; /* [owned] NULL: nothing */

static struct item *
item_new(bool is_library, struct slice name, struct slice bytes)
{
    struct item *i = malloc(sizeof *i + name.len + bytes.len + 1);

    if (i == NULL)
        return NULL;
    *i = (struct item){
        .references = 1, .is_library = is_library, .name_len = name.len, .len = bytes.len};
    i->name = i->text;
    i->bytes = i->text + name.len;
    if (name.len > 0)
        memcpy(i->name, name.ptr, name.len);
    if (bytes.len > 0)
        memcpy(i->bytes, bytes.ptr, bytes.len);
    return i;
}

static void
item_drop(struct item *i)
{
    if (--i->references == 0)
        free(i);
}

void
carried_drop(struct carried *list)
{
    if (list == NULL || --list->references > 0)
        return;
    for (size_t i = 0; i < list->count; i++)
        item_drop(list->item[i]);
    free(list->item);
    free(list);
}

struct carried *
carried_hold(void)
{
    if (current != NULL)
        current->references++;
    return current;
}

enum kept { KEEP_ALL, KEEP_LIBRARIES, KEEP_AUX };

static bool
is_kept(const struct item *item, enum kept kept)
{
    return kept == KEEP_ALL || item->is_library == (kept == KEEP_LIBRARIES);
}

/* copy: the list, or a part of it, with room for more; NULL: no memory. */
static struct carried *
copy(const struct carried *from, size_t room, enum kept kept)
{
    struct carried *to = calloc(1, sizeof *to);

    if (to == NULL || (to->item = calloc(room, sizeof(struct item *))) == NULL) {
        free(to);
        return NULL;
    }
    to->references = 1;
    to->room = room;
    for (size_t i = 0; from != NULL && i < from->count; i++) {
        if (!is_kept(from->item[i], kept))
            continue;
        to->item[to->count++] = from->item[i];
        from->item[i]->references++;
    }
    return to;
}

/* make_room: current may be changed, and has room for one more. */
static int
make_room(void)
{
    size_t count = current == NULL ? 0 : current->count;
    struct carried *list;

    if (count >= RDB_CARRIED_MOST)
        return -E2BIG;
    if (current != NULL && current->references == 1 && count < current->room)
        return 0;
    if ((list = copy(current, 2 * count + 8, KEEP_ALL)) == NULL)
        return -ENOMEM;
    carried_drop(current);
    current = list;
    return 0;
}

static bool
is_text(const char *bytes, size_t len, struct slice text)
{
    return len == text.len && (len == 0 || memcmp(bytes, text.ptr, len) == 0);
}

/* find_library: NULL: none of that name.  One without a name is known by its text. */
static struct item **
find_library(const struct carried *list, struct slice name, struct slice code)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct item *at = list->item[i];

        if (at->is_library && is_text(at->name, at->name_len, name) &&
            (name.len > 0 || is_text(at->bytes, at->len, code)))
            return &list->item[i];
    }
    return NULL;
}

/* put_library: into a list that has room for one more and may be changed. */
static int
put_library(struct carried *list, struct slice name, struct slice code, bool replace)
{
    struct item *item, **old = find_library(list, name, code);

    if (old != NULL && name.len > 0 && !replace)
        return -EEXIST;
    if ((item = item_new(true, name, code)) == NULL)
        return -ENOMEM;
    if (old == NULL) {
        list->item[list->count++] = item;
    } else {
        item_drop(*old);
        *old = item;
    }
    return 0;
}

int
carried_library(struct slice code, bool replace)
{
    int r = make_room();

    return r < 0 ? r : put_library(current, rdb_library_name(code), code, replace);
}

/* ---- several changes as one ---- */

struct carried *
carried_draft(bool with_libraries, size_t more)
{
    size_t count = current == NULL ? 0 : current->count;

    return copy(current, count + more + 8, with_libraries ? KEEP_ALL : KEEP_AUX);
}

bool
carried_has_library(struct slice name)
{
    return current != NULL && find_library(current, name, SLICE("")) != NULL;
}

int
carried_put(struct carried *draft, struct slice name, struct slice code)
{
    must(draft->references == 1 && draft->count < draft->room);
    if (draft->count >= RDB_CARRIED_MOST)
        return -E2BIG;
    return put_library(draft, name, code, true);
}

bool
carried_remove(struct carried *draft, struct slice name)
{
    struct item **at = find_library(draft, name, SLICE(""));

    if (at == NULL)
        return false;
    item_drop(*at);
    memmove(at, at + 1, (size_t)(draft->item + draft->count - at - 1) * sizeof *at);
    draft->count--;
    return true;
}

void
carried_adopt(struct carried *draft)
{
    carried_drop(current);
    current = draft;
}

void
carried_each(void (*fn)(void *ctx, struct slice name, struct slice code), void *ctx)
{
    struct carried *list = carried_hold();

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct item *at = list->item[i];

        if (at->is_library)
            fn(ctx, (struct slice){at->name, at->name_len}, (struct slice){at->bytes, at->len});
    }
    carried_drop(list);
}

int
carried_aux(struct slice name, struct slice value)
{
    struct item *item;
    int r;

    if ((r = make_room()) < 0)
        return r;
    if ((item = item_new(false, name, value)) == NULL)
        return -ENOMEM;
    current->item[current->count++] = item;
    return 0;
}

void
carried_clear(void)
{
    carried_drop(current);
    current = NULL;
}

void
carried_forget_aux(void)
{
    struct carried *list;

    if (carried_sum().aux_fields == 0 ||
        (list = copy(current, current->count, KEEP_LIBRARIES)) == NULL)
        return; /* without memory they are there twice: nothing is lost */
    carried_drop(current);
    current = list;
}

struct carried_sum
carried_sum(void)
{
    struct carried_sum sum = {.libraries = 0};

    for (size_t i = 0; current != NULL && i < current->count; i++) {
        const struct item *at = current->item[i];

        sum.libraries += at->is_library;
        sum.aux_fields += !at->is_library;
        sum.library_bytes += at->is_library ? at->len : 0;
    }
    return sum;
}

static void
save_library(struct rdb_enc *e, const struct item *library)
{
    rdb_put_byte(e, RDB_OP_FUNCTION2);
    rdb_put_string(e, library->bytes, library->len);
}

void
carried_save_libraries(struct rdb_enc *e)
{
    for (size_t i = 0; current != NULL && i < current->count; i++)
        if (current->item[i]->is_library)
            save_library(e, current->item[i]);
}

/* ---- [sweep] ---- */

static void
save_aux(struct rdb_enc *e, const struct item *field)
{
    rdb_put_byte(e, RDB_OP_AUX);
    rdb_put_string(e, field->name, field->name_len);
    rdb_put_string(e, field->bytes, field->len);
}

bool
carried_save(const struct carried *list, struct rdb_enc *e)
{
    bool has_libraries = e->version >= RDB_FUNCTIONS_FROM_VERSION, complete = true;

    for (size_t i = 0; list != NULL && i < list->count; i++)
        if (!list->item[i]->is_library)
            save_aux(e, list->item[i]);
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (list->item[i]->is_library && has_libraries)
            save_library(e, list->item[i]);
        complete &= !list->item[i]->is_library || has_libraries;
    }
    return complete;
}
