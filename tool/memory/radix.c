/* tool/memory/radix.c - measure radix trees. */
#include "tool/memory/radix.h"

#include <string.h>

enum { NODE_HEAD = 4, POINTER = 8 };

/* node: with so many bytes and pointers to what is below it or to a value. */
static uint64_t
node(const struct memory_rules *rules, unsigned bytes, unsigned pointers)
{
    uint64_t head = (NODE_HEAD + bytes + POINTER - 1) / POINTER * POINTER;

    return memory_block(rules, head + (uint64_t)pointers * POINTER);
}

/* stretch: the bytes from..until - 1 of a key, which lead on to one node. */
static uint64_t
stretch(const struct memory_rules *rules, int from, int until)
{
    return until > from ? node(rules, (unsigned)(until - from), 1) : 0;
}

/* settle: of the last key's path everything below byte `shared`; the next key parts from it there,
 * or -1: there is none. */
static void
settle(struct memory_radix *t, const struct memory_rules *rules, int shared)
{
    int below = STREAM_ID_BYTES, above;

    t->bytes += node(rules, 0, 1);
    for (;;) {
        above = t->depths > 0 ? t->depth[t->depths - 1].at : -1;
        if (above < shared)
            above = shared;
        t->bytes += stretch(rules, above + 1, below);
        if (t->depths == 0 || t->depth[t->depths - 1].at <= shared)
            return;
        t->depths--;
        t->bytes += node(rules, t->depth[t->depths].ways, t->depth[t->depths].ways);
        below = t->depth[t->depths].at;
    }
}

void
memory_radix_add(struct memory_radix *t, const struct memory_rules *rules, struct stream_id id)
{
    uint8_t key[STREAM_ID_BYTES];
    int shared = 0;

    stream_id_store(key, id);
    if (t->keys > 0) {
        while (shared < STREAM_ID_BYTES && key[shared] == t->last[shared])
            shared++;
        if (shared == STREAM_ID_BYTES) /* twice: the same leaf */
            return;
        settle(t, rules, shared);
        if (t->depths > 0 && t->depth[t->depths - 1].at == shared) {
            t->depth[t->depths - 1].ways++;
        } else {
            t->depth[t->depths].at = shared;
            t->depth[t->depths++].ways = 2;
        }
    }
    t->keys++;
    memcpy(t->last, key, sizeof key);
}

uint64_t
memory_radix_end(struct memory_radix *t, const struct memory_rules *rules)
{
    uint64_t bytes;

    if (t->keys > 0)
        settle(t, rules, -1);
    else
        t->bytes = node(rules, 0, 0);
    bytes = t->bytes + memory_block(rules, MEMORY_RADIX_TREE);
    *t = (struct memory_radix){0};
    return bytes;
}

uint64_t
memory_radix_leaf(const struct memory_rules *rules, uint64_t len)
{
    return node(rules, 0, 1) + stretch(rules, 0, len < INT32_MAX ? (int)len : INT32_MAX);
}
