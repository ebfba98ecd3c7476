/* server/commands/generic/sort_items.c - what is sorted, and by what: elements copied out of a
 * list, set or sorted set, and the keys that patterns name for them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "server/commands/generic/sort.h"
#include "server/data/db/value.h"
#include "server/data/hash/hash.h"
#include "server/data/list/list.h"
#include "server/data/set/set.h"
#include "server/data/zset/zset.h"

_Static_assert((int)NUM_MAX_BYTES <= SORT_SCRATCH_BYTES &&
                   (int)LP_INT_TEXT_BYTES <= SORT_SCRATCH_BYTES,
               "room for a number");

/* put: a copy of these bytes; returns where it is. */
static size_t
put(struct sort *s, struct slice bytes)
{
    size_t at = s->text.len;

    text_add_bytes(&s->text, bytes.ptr, bytes.len);
    s->failed |= s->text.failed;
    return at;
}

static void
add_item(struct sort *s, struct slice element)
{
    if (s->total == s->room) {
        uint64_t room = s->room == 0 ? 64 : s->room * 2;
        struct sort_item *p = realloc(s->items, room * sizeof *p);

        if (p == NULL) {
            s->failed = true;
            return;
        }
        s->items = p;
        s->room = room;
    }
    s->items[s->total++] = (struct sort_item){.at = put(s, element), .len = element.len};
}

static void
add_member(void *ctx, struct slice member, struct slice none)
{
    (void)none;
    add_item(ctx, member);
}

static void
add_scored(void *ctx, struct slice member, double score)
{
    (void)score;
    add_item(ctx, member);
}

static void
collect_list(struct sort *s, const struct record *r, uint64_t first, uint64_t count, bool backwards)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct list_iter it;
    struct list_elem e;

    if (count == 0)
        return;
    list_iter_init(&it, r, backwards ? list_len(r) - 1 - first : first, backwards);
    while (count-- > 0 && list_iter_next(&it, &e))
        add_item(s, list_text(&e, scratch));
}

void
sort_collect(struct sort *s, const struct record *r, uint64_t first, uint64_t count)
{
    bool backwards = s->is_unsorted && s->descending;
    uint64_t cursor = 0;

    switch (record_type(r)) {
    case TYPE_LIST:
        collect_list(s, r, first, count, backwards);
        break;
    case TYPE_ZSET:
        if (count > 0)
            zset_range(r, backwards ? zset_len(r) - 1 - first : first, count, backwards, add_scored,
                       s);
        break;
    default:
        do
            cursor = set_walk(r, cursor, add_member, s);
        while (cursor != 0);
    }
}

/* ---- patterns ---- */

/* split: a pattern around its star, and the field behind an arrow.  False: it has no star. */
static bool
split(struct slice pattern, struct slice *before, struct slice *after, struct slice *field)
{
    const char *star = memchr(pattern.ptr, '*', pattern.len), *arrow,
               *end = pattern.ptr + pattern.len;

    *field = (struct slice){.ptr = NULL};
    if (star == NULL)
        return false;
    *before = (struct slice){pattern.ptr, (size_t)(star - pattern.ptr)};
    arrow = memmem(star + 1, (size_t)(end - star - 1), "->", 2);
    if (arrow != NULL && arrow + 2 < end)
        *field = (struct slice){arrow + 2, (size_t)(end - arrow - 2)};
    else
        arrow = end;
    *after = (struct slice){star + 1, (size_t)(arrow - star - 1)};
    return true;
}

/* find_value: what a record holds as a string, or in a field of its hash. */
static bool
find_value(const struct record *r, struct slice field, char *scratch, struct slice *ret)
{
    if (field.ptr != NULL)
        return hash_is(r) && hash_get(r, field, scratch, ret);
    if (record_type(r) != TYPE_STRING)
        return false;
    *ret = record_text(r, scratch);
    return true;
}

bool
sort_lookup(const struct sort *s, struct db *db, struct slice pattern, const struct sort_item *item,
            char *scratch, struct slice *ret)
{
    struct slice before, after, field, element = sort_text(s, item->at, item->len);
    struct text key = {0};
    const struct record *r;

    if (slice_equal(pattern, SLICE("#"))) {
        *ret = element;
        return true;
    }
    if (!split(pattern, &before, &after, &field))
        return false;
    text_add_bytes(&key, before.ptr, before.len);
    text_add_bytes(&key, element.ptr, element.len);
    text_add_bytes(&key, after.ptr, after.len);
    r = key.failed ? NULL : db_find_read(db, (struct slice){text_str(&key), key.len});
    text_free(&key);
    return r != NULL && find_value(r, field, scratch, ret);
}

/* ---- weights ---- */

/* parse_score: as strtod() has it: a NUL ends the number, blanks before it are none, nothing is
 * zero. */
static bool
parse_score(struct sort *s, struct slice word, double *ret)
{
    char few[128], *text = few, *end;
    bool good;

    if (word.len >= sizeof few && (text = malloc(word.len + 1)) == NULL) {
        s->failed = true;
        return true;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    errno = 0;
    *ret = strtod(text, &end);
    good = *end == '\0' && errno != ERANGE && !isnan(*ret);
    if (text != few)
        free(text);
    return good;
}

static bool
weigh(struct sort *s, struct db *db, struct sort_item *item)
{
    char scratch[SORT_SCRATCH_BYTES];
    struct slice word = sort_text(s, item->at, item->len);
    bool found = true;

    if (s->by.ptr != NULL)
        found = sort_lookup(s, db, s->by, item, scratch, &word);
    if (s->alpha) {
        item->has_word = found;
        item->by_len = found ? word.len : 0;
        item->by_at = s->by.ptr == NULL ? item->at : found ? put(s, word) : 0;
        return true;
    }
    item->score = 0;
    return !found || parse_score(s, word, &item->score);
}

bool
sort_weigh(struct sort *s, struct db *db)
{
    for (uint64_t i = 0; i < s->total && !s->failed; i++)
        if (!weigh(s, db, &s->items[i]))
            return false;
    return true;
}

void
sort_fini(struct sort *s)
{
    free(s->items);
    free(s->get);
    text_free(&s->text);
}
