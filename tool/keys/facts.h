/* tool/keys/facts.h - what is known of a key when all of its value has been read.
 * Threads: one; the names [any]. */
#ifndef TOOL_KEYS_FACTS_H
#define TOOL_KEYS_FACTS_H

#include "snapshot/rdb/rdb_dec.h"

enum key_encoding {
    KEY_INT,
    KEY_EMBSTR,
    KEY_RAW,
    KEY_LISTPACK,
    KEY_QUICKLIST,
    KEY_INTSET,
    KEY_HASHTABLE,
    KEY_SKIPLIST,
    KEY_STREAM,
    KEY_LISTPACKEX, /* of a small hash with fields that expire, as Redis 7.4 says of it */
    KEY_ENCODINGS
};

/* By enum key_encoding, and by enum rdb_value_kind, as TYPE says. */
extern const char *const key_encoding_names[KEY_ENCODINGS];
extern const char *const key_kind_names[RDB_VALUE_COUNT];

struct key_facts {
    const struct rdb_key *key;
    enum rdb_form form; /* of the string that the value is, or stands in; else plain */
    enum key_encoding encoding_number;
    /* What OBJECT ENCODING of Redis 7.2 says when it has loaded it with a standard configuration;
     * one of key_encoding_names. */
    const char *encoding;
    uint64_t elements;        /* entries of a stream; 1 of a string */
    uint64_t value_bytes;     /* of its contents: a string's bytes, fields and values, members */
    uint64_t largest_bytes;   /* of its largest element: a field and its value together; an entry */
    uint64_t record_bytes;    /* in the RDB: from its attributes to its value's end */
    uint64_t expiring_fields; /* of a hash */
};

#endif
