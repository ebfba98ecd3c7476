/* tool/diff/parts.h - a value as a number of parts, each with a name and contents: what two values
 * of any kind are compared by.
 *
 *     string   one, without a name       list     its elements, in their order
 *     hash     fields and their values   set      members, without contents
 *     zset     members and their scores  stream   entries by id, its counters, groups, consumers,
 *                                                 and what is pending
 *
 * When a consumer was seen and an entry delivered is no part: that is of the clock, as idle times
 * are.
 * Threads: one at a time. */
#ifndef TOOL_DIFF_PARTS_H
#define TOOL_DIFF_PARTS_H

#include "tool/values/values.h"

enum part_kind {
    PART_VALUE,
    PART_ELEMENT,
    PART_FIELD,
    PART_MEMBER,
    PART_SCORE,
    PART_ENTRY,
    PART_COUNTERS,
    PART_GROUP,
    PART_CONSUMER,
    PART_PENDING,
    PART_KINDS
};

struct part {
    enum part_kind kind;
    struct slice name;
    struct slice within;  /* of a consumer, its group; of what is pending, its consumer */
    uint64_t scope;       /* apart from others of that name: of `within`, of what that is in */
    uint64_t sum;         /* of all its contents */
    struct slice value;   /* of its contents what has room, where parts.with_text */
    uint64_t value_bytes; /* of all of them */
    double score;
    int64_t expire_at_ms; /* of a field; -1: never */
};

enum { PART_TEXT_BYTES = 1024 };

/* A user's ctx begins with this. */
struct parts {
    struct values values; /* first */
    int (*begin)(struct parts *p, const struct rdb_key *key);
    int (*part)(struct parts *p, const struct part *part);
    int (*end)(struct parts *p);
    bool with_text; /* contents are wanted as text, too */
    struct part now;
    struct parts_state *state; /* [owned] its own */
};

/* parts_init: 0 or -ENOMEM; values.events is set. */
int parts_init(struct parts *p);
void parts_fini(struct parts *p);
struct rdb_events parts_rdb_events(void);
/* part_mark: 64 bits of its kind, scope and name; another seed: other bits. */
uint64_t part_mark(const struct part *part, uint64_t seed);
const char *part_kind_name(enum part_kind kind);

#endif
