/* tool/diff/show.h - what differs, for people (text), or for programs (CSV, JSON).
 * Threads: one. */
#ifndef TOOL_DIFF_SHOW_H
#define TOOL_DIFF_SHOW_H

#include "tool/base/out.h"
#include "tool/diff/inner.h"

/* Keys, by the kind that A has, or of added ones B. */
struct show_counts {
    uint64_t same[RDB_VALUE_COUNT];
    uint64_t keys[INNER_WHATS][RDB_VALUE_COUNT];
    uint64_t expiry_only[RDB_VALUE_COUNT]; /* of those that are INNER_CHANGED */
};
uint64_t show_sum(const uint64_t of[RDB_VALUE_COUNT]);

/* A key that differs.  a NULL: ADDED; b NULL: REMOVED.  changes: of its parts. */
struct show_key {
    enum inner_what what;
    struct slice name;
    const struct inner_key *a, *b;
    uint64_t changes[INNER_WHATS];
};

struct show {
    struct tool_out *out;
    const struct show_form *form;
    const struct side *a, *b;
    const struct show_counts *counts;
    double share; /* of all keys: 1, but with --sample */
    bool color;
    bool is_full;               /* everything, and texts as long as they were kept */
    uint64_t keys_most;         /* of each kind of difference */
    uint64_t parts_most;        /* of each key */
    const struct show_key *key; /* in hand */
    bool has_key, has_part;     /* one was written */
};

/* Calls in this order: begin (section (key change* key_end)*)* end. */
struct show_form {
    void (*begin)(struct show *s);
    void (*section)(struct show *s, enum inner_what what, uint64_t keys);
    void (*key)(struct show *s, const struct show_key *k);
    int (*change)(void *show, const struct inner_change *c); /* 0 */
    void (*key_end)(struct show *s, uint64_t left_out);      /* so many changes were not told */
    void (*end)(struct show *s);
};
extern const struct show_form show_text, show_csv, show_json;

const char *show_kind_name(enum rdb_value_kind kind);
extern const char *const show_what_names[INNER_WHATS];

#endif
