/* tool/memory/prefixes.c - the tree of prefixes. */
#include "tool/memory/prefixes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/keyhash.h"
#include "mm/base/must.h"

int
memory_prefixes_init(struct memory_prefixes *p, struct slice separator, uint32_t depth,
                     uint32_t most)
{
    static char no_name[1];
    uint32_t slots = 16;

    while (slots < 2 * most)
        slots *= 2;
    *p = (struct memory_prefixes){
        .count = 1, .most = most, .depth = depth, .separator = separator, .slot_mask = slots - 1};
    must(most > 2 * depth && separator.len > 0);
    p->at = calloc(most, sizeof *p->at);
    p->slots = calloc(slots, sizeof *p->slots);
    p->order = calloc(most, sizeof *p->order);
    if (p->at != NULL && p->slots != NULL && p->order != NULL) {
        p->at[0].name = no_name;
        return 0;
    }
    memory_prefixes_fini(p);
    return -ENOMEM;
}

int
memory_prefixes_pattern(struct memory_prefixes *p, const char *pattern)
{
    int r = regcomp(&p->pattern, pattern, REG_EXTENDED);

    p->has_pattern = r == 0;
    return r;
}

void
memory_prefixes_fini(struct memory_prefixes *p)
{
    for (uint32_t i = 1; p->at != NULL && i < p->count; i++)
        free(p->at[i].name);
    free(p->at);
    free(p->slots);
    free(p->order);
    if (p->has_pattern)
        regfree(&p->pattern);
    *p = (struct memory_prefixes){0};
}

static void
add_to(struct memory_prefix *n, const struct memory_key *k)
{
    memory_sums_add(&n->sums, k);
    n->sizes[memory_bucket(k->memory)]++;
}

/* slot_of: of this prefix, or the free one where it would be. */
static uint32_t *
slot_of(const struct memory_prefixes *p, uint64_t hash, struct slice name)
{
    for (uint32_t i = (uint32_t)hash & p->slot_mask;; i = (i + 1) & p->slot_mask) {
        const struct memory_prefix *n = &p->at[p->slots[i]];

        if (p->slots[i] == 0 ||
            (n->hash == hash && n->len == name.len && memcmp(n->name, name.ptr, name.len) == 0))
            return &p->slots[i];
    }
}

/* child: the prefix `name`, right below `parent`; 0: no memory. */
static uint32_t
child(struct memory_prefixes *p, uint32_t parent, struct slice name)
{
    uint64_t hash = keyhash(name);
    uint32_t *slot = slot_of(p, hash, name), i = p->count;
    struct memory_prefix *n = &p->at[i];

    if (*slot != 0)
        return *slot;
    must(i < p->most); /* make_room() */
    *n = (struct memory_prefix){.hash = hash,
                                .name = malloc(name.len + 1),
                                .len = (uint32_t)name.len,
                                .level = p->at[parent].level + 1,
                                .parent = parent,
                                .missed_most = p->at[parent].folded_most};
    if (n->name == NULL)
        return 0;
    memcpy(n->name, name.ptr, name.len);
    n->name[name.len] = '\0';
    p->at[parent].children++;
    p->count++;
    return *slot = i;
}

/* ---- folding ---- */

static void
fold_leaf(struct memory_prefixes *p, struct memory_prefix *n)
{
    struct memory_prefix *parent = &p->at[n->parent];
    uint64_t most = n->sums.memory + n->missed_most;

    parent->children--;
    parent->folded++;
    parent->folded_keys += n->sums.keys;
    parent->folded_memory += n->sums.memory;
    if (most > parent->folded_most)
        parent->folded_most = most;
    free(n->name);
    n->name = NULL;
}

/* close_gaps: of those that were folded.  A parent stands before its children, always. */
static void
close_gaps(struct memory_prefixes *p)
{
    uint32_t *moved = p->order, kept = 1; /* where a prefix went; order is not used until the end */

    moved[0] = 0;
    memset(p->slots, 0, ((size_t)p->slot_mask + 1) * sizeof *p->slots);
    for (uint32_t i = 1; i < p->count; i++) {
        struct memory_prefix *n = &p->at[i];

        if (n->name == NULL)
            continue;
        n->parent = moved[n->parent];
        p->at[kept] = *n;
        *slot_of(p, n->hash, slice_of(n->name, n->len)) = kept;
        moved[i] = kept++;
    }
    p->count = kept;
}

/* make_room: for a key's prefixes.  Leaves are told apart by the power of two of their memory, and
 * the oldest first where that is the same. */
