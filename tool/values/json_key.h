/* tool/values/json_key.h - a key and its value as a JSON object, in one pass, whatever its size.
 *
 *     {"db":0,"key":"k","type":"hash","expire_at_ms":N,"idle_s":N,"freq":N,"value":...,
 *      "field_expire_at_ms":{...}}
 *
 * What a key has not is not there.  A key that no server keeps, since it has no element, is not
 * written.  Values: docs/stillframe-rdb.md.
 * Threads: one. */
#ifndef TOOL_VALUES_JSON_KEY_H
#define TOOL_VALUES_JSON_KEY_H

#include "tool/values/json.h"
#include "tool/values/values.h"

/* A command's ctx begins with this. */
struct json_keys {
    struct values values; /* first; with json_key_events */
    struct tool_out *out;
    enum binary binary;
    const char *before; /* put before each key but the first */
    const char *after;  /* put after each key */
    const char *file;   /* NULL, or each key says of which file it is */
    uint64_t keys;      /* written so far; who begins a new list sets it to 0 */

    struct pieces pieces;     /* of a value that is a string */
    bool in_pieces;           /* the one in hand is one that comes in pieces */
    struct tool_out expiries; /* a hash's fields that expire, kept until its end */
    uint64_t expiring;        /* how many they are */
    /* written so far, of the stream, entry, group, consumer in hand */
    uint64_t fields, groups, consumers, pending;
};
extern const struct value_events json_key_events;

/* json_keys_open: zeroed, but for out, binary, before, after, file.  TOOL_OK or, reported,
 * TOOL_INVALID.
 * json_keys_close: TOOL_OK or, reported, TOOL_INVALID: what had to be kept could not be, and what
 * was written is not whole. */
int json_keys_open(struct json_keys *j);
int json_keys_close(struct json_keys *j);
/* value_kind_name: "string", "list", "set", "zset", "hash", "stream". */
const char *value_kind_name(enum rdb_value_kind kind);

#endif
