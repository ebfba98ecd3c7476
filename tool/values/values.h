/* tool/values/values.h - a value, element by element, whatever form it has in the file.
 *
 * The decoder tells of listpacks, intsets, nodes and plain forms as they stand there; whoever
 * prints or compares contents wants elements.  values_rdb_events() goes between the two.
 * Threads: one. */
#ifndef TOOL_VALUES_VALUES_H
#define TOOL_VALUES_VALUES_H

#include "tool/keys/walk.h"

/* Any call may be NULL; one that returns non-zero ends the walk with it.  Slices are good during
 * the call.  Of each key: key, then by kind
 *     string_begin string_bytes* | element* | member* | field* | scored*
 *     stream_begin (entry (entry_field)* entry_end)* stream_facts (group (consumer pending*)*)*
 * then end.  A string in one piece comes as `string` instead if that is there.  Elements of lists
 * in their order, of sorted sets and others in the file's. */
struct value_events {
    int (*key)(void *ctx, const struct rdb_key *key);
    int (*string)(void *ctx, struct slice value);
    int (*string_begin)(void *ctx, uint64_t len);
    int (*string_bytes)(void *ctx, struct slice piece);
    int (*element)(void *ctx, struct slice element);
    int (*member)(void *ctx, struct slice member);
    int (*field)(void *ctx, struct slice field, struct slice value,
                 int64_t expire_at_ms); /* -1: never */
    int (*scored)(void *ctx, struct slice member, double score);
    int (*entry)(void *ctx, struct stream_id id, uint64_t fields);
    int (*entry_field)(void *ctx, struct slice field, struct slice value);
    int (*entry_end)(void *ctx);
    int (*stream_facts)(void *ctx, const struct rdb_stream *facts);
    int (*group)(void *ctx, const struct rdb_stream_group *group);
    int (*consumer)(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms);
    int (*pending)(void *ctx, const struct rdb_stream_pending *pending);
    int (*end)(void *ctx);
};

/* A command's ctx begins with this (and so with a struct walk). */
struct values {
    struct walk walk;                  /* first */
    const struct value_events *events; /* those of values_rdb_events(): the command sets it */
    struct rdb_key key;                /* in hand; its name is good until `end` has returned */
    uint64_t elements;                 /* told so far: elements, members, fields, entries */
    uint64_t string_len;               /* of a string that is a value */
    bool is_string_held;               /* it may come in one piece: string_begin was not told yet */
    char scratch[64];                  /* an integer's digits */
};

/* values_rdb_events: for struct walk_events; a command adds what it wants beside (start, aux
 * ...).  What `events` has not is not taken out of the forms that hold it. */
struct rdb_events values_rdb_events(const struct value_events *events);

#endif