static void
make_room(struct memory_prefixes *p)
{
    uint32_t by_size[65] = {0}, leaves = 0, wanted, below = 0;
    unsigned limit = 0;

    if (p->count + p->depth <= p->most)
        return;
    for (uint32_t i = 1; i < p->count; i++)
        if (p->at[i].children == 0) {
            by_size[64 - __builtin_clzll(p->at[i].sums.memory | 1)]++;
            leaves++;
        }
    wanted = (leaves + 1) / 2;
    while (below + by_size[limit] < wanted)
        below += by_size[limit++];
    for (uint32_t i = 1, rest = wanted - below; i < p->count; i++) {
        struct memory_prefix *n = &p->at[i];
        unsigned size = 64 - (unsigned)__builtin_clzll(n->sums.memory | 1);

        if (n->children == 0 && (size < limit || (size == limit && rest > 0))) {
            rest -= size == limit;
            fold_leaf(p, n);
        }
    }
    close_gaps(p);
}

/* ---- a key ---- */

/* add_by_pattern: as far as the first NAME_SEARCHED bytes of a name are searched; a copy, since
 * names have no end that regexec() would know. */
static int
add_by_pattern(struct memory_prefixes *p, const struct memory_key *k)
{
    enum { NAME_SEARCHED = 4095 };
    struct slice name = k->facts->key->name;
    char text[NAME_SEARCHED + 1];
    regmatch_t m[2] = {{.rm_so = 0}};
    uint32_t i;

    if (name.len > NAME_SEARCHED)
        name.len = NAME_SEARCHED;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    m[0].rm_eo = (regoff_t)name.len; /* there may be NULs before */
    if (regexec(&p->pattern, text, 2, m, REG_STARTEND) != 0)
        return 0;
    if (m[1].rm_so < 0)
        m[1] = m[0];
    name = slice_of(text + m[1].rm_so, (size_t)(m[1].rm_eo - m[1].rm_so));
    if (name.len > MEMORY_PREFIX_BYTES_MOST)
        return 0;
    if ((i = child(p, 0, name)) == 0)
        return -ENOMEM;
    add_to(&p->at[i], k);
    return 0;
}

/* next_end: where the prefix ends that goes on from `from`; 0: there is none. */
static size_t
next_end(struct slice name, struct slice separator, size_t from)
{
    const char *found =
        separator.len == 1 ? memchr(name.ptr + from, *separator.ptr, name.len - from)
                           : memmem(name.ptr + from, name.len - from, separator.ptr, separator.len);

    return found == NULL ? 0 : (size_t)(found - name.ptr) + separator.len;
}

int
memory_prefixes_add(struct memory_prefixes *p, const struct memory_key *k)
{
    struct slice name = k->facts->key->name;
    uint32_t at = 0;
    size_t end = 0;

    add_to(&p->at[0], k);
    make_room(p);
    if (p->has_pattern)
        return add_by_pattern(p, k);
    if (name.len > MEMORY_PREFIX_BYTES_MOST)
        name.len = MEMORY_PREFIX_BYTES_MOST;
    for (uint32_t level = 0; level < p->depth; level++) {
        if ((end = next_end(name, p->separator, end)) == 0)
            return 0;
        if ((at = child(p, at, slice_of(name.ptr, end))) == 0)
            return -ENOMEM;
        add_to(&p->at[at], k);
    }
    return 0;
}

/* ---- when all is in ---- */

static int
by_parent(const void *a, const void *b, void *ctx)
{
    const struct memory_prefixes *p = ctx;
    const struct memory_prefix *x = &p->at[*(const uint32_t *)a], *y = &p->at[*(const uint32_t *)b];

    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    if (x->sums.memory != y->sums.memory)
        return x->sums.memory > y->sums.memory ? -1 : 1;
    return x < y ? -1 : x > y;
}

void
memory_prefixes_end(struct memory_prefixes *p)
{
    for (uint32_t i = 0; i < p->count - 1; i++)
        p->order[i] = i + 1;
    qsort_r(p->order, p->count - 1, sizeof *p->order, by_parent, p);
    for (uint32_t i = p->count - 1; i-- > 0;)
        p->at[p->at[p->order[i]].parent].first = i;
}

const struct memory_prefix *
memory_prefixes_child(const struct memory_prefixes *p, const struct memory_prefix *of, uint32_t i)
{
    must(i < of->children);
    return &p->at[p->order[of->first + i]];
}
