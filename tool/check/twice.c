/* tool/check/twice.c - what comes twice in a file.  The contract is in twice.h. */
#include "tool/check/twice.h"

#include <stdlib.h>

#include "mm/base/os.h"
#include "snapshot/rdb/rdb.h"
#include "tool/base/hash.h"

/* So that neighbours among databases, offsets and groups have seeds far from each other. */
#define SPREAD 0x9e3779b97f4a7c15u

void
twice_init(struct twice *t)
{
    *t = (struct twice){.is_second = false};
    t->seed = (uint64_t)os_unix_ns() * SPREAD ^ (uintptr_t)t;
    seen_init(&t->keys);
    seen_init(&t->elements);
    field_set_init(&t->confirmed);
}

void
twice_fini(struct twice *t)
{
    seen_fini(&t->keys);
    seen_fini(&t->elements);
    seen_set_fini(&t->suspects);
    field_set_fini(&t->confirmed);
}

/* has_plain: does the decoder leave the comparing of such a value's elements to its sink? */
static bool
has_plain(uint8_t type)
{
    return type == RDB_TYPE_HASH || type == RDB_TYPE_SET || type == RDB_TYPE_ZSET ||
           type == RDB_TYPE_ZSET_2 || type == RDB_TYPE_STREAM || type == RDB_TYPE_STREAM_2 ||
           type == RDB_TYPE_STREAM_3 || type >= RDB_TYPE_HASH_EXPIRES_RC;
}

/* confirm: in the second pass: a suspect by 64 bits: is it one by 128? */
static int
confirm(struct twice *t, uint64_t hash, struct slice name)
{
    int r;

    if (likely(!seen_set_has(&t->suspects, hash)))
        return TWICE_NOT;
    r = field_set_add_in(&t->confirmed, hash, name.ptr, name.len);
    return r < 0 ? r : r == 0 ? TWICE_FOUND : TWICE_NOT;
}

int
twice_key(struct twice *t, const struct rdb_key *k)
{
    uint64_t hash = tool_hash(k->name, t->seed + k->db * SPREAD);

    if (k->type != RDB_TYPE_STRING) {
        t->is_plain = has_plain(k->type);
        t->value_seed = ~t->seed ^ k->offset * SPREAD;
    }
    return likely(!t->is_second) ? seen_add(&t->keys, hash) : confirm(t, hash, k->name);
}

int
twice_element(struct twice *t, uint64_t space, struct slice element)
{
    uint64_t hash;

    if (!t->is_plain)
        return TWICE_NOT;
    hash = tool_hash(element, t->value_seed + space * SPREAD);
    if (unlikely(t->is_second))
        return confirm(t, hash, element);
    t->has_elements = true;
    return seen_add(&t->elements, hash);
}

int
twice_value_end(struct twice *t)
{
    t->is_plain = false;
    if (!t->has_elements)
        return 0;
    t->has_elements = false;
    return seen_end(&t->elements, &t->suspects);
}

int
twice_end(struct twice *t)
{
    return seen_end(&t->keys, &t->suspects);
}

bool
twice_begin_second(struct twice *t)
{
    t->is_second = true;
    t->is_plain = false;
    return t->suspects.used > 0;
}
