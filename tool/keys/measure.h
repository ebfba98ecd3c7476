/* tool/keys/measure.h - a value's facts, from the decoder's events.  Its memory is fixed.
 * Threads: one. */
#ifndef TOOL_KEYS_MEASURE_H
#define TOOL_KEYS_MEASURE_H

#include "tool/keys/facts.h"

enum { MEASURE_INT_TEXT = 20 }; /* the longest text of a string that is an integer */

struct measure {
    struct key_facts facts;
    uint64_t longest; /* the longest string in the value: a field, a value, a member */
    bool all_ints;    /* of a plain set: its members are */
    /* of a list: what becomes its first node, as a listpack; and whether one is not all */
    uint64_t node_bytes;
    uint64_t nodes;
    bool has_plain_node, is_node_begun;
    /* a string that could be an integer, piece by piece */
    char text[MEASURE_INT_TEXT];
    unsigned text_len;
};

/* measure_begin: a key, before its value.  measure_end: behind it; end: the offset there.
 * measure_plain: both at once, of a string. */
void measure_begin(struct measure *m, const struct rdb_key *key);
void measure_end(struct measure *m, uint64_t end);
void measure_plain(struct measure *m, const struct rdb_key *key, struct slice value, uint64_t end);

/* Events of values. */
void measure_form(struct measure *m, enum rdb_form form);
/* measure_string_begin: 0, or RDB_SKIP_VALUE: nobody asks for the bytes. */
int measure_string_begin(struct measure *m, uint64_t len);
void measure_string_bytes(struct measure *m, struct slice piece);
void measure_list_ziplist(struct measure *m); /* before its elements */
void measure_list_element(struct measure *m, struct slice element);
void measure_list_listpack(struct measure *m, struct slice lp);
void measure_hash_field(struct measure *m, struct slice field, struct slice value);
/* measure_pairs: a listpack of fields and values; measure_scored: of members and scores;
 * measure_members: of members. */
void measure_pairs(struct measure *m, struct slice lp);
void measure_scored(struct measure *m, struct slice lp);
void measure_members(struct measure *m, struct slice lp);
void measure_intset(struct measure *m, struct slice intset, uint32_t members);
void measure_member(struct measure *m, struct slice member);
void measure_zset_member(struct measure *m, struct slice member);
void measure_stream_node(struct measure *m, struct stream_id id, struct slice lp);

#endif
