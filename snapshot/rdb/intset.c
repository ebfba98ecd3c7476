/* snapshot/rdb/intset.c - intsets.  The contract and the format are in intset.h. */
#include "snapshot/rdb/intset.h"

#include "mm/base/must.h"

bool
intset_validate(const uint8_t *s, size_t len, uint32_t *ret_count)
{
    unsigned width;
    uint32_t count;

    if (len < INTSET_HEADER_BYTES)
        return false;
    width = intset_width(s);
    count = intset_count(s);
    if ((width != 2 && width != 4 && width != 8) || len != intset_bytes(width, count))
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (intset_get(s, i - 1) >= intset_get(s, i))
            return false;
    *ret_count = count;
    return true;
}

/* search: the first element of [low, high) that is not below v. */
static bool
search(const uint8_t *s, uint32_t low, uint32_t high, int64_t v, uint32_t *ret_at)
{
    uint32_t count = intset_count(s);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (intset_get(s, middle) < v)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_at = low;
    return low < count && intset_get(s, low) == v;
}

bool
intset_find(const uint8_t *s, int64_t v, uint32_t *ret_at)
{
    return search(s, 0, intset_count(s), v, ret_at);
}

bool
intset_find_from(const uint8_t *s, uint32_t from, int64_t v, uint32_t *ret_at)
{
    uint64_t count = intset_count(s), low = from, step = 1;

    while (low + step < count && intset_get(s, low + step) < v) {
        low += step;
        step *= 2;
    }
    return search(s, (uint32_t)low, (uint32_t)(low + step + 1 < count ? low + step + 1 : count), v,
                  ret_at);
}

size_t
intset_init(uint8_t *dst)
{
    intset_put_header(dst, 2, 0);
    return INTSET_HEADER_BYTES;
}

size_t
intset_add(uint8_t *s, int64_t v)
{
    unsigned width = intset_width(s),
             wide = intset_width_of(v) > width ? intset_width_of(v) : width;
    uint32_t count = intset_count(s), at;
    uint8_t *body = s + INTSET_HEADER_BYTES;
    bool is_there = intset_find(s, v, &at);

    must(!is_there);
    if (wide == width)
        memmove(body + (size_t)width * (at + 1), body + (size_t)width * at,
                (size_t)width * (count - at));
    else /* the last one first: wider elements stand behind narrower ones of the same number */
        for (uint32_t i = count; i-- > 0;)
            intset_store(body, wide, i >= at ? i + 1 : i, intset_load(body, width, i));
    intset_store(body, wide, at, v);
    intset_put_header(s, wide, count + 1);
    return intset_bytes(wide, count + 1);
}
