/* tool/keys/facts.h - what is known of a key when all of its value has been read.
 * Threads: one. */
#ifndef TOOL_KEYS_FACTS_H
#define TOOL_KEYS_FACTS_H

#include "snapshot/rdb/rdb_dec.h"

struct key_facts {
    const struct rdb_key *key;
    enum rdb_form form;
    const char *encoding;     /* what OBJECT ENCODING of Redis 7.2 says when it has loaded it */
    uint64_t elements;        /* entries of a stream; 1 of a string */
    uint64_t value_bytes;     /* of its contents: a string's bytes, fields and values, members */
    uint64_t largest_bytes;   /* of its largest element: a field and its value together */
    uint64_t record_bytes;    /* in the RDB: from its attributes to its value's end */
    uint64_t expiring_fields; /* of a hash */
};

#endif
