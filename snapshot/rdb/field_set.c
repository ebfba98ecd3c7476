/* snapshot/rdb/field_set.c - duplicate detection.  The contract is in field_set.h. */
#include "snapshot/rdb/field_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/os.h"

enum { FIRST_SLOTS = 32, KEPT_SLOTS = 4096 };

void
field_set_init(struct field_set *s)
{
    *s = (struct field_set){.seed = (uint64_t)os_unix_ns() * 1000000007u ^ (uintptr_t)s};
}

void
field_set_fini(struct field_set *s)
{
    free(s->slot);
    s->slot = NULL;
    s->slots = s->room = s->used = 0;
}

void
field_set_clear(struct field_set *s)
{
    size_t wanted = FIRST_SLOTS;

    if (s->room > KEPT_SLOTS) {
        field_set_fini(s);
        return;
    }
    if (s->used > 0)
        memset(s->slot, 0, s->slots * sizeof *s->slot);
    while (wanted < 2 * s->used) /* as the last one was, so the next may be */
        wanted *= 2;
    if (wanted < s->slots)
        s->slots = wanted;
    s->used = 0;
}

/* find: the mark's slot, or the free one where it belongs. */
static struct field_mark *
find(const struct field_set *s, struct field_mark m)
{
    for (size_t i = m.low & (s->slots - 1);;
         i = (i + 1) & (s->slots - 1)) { /* ends: half of the slots are free */
        struct field_mark *at = &s->slot[i];

        if ((at->low | at->high) == 0 || (at->low == m.low && at->high == m.high))
            return at;
    }
}

static int
grow(struct field_set *s)
{
    struct field_set bigger = {.slots = s->slots == 0 ? FIRST_SLOTS : 2 * s->slots,
                               .used = s->used};

    if (!fault_point(FAULT_load_alloc))
        bigger.slot = calloc(bigger.slots, sizeof *bigger.slot);
    if (bigger.slot == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->slots; i++)
        if ((s->slot[i].low | s->slot[i].high) != 0)
            *find(&bigger, s->slot[i]) = s->slot[i];
    bigger.seed = s->seed;
    bigger.room = bigger.slots;
    free(s->slot);
    *s = bigger;
    return 0;
}

int
field_set_add(struct field_set *s, const void *bytes, size_t len)
{
    return field_set_add_in(s, 0, bytes, len);
}

struct field_mark
field_mark_of(const struct field_set *s, uint64_t space, const void *bytes, size_t len)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes, len, s->seed + space * 0x9e3779b97f4a7c15u);

    return (struct field_mark){h.low64, h.high64 | 1}; /* | 1: never the mark of a free slot */
}

bool
field_set_has(const struct field_set *s, struct field_mark m)
{
    const struct field_mark *at;

    if (s->slots == 0)
        return false;
    at = find(s, m);
    return (at->low | at->high) != 0;
}

int
field_set_add_in(struct field_set *s, uint64_t space, const void *bytes, size_t len)
{
    struct field_mark m = field_mark_of(s, space, bytes, len), *at;
    int r;

    if (2 * (s->used + 1) > s->slots && (r = grow(s)) < 0)
        return r;
    at = find(s, m);
    if ((at->low | at->high) != 0)
        return 0;
    *at = m;
    s->used++;
    debug_check(2 * s->used <= s->slots); /* find() ends at a free slot */
    return 1;
}
