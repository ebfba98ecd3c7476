/* snapshot/rdb/stream_node.c - reading and validating the nodes of streams.  Format:
 * stream_node.h. */
#include "snapshot/rdb/stream_node.h"

#include <string.h>

#include "mm/base/le.h"
#include "mm/base/num.h"
#include "snapshot/rdb/listpack.h"

static uint32_t
skip(const uint8_t *lp, uint32_t at)
{
    return at + lp_entry_size(lp + at);
}

static uint32_t
skip_several(const uint8_t *lp, uint32_t at, uint64_t entries)
{
    while (entries-- > 0)
        at = skip(lp, at);
    return at;
}

/* before: the entry that ends where the one at `at` begins. */
static uint32_t
before(const uint8_t *lp, uint32_t at)
{
    uint64_t core = 0;
    unsigned shift = 0, bytes = 0;
    uint8_t b;

    do {
        b = lp[at - ++bytes];
        core |= (uint64_t)(b & 127) << shift;
        shift += 7;
    } while ((b & 128) != 0);
    return (uint32_t)(at - bytes - core);
}

static int64_t
number(const uint8_t *lp, uint32_t at)
{
    struct lp_elem e;

    lp_get(lp, at, &e);
    return e.value;
}

void
stream_node_items(const uint8_t *lp, uint64_t *ret_live, uint64_t *ret_deleted)
{
    *ret_live = (uint64_t)number(lp, LP_HEADER_BYTES);
    *ret_deleted = (uint64_t)number(lp, skip(lp, LP_HEADER_BYTES));
}

void
stream_node_open(struct stream_node *n, const uint8_t *lp, struct stream_id first)
{
    uint32_t at = LP_HEADER_BYTES;

    *n = (struct stream_node){.lp = lp, .first = first, .live = (uint32_t)number(lp, at)};
    n->deleted_at = at = skip(lp, at);
    n->deleted = (uint32_t)number(lp, at);
    at = skip(lp, at);
    n->fields = (uint32_t)number(lp, at);
    n->fields_at = at = skip(lp, at);
    at = skip(lp, skip_several(lp, at, n->fields));
    n->items_at = lp[at] == LP_END ? 0 : at;
}

void
stream_item_read(const struct stream_node *n, uint32_t at, struct stream_item *ret)
{
    const uint8_t *lp = n->lp;

    *ret = (struct stream_item){.lp = lp, .at = at, .flags = (uint32_t)number(lp, at)};
    at = skip(lp, at);
    ret->id.ms = n->first.ms + (uint64_t)number(lp, at);
    at = skip(lp, at);
    ret->id.seq = n->first.seq + (uint64_t)number(lp, at);
    at = skip(lp, at);
    if ((ret->flags & STREAM_ITEM_SAME) != 0) {
        ret->fields = n->fields;
        ret->names_at = n->fields_at;
    } else {
        ret->fields = (uint32_t)number(lp, at);
        at = skip(lp, at);
    }
    ret->values_at = at;
}

uint32_t
stream_item_next(const struct stream_item *i)
{
    uint64_t entries = (uint64_t)i->fields * (i->names_at != 0 ? 1 : 2);
    uint32_t at = skip(i->lp, skip_several(i->lp, i->values_at, entries));

    return i->lp[at] == LP_END ? 0 : at;
}

/* ending_at: the item that ends where `end` is. */
static uint32_t
ending_at(const struct stream_node *n, uint32_t end)
{
    uint32_t at = before(n->lp, end);

    for (int64_t entries = number(n->lp, at); entries > 0; entries--)
        at = before(n->lp, at);
    return at;
}

uint32_t
stream_item_last(const struct stream_node *n)
{
    return n->items_at == 0 ? 0 : ending_at(n, lp_bytes(n->lp) - 1);
}

uint32_t
stream_item_prev(const struct stream_node *n, const struct stream_item *i)
{
    return i->at == n->items_at ? 0 : ending_at(n, i->at);
}

struct stream_pairs
stream_item_pairs(const struct stream_item *i)
{
    return (struct stream_pairs){
        .lp = i->lp, .names_at = i->names_at, .values_at = i->values_at, .left = i->fields};
}

