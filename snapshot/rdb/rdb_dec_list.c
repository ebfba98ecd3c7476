/* snapshot/rdb/rdb_dec_list.c - lists: plain, as one ziplist, as ziplists, as listpacks and plain
 * nodes. */
#include <errno.h>

#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec_impl.h"
#include "snapshot/rdb/ziplist.h"

/* begin: a claim of so many elements or nodes, each of which takes at least `least` bytes of the
 * file. */
static int
begin(struct dec *d, unsigned least, uint64_t *ret)
{
    uint64_t offset = rdb_source_offset(d->src);
    int r;

    d->what = "the length of a list";
    d->elements = 0;
    if ((r = dec_len(d, ret)) != 0)
        return r;
    if (*ret > source_left(d->src) / least)
        return dec_fail(
            d, offset, -EINVAL, "a list claims %llu elements or nodes where the file %s %llu bytes",
            (unsigned long long)*ret, dec_has(d), (unsigned long long)source_left(d->src));
    return d->ev->list_begin != NULL ? dec_sink(d, d->ev->list_begin(d->ctx)) : 0;
}

static int
end(struct dec *d)
{
    int r;

    if (d->elements == 0 && (r = dec_find_empty(d, "list")) != 0)
        return r;
    return d->ev->list_end != NULL ? dec_sink(d, d->ev->list_end(d->ctx)) : 0;
}

static int
pass_element(struct dec *d, struct slice element)
{
    d->elements++;
    return d->ev->list_element != NULL ? dec_sink(d, d->ev->list_element(d->ctx, element)) : 0;
}

int
dec_list_plain(struct dec *d)
{
    struct slice element;
    uint64_t elements = 0;
    int r;

    if ((r = begin(d, 1, &elements)) != 0)
        return r;
    for (uint64_t i = 0; i < elements; i++) {
        d->what = "an element of a list";
        if ((r = dec_string_value(d, &element)) != 0 || (r = pass_element(d, element)) != 0)
            return r;
        if ((r = dec_progress(d)) != 0)
            return r;
    }
    return end(d);
}

/* find_empty_node: Redis passes such a node over too. */
static int
find_empty_node(struct dec *d, uint64_t offset)
{
    return dec_find(d, offset, RDB_FINDING_EMPTY_NODE, "a list's node without an element");
}

/* pass_ziplist: the blob, which was read at offset. */
static int
pass_ziplist(struct dec *d, struct slice blob, uint64_t offset, uint64_t *ret_count)
{
    struct slice element;
    char scratch[NUM_MAX_BYTES];
    struct ziplist_walk w;
    int r;

    if ((r = dec_ziplist(d, blob, offset, "the list's", ret_count)) != 0)
        return r;
    ziplist_open(blob, &w);
    for (uint64_t i = 0; i < *ret_count; i++)
        if (ziplist_next(&w, scratch, &element) && (r = pass_element(d, element)) != 0)
            return r;
    return 0;
}

int
dec_list_ziplist(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0, count;
    int r;

    d->elements = 0;
    if (d->ev->list_begin != NULL && (r = dec_sink(d, d->ev->list_begin(d->ctx))) != 0)
        return r;
    if ((r = dec_value_blob(d, &blob, &offset)) != 0 ||
        (r = pass_ziplist(d, blob, offset, &count)) != 0)
        return r;
    return end(d);
}

int
dec_list_ziplists(struct dec *d)
{
    uint64_t nodes = 0;
    int r;

    if ((r = begin(d, 1, &nodes)) != 0)
        return r;
    for (uint64_t i = 0; i < nodes; i++) {
        uint64_t offset = rdb_source_offset(d->src), count = 0;
        struct slice blob;

        d->what = "a node of a list";
        if (d->ev->list_ziplist != NULL && (r = dec_sink(d, d->ev->list_ziplist(d->ctx))) != 0)
            return r;
        if ((r = dec_string_here(d, &d->value, &blob)) != 0 ||
            (r = pass_ziplist(d, blob, offset, &count)) != 0 || (r = dec_progress(d)) != 0)
            return r;
        if (count == 0 && (r = find_empty_node(d, offset)) != 0)
            return r;
    }
    return end(d);
}

/* read_node: of a quicklist: its kind, then a listpack or the element itself. */
static int
read_node(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src), kind = 0;
    struct slice element, blob;
    uint32_t elements;
    int r;

    d->what = "a node of a list";
    if ((r = dec_len(d, &kind)) != 0)
        return r;
    if (kind != RDB_QUICKLIST_PLAIN && kind != RDB_QUICKLIST_PACKED)
        return dec_fail(d, offset, -EINVAL, "a list's node of kind %llu: 1 and 2 are known",
                        (unsigned long long)kind);
    if (kind == RDB_QUICKLIST_PLAIN) {
        if ((r = dec_string_value(d, &element)) != 0)
            return r;
        if (element.len == 0) /* such nodes are for what is too long for others */
            return dec_fail(d, offset, -EINVAL, "a list's node that is one element is empty");
        return pass_element(d, element);
    }
    if ((r = dec_string_here(d, &d->value, &blob)) != 0)
        return r;
    if ((r = dec_listpack(d, &blob, offset, "the list's", &elements)) != 0)
        return r;
    if (elements == 0)
        return find_empty_node(d, offset);
    d->elements += elements;
    if (d->ev->list_listpack == NULL)
        return 0;
    return dec_sink(d, d->ev->list_listpack(d->ctx, blob, elements));
}

int
dec_list_quicklist(struct dec *d)
{
    uint64_t nodes = 0;
    int r;

    if ((r = begin(d, 2, &nodes)) != 0)
        return r;
    for (uint64_t i = 0; i < nodes; i++)
        if ((r = read_node(d)) != 0 || (r = dec_progress(d)) != 0)
            return r;
    return end(d);
}
