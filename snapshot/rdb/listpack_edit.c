/* snapshot/rdb/listpack_edit.c - building and changing listpacks.  The contract is in listpack.h,
 * the format in listpack.c. */
#include "snapshot/rdb/listpack.h"

#include <string.h>

#include "mm/base/le.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "snapshot/rdb/listpack_impl.h"

/* What will be written before the data of a string, or for the whole of an integer. */
struct head {
    uint8_t bytes[9];
    uint8_t len;
};

static void
set_count(uint8_t *lp, uint32_t count)
{
    le_store(lp + 4, count, 2);
}

/* int_head: the smallest form that holds v. */
static struct head
int_head(int64_t v)
{
    static const struct {
        uint8_t enc, data_bytes;
    } forms[] = {{LP_ENC_INT16, 2}, {LP_ENC_INT24, 3}, {LP_ENC_INT32, 4}, {LP_ENC_INT64, 8}};
    struct head h;
    unsigned f = 0;

    if (v >= 0 && v <= 127)
        return (struct head){.bytes = {(uint8_t)v}, .len = 1};
    if (v >= -4096 && v <= 4095)
        return (struct head){.bytes = {(uint8_t)(0xc0 | ((uint64_t)v >> 8 & 0x1f)), (uint8_t)v},
                             .len = 2};
    while (forms[f].data_bytes < 8 && v >> (8 * forms[f].data_bytes - 1) != 0 &&
           v >> (8 * forms[f].data_bytes - 1) != -1)
        f++;
    h.bytes[0] = forms[f].enc;
    le_store(h.bytes + 1, (uint64_t)v, forms[f].data_bytes);
    h.len = (uint8_t)(1 + forms[f].data_bytes);
    return h;
}

static struct head
string_head(size_t len)
{
    struct head h;

    if (len < 64)
        return (struct head){.bytes = {(uint8_t)(0x80 | len)}, .len = 1};
    if (len < 4096)
        return (struct head){.bytes = {(uint8_t)(0xe0 | len >> 8), (uint8_t)len}, .len = 2};
    must(len <= UINT32_MAX);
    h.bytes[0] = LP_ENC_STR32;
    le_store(h.bytes + 1, len, 4);
    h.len = 5;
    return h;
}

/* make_head: *ret_data is how many of the bytes follow the head: all, or none when it is an
 * integer. */
static struct head
make_head(const void *bytes, size_t len, size_t *ret_data)
{
    int64_t v;

    if (num_parse(bytes, len, &v)) {
        *ret_data = 0;
        return int_head(v);
    }
    *ret_data = len;
    return string_head(len);
}

static uint32_t
size_with_backlen(uint64_t core)
{
    must(core + 5 <= UINT32_MAX); /* a listpack cannot hold more; limits on values are far below */
    return (uint32_t)(core + lp_backlen_bytes(core));
}

void
lp_entry_make(struct lp_entry *e, const void *bytes, size_t len)
{
    size_t data;
    struct head h = make_head(bytes, len, &data);

    e->data = bytes;
    e->data_len = (uint32_t)data;
    e->head_len = h.len;
    memcpy(e->head, h.bytes, sizeof e->head);
    e->size = size_with_backlen(h.len + (uint64_t)data);
}

void
lp_entry_put(uint8_t *dst, const struct lp_entry *e)
{
    memcpy(dst, e->head, e->head_len);
    if (e->data_len > 0)
        memcpy(dst + e->head_len, e->data, e->data_len);
    lp_backlen_put(dst + e->head_len + e->data_len, e->head_len + (uint64_t)e->data_len);
}

uint32_t
lp_entry_bytes(const void *bytes, size_t len)
{
    size_t data;
    struct head h = make_head(bytes, len, &data);

    return size_with_backlen(h.len + (uint64_t)data);
}

uint32_t
lp_init(uint8_t *dst)
{
    le_store(dst, LP_EMPTY_BYTES, 4);
    set_count(dst, 0);
    dst[LP_HEADER_BYTES] = LP_END;
    return LP_EMPTY_BYTES;
}

/* put_entry: write an entry over [lp + at, lp + at + old_bytes), moving what follows.  Returns the
 * new total size. */
static uint32_t
put_entry(uint8_t *lp, uint32_t at, uint32_t old_bytes, const void *bytes, size_t len)
{
    uint32_t total = lp_bytes(lp), size;
    size_t data;
    struct head h = make_head(bytes, len, &data);
    uint8_t *p = lp + at;

    size = size_with_backlen(h.len + (uint64_t)data);
    must(at >= LP_HEADER_BYTES && at + old_bytes < total);
    must((uint64_t)total - old_bytes + size <= UINT32_MAX);
    memmove(p + size, p + old_bytes, total - at - old_bytes);
    memcpy(p, h.bytes, h.len);
    if (data > 0)
        memcpy(p + h.len, bytes, data);
    lp_backlen_put(p + h.len + data, h.len + (uint64_t)data);
    total = total - old_bytes + size;
    le_store(lp, total, 4);
    return total;
}

uint32_t
lp_append(uint8_t *lp, const void *bytes, size_t len)
{
    uint32_t count = lp_header_count(lp);

    if (count != LP_COUNT_UNKNOWN)
        set_count(lp, count + 1); /* the 65535th element makes it "unknown", as it should */
    return put_entry(lp, lp_bytes(lp) - 1, 0, bytes, len);
}

uint32_t
lp_insert(uint8_t *lp, uint32_t at, const void *bytes, size_t len)
{
    uint32_t count = lp_header_count(lp);

    if (count != LP_COUNT_UNKNOWN)
        set_count(lp, count + 1);
    return put_entry(lp, at, 0, bytes, len);
}

uint32_t
lp_replace(uint8_t *lp, uint32_t at, const void *bytes, size_t len)
{
    return put_entry(lp, at, lp_entry_size(lp + at), bytes, len);
}

uint32_t
lp_delete(uint8_t *lp, uint32_t at, uint32_t entries)
{
    uint32_t total = lp_bytes(lp), count = lp_header_count(lp), end = at;

    for (uint32_t i = 0; i < entries; i++) {
        must(lp[end] != LP_END);
        end += lp_entry_size(lp + end);
    }
    memmove(lp + at, lp + end, total - end);
    total -= end - at;
    le_store(lp, total, 4);
    if (count != LP_COUNT_UNKNOWN)
        set_count(lp, count - entries);
    return total;
}
