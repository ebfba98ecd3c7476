/* tool/memory/prefixes.h - keys by what their names begin with, in memory that does not grow.
 *
 * A prefix of level 1 ends with the first separator of a name, one of level 2 with the second: a
 * tree, of which every node has the sums of all keys below it.  A pattern makes one level alone, of
 * what it captures.  There are more prefixes than there is room for where names have numbers in
 * them; then the half of the leaves that need least memory is folded: taken out, with its sums in
 * its parents' `folded`.  The parents' own sums stay exact.  A prefix that comes again after that
 * begins anew: its sums are too small, by no more than `missed_most` bytes of memory.
 * Threads: one. */
#ifndef TOOL_MEMORY_PREFIXES_H
#define TOOL_MEMORY_PREFIXES_H

#include <regex.h>

#include "tool/memory/sums.h"

enum {
    MEMORY_PREFIXES_MOST = 16384,
    MEMORY_PREFIX_BYTES_MOST = 256, /* a longer one is none */
    MEMORY_DEPTH_MOST = 16
};

struct memory_prefix {
    struct memory_sums sums;
    uint32_t sizes[MEMORY_BUCKETS]; /* keys by their memory */
    uint64_t hash;
    char *name; /* [owned] */
    uint32_t len, level, parent, children;
    uint64_t folded, folded_keys, folded_memory; /* prefixes right below that were taken out */
    uint64_t folded_most, missed_most;           /* see above; folded_most: of one of them */
    uint32_t first;                              /* of its children, in `order`, when all is in */
};

struct memory_prefixes {
    struct memory_prefix *at; /* [owned, most] 0: of every key */
    uint32_t count, most, depth;
    uint32_t *slots; /* [owned, slot_mask + 1] indices, by hash; 0: free */
    uint32_t slot_mask;
    uint32_t *
        order; /* [owned, most] after memory_prefixes_end(): children side by side, largest first */
    struct slice separator;
    regex_t pattern;
    bool has_pattern;
};

/* memory_prefixes_init: no more than `most` of them.  0; -ENOMEM. */
int memory_prefixes_init(struct memory_prefixes *p, struct slice separator, uint32_t depth,
                         uint32_t most);
/* memory_prefixes_pattern: instead of a separator.  0, or regcomp()'s error. */
int memory_prefixes_pattern(struct memory_prefixes *p, const char *pattern);
/* memory_prefixes_add: 0; -ENOMEM: the key is counted, but not by its prefix. */
int memory_prefixes_add(struct memory_prefixes *p, const struct memory_key *k);
/* memory_prefixes_end: no more come. */
void memory_prefixes_end(struct memory_prefixes *p);
/* memory_prefixes_child: the i-th of its `children`. */
const struct memory_prefix *memory_prefixes_child(const struct memory_prefixes *p,
                                                  const struct memory_prefix *of, uint32_t i);
void memory_prefixes_fini(struct memory_prefixes *p);

#endif