bool
stream_pairs_next(struct stream_pairs *p, struct lp_elem *ret_field, struct lp_elem *ret_value)
{
    if (p->left == 0)
        return false;
    p->left--;
    if (p->names_at != 0) {
        lp_get(p->lp, p->names_at, ret_field);
        p->names_at = skip(p->lp, p->names_at);
    } else {
        lp_get(p->lp, p->values_at, ret_field);
        p->values_at = skip(p->lp, p->values_at);
    }
    lp_get(p->lp, p->values_at, ret_value);
    p->values_at = skip(p->lp, p->values_at);
    return true;
}

/* ---- validation: of a listpack whose entries are well-formed already ---- */

struct check {
    const uint8_t *lp;
    uint32_t at;      /* of the next entry; the end mark's, after the last */
    uint64_t entries; /* from `at` on */
};

/* take: an integer between 0 and most; false: there is none. */
static bool
take(struct check *c, int64_t *ret)
{
    struct lp_elem e;

    if (c->entries == 0)
        return false;
    lp_get(c->lp, c->at, &e);
    if (e.bytes != NULL)
        return false;
    *ret = e.value;
    c->at = skip(c->lp, c->at);
    c->entries--;
    return true;
}

static bool
take_count(struct check *c, int64_t most, int64_t *ret)
{
    return take(c, ret) && *ret >= 0 && *ret <= most;
}

static bool
pass(struct check *c, uint64_t entries)
{
    if (entries > c->entries)
        return false;
    c->at = skip_several(c->lp, c->at, entries);
    c->entries -= entries;
    return true;
}

/* take_item: NULL, or what is wrong. */
static const char *
take_item(struct check *c, struct stream_id first, int64_t master_fields, struct stream_id *ret_id,
          bool *ret_is_live)
{
    int64_t flags, ms, seq, fields = master_fields, end, entries;

    /* one byte: so that it can be changed where it stands */
    if (c->lp[c->at] > (STREAM_ITEM_DELETED | STREAM_ITEM_SAME) || !take(c, &flags))
        return "an entry with unknown flags";
    if (!take(c, &ms) || !take(c, &seq))
        return "an entry without an ID";
    *ret_id = (struct stream_id){first.ms + (uint64_t)ms, first.seq + (uint64_t)seq};
    *ret_is_live = (flags & STREAM_ITEM_DELETED) == 0;
    entries = master_fields + 3;
    if ((flags & STREAM_ITEM_SAME) == 0) {
        if (!take_count(c, INT32_MAX, &fields) || fields == 0)
            return "an entry with a wrong number of fields";
        entries = 2 * fields + 4;
        fields *= 2;
    }
    if (!pass(c, (uint64_t)fields))
        return "an entry that is cut off";
    return take_count(c, INT64_MAX, &end) && end == entries ? NULL : "an entry with a wrong length";
}

static const char *
take_items(struct check *c, struct stream_id first, int64_t fields, struct stream_node_sum *sum)
{
    const char *wrong;

    for (bool is_first = true; c->entries > 0; is_first = false) {
        struct stream_id id;
        bool is_live;

        if ((wrong = take_item(c, first, fields, &id, &is_live)) != NULL)
            return wrong;
        if (is_first ? stream_id_compare(id, first) < 0 : stream_id_compare(id, sum->highest) <= 0)
            return "entries out of order";
        if (is_first)
            sum->lowest = id;
        sum->highest = id;
        if (is_live)
            sum->highest_live = id;
        sum->live += is_live;
        sum->deleted += !is_live;
    }
    return NULL;
}

const char *
stream_node_validate(const uint8_t *lp, size_t len, struct stream_id first,
                     struct stream_node_sum *ret)
{
    struct check c = {.lp = lp, .at = LP_HEADER_BYTES};
    struct stream_node_sum sum = {.live = 0};
    int64_t live, deleted, fields, zero;
    const char *wrong;
    uint32_t entries;

