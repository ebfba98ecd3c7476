/* snapshot/rdb/ziplist.c - Redis's ziplists.  The contract is in ziplist.h. */
#include "snapshot/rdb/ziplist.h"

enum { HEADER_BYTES = 10, END = 0xff, COUNT_UNKNOWN = UINT16_MAX };

static bool
take_string(struct byte_walk *w, uint8_t enc, struct slice *ret)
{
    const uint8_t *p;

    if (enc < 0x40)
        return walk_slice(w, enc, ret);
    if (enc < 0x80) {
        if ((p = walk_take(w, 1)) == NULL)
            return false;
        return walk_slice(w, (uint64_t)(enc & 0x3f) << 8 | *p, ret);
    }
    if ((p = walk_take(w, 4)) == NULL)
        return false;
    return walk_slice(w, (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3],
                      ret);
}

static bool
take_int(struct byte_walk *w, uint8_t enc, char *text, struct slice *ret)
{
    unsigned bytes = enc == 0xc0   ? 2
                     : enc == 0xd0 ? 4
                     : enc == 0xe0 ? 8
                     : enc == 0xf0 ? 3
                     : enc == 0xfe ? 1
                                   : 0;
    int64_t value = enc - 0xf1; /* 0xf1 to 0xfd: the value itself, 0 to 12 */
    const uint8_t *p;

    if (bytes == 0 && (enc < 0xf1 || enc > 0xfd))
        return false;
    if (bytes > 0) {
        if ((p = walk_take(w, bytes)) == NULL)
            return false;
        value = le_load_signed(p, bytes);
    }
    *ret = slice_of(text, num_print(text, value));
    return true;
}

void
ziplist_open(struct slice blob, struct ziplist_walk *w)
{
    const uint8_t *bytes = slice_bytes(blob);

    w->bytes = (struct byte_walk){bytes + HEADER_BYTES, bytes + blob.len - 1};
    w->previous_bytes = 0;
}

bool
ziplist_next(struct ziplist_walk *w, char scratch[NUM_MAX_BYTES], struct slice *ret)
{
    const uint8_t *entry = w->bytes.at, *enc;
    uint32_t previous;

    if (!walk_len(&w->bytes, &previous) || previous != w->previous_bytes ||
        (enc = walk_take(&w->bytes, 1)) == NULL)
        return false;
    if (*enc > 0x80 && *enc < 0xc0)
        return false;
    if (!(*enc < 0xc0 ? take_string(&w->bytes, *enc, ret)
                      : take_int(&w->bytes, *enc, scratch, ret)))
        return false;
    w->previous_bytes = (uint64_t)(w->bytes.at - entry);
    return true;
}

bool
ziplist_measure(struct slice blob, struct ziplist_sum *ret)
{
    char scratch[NUM_MAX_BYTES];
    struct ziplist_walk w;
    const uint8_t *bytes = slice_bytes(blob);
    struct slice entry;

    *ret = (struct ziplist_sum){.count = 0};
    if (blob.len < HEADER_BYTES + 1 || bytes[blob.len - 1] != END || le_load(bytes, 4) != blob.len)
        return false;
    ziplist_open(blob, &w);
    for (; w.bytes.at < w.bytes.end; ret->count++)
        if (!ziplist_next(&w, scratch, &entry))
            return false;
    ret->last = (uint64_t)(w.bytes.end - bytes) - w.previous_bytes;
    ret->claimed_count = le_load(bytes + 8, 2);
    ret->claimed_last = le_load(bytes + 4, 4);
    ret->is_right = (ret->claimed_count == COUNT_UNKNOWN || ret->claimed_count == ret->count) &&
                    ret->claimed_last == ret->last;
    return true;
}