    if (!lp_validate(lp, len, &entries))
        return "a damaged listpack";
    c.entries = entries;
    if (!take_count(&c, INT32_MAX, &live) || !take_count(&c, INT32_MAX, &deleted) ||
        !take_count(&c, INT32_MAX, &fields) || fields == 0 || !pass(&c, (uint64_t)fields) ||
        !take_count(&c, 0, &zero))
        return "a wrong master entry";
    if ((wrong = take_items(&c, first, fields, &sum)) != NULL)
        return wrong;
    if (sum.live != (uint64_t)live || sum.deleted != (uint64_t)deleted || live == 0)
        return "a wrong number of entries";
    *ret = sum;
    return NULL;
}

/* append: bytes of entries, as they are, to a listpack that is being built. */
static void
append(uint8_t *dst, size_t *len, const uint8_t *entries, size_t bytes)
{
    memmove(dst + *len - 1, entries, bytes);
    *len += bytes;
}

/* keep_live: the items from c->at on that live, to dst.  *ret_kept: entries of the listpack. */
static const char *
keep_live(struct check *c, struct stream_id first, int64_t fields, uint8_t *dst, size_t *len,
          struct stream_node_sum *sum, uint32_t *kept)
{
    const char *wrong;

    while (c->entries > 0) {
        struct check begin = *c;
        struct stream_id id;
        bool is_live;

        if ((wrong = take_item(c, first, fields, &id, &is_live)) != NULL)
            return wrong;
        if (!is_live)
            continue;
        if (stream_id_compare(id, sum->live == 0 ? first : sum->highest) < (sum->live == 0 ? 0 : 1))
            return "entries out of order";
        if (sum->live == 0)
            sum->lowest = id;
        sum->highest = sum->highest_live = id;
        sum->live++;
        *kept += (uint32_t)(begin.entries - c->entries);
        append(dst, len, c->lp + begin.at, c->at - begin.at);
    }
    return NULL;
}

/* put_counters: dst begins anew, with how many items live, and none deleted; then `body` of its
 * bytes. */
static size_t
put_counters(uint8_t *dst, uint64_t live, const uint8_t *body, size_t body_bytes)
{
    char text[NUM_MAX_BYTES];
    size_t len;

    lp_init(dst);
    lp_append(dst, text, num_print(text, (int64_t)live));
    len = lp_append(dst, "0", 1);
    append(dst, &len, body, body_bytes);
    dst[len - 1] = LP_END;
    le_store(dst, len, 4);
    return len;
}

const char *
stream_node_mend(const uint8_t *lp, uint32_t entries, struct stream_id first, uint8_t *dst,
                 size_t *ret_len, struct stream_node_sum *ret)
{
    enum { COUNTERS_MOST_BYTES = 24 }; /* of both, however large */
    struct check c = {.lp = lp, .at = LP_HEADER_BYTES, .entries = entries};
    uint8_t *body = dst + LP_HEADER_BYTES + COUNTERS_MOST_BYTES;
    struct stream_node_sum sum = {.live = 0};
    int64_t live, deleted, fields, zero; /* the first two are what is not believed */
    size_t body_bytes = 1;               /* append() writes over an end mark */
    const char *wrong;
    uint32_t kept, at;

    if (!take(&c, &live) || !take(&c, &deleted))
        return "a wrong master entry";
    at = c.at;
    kept = (uint32_t)c.entries;
    if (!take_count(&c, INT32_MAX, &fields) || fields == 0 || !pass(&c, (uint64_t)fields) ||
        !take_count(&c, 0, &zero))
        return "a wrong master entry";
    kept -= (uint32_t)c.entries;
    append(body, &body_bytes, lp + at, c.at - at);
    if ((wrong = keep_live(&c, first, fields, body, &body_bytes, &sum, &kept)) != NULL)
        return wrong;
    *ret_len = put_counters(dst, sum.live, body, body_bytes - 1);
    lp_set_count(dst, kept + 2);
    *ret = sum;
    return NULL;
}

struct stream_id
stream_id_load(const uint8_t bytes[STREAM_ID_BYTES])
{
    struct stream_id id = {0, 0};

    for (int i = 0; i < 8; i++) {
        id.ms = id.ms << 8 | bytes[i];
        id.seq = id.seq << 8 | bytes[8 + i];
    }
    return id;
}

void
stream_id_store(uint8_t bytes[STREAM_ID_BYTES], struct stream_id id)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(id.ms >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(id.seq >> (56 - 8 * i));
    }
}
