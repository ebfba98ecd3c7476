/* tool/convert/convert_impl.h - what the files of a conversion share: its state.
 *
 * A key is copied as it stands in the file (the event `raw`), or written anew from the decoder's
 * other events.  Functions that take a ctx are such events; the ctx is a struct convert.
 * Threads: one. */
#ifndef TOOL_CONVERT_CONVERT_IMPL_H
#define TOOL_CONVERT_CONVERT_IMPL_H

#include "snapshot/rdb/rdb_enc.h"
#include "tool/convert/hold.h"
#include "tool/convert/merge.h"
#include "tool/convert/output.h"
#include "tool/convert/plan.h"
#include "tool/convert/target.h"
#include "tool/keys/walk.h"

/* What is known of a stream, or a hash whose fields may expire, on its way through the holds. */
struct recode_stream {
    struct hold groups;    /* that are complete */
    struct hold consumers; /* of the group in hand, that are complete */
    struct hold ids;       /* of the consumer in hand */
    struct sort pending;   /* of the group in hand */
    uint64_t node_count, group_count, consumer_count, id_count;
    bool in_group, in_consumer;
    struct stream_id first; /* of its entries */
    struct rdb_stream facts;
};

enum { RECODE_PENDING_BYTES = 32 }; /* of what is sorted of a pending entry */

struct recode {
    struct hold body; /* of the value in hand: what a number stands before */
    struct hold more; /* of a hash: each field's expiry, and its bytes in the body */
    struct recode_stream stream;
    bool has_head;        /* its attributes, type and name are written */
    bool is_held;         /* a string or hash is in the body */
    uint64_t begun, told; /* elements that it claims, and has had so far; bytes of a string */
    int64_t smallest_ms;  /* of a hash's expiry times; INT64_MAX: none */
};

struct library {
    struct field_mark name, code;
};

struct convert {
    struct walk walk; /* first */
    const struct plan *plan;
    const struct tool_options *options;
    int version, from;  /* of what is written; of the file in hand */
    bool holds_all;     /* that version has a place for all that can be in the files */
    uint64_t db;        /* of the keys that follow, as the file has it */
    struct rdb_enc enc; /* its `out` is what is being written to */
    struct output output;
    struct part *part;         /* of the key in hand */
    struct rdb_key key;        /* in hand; its database as it is written */
    bool is_raw;               /* it is copied */
    bool is_left_out;          /* nothing of it is written */
    bool has_lzf;              /* a string of this file was packed */
    unsigned file, files;      /* number of the input */
    uint64_t ordinal;          /* of the key in hand among the selected ones of its file */
    uint64_t size_part;        /* SPLIT_SIZE: the number of the part in hand */
    bool is_past_head;         /* of the file: a key has come */
    bool head_only;            /* a pass for AUX fields and function libraries alone */
    unsigned heads_read;       /* of files before */
    bool is_whole;             /* all keys of one file go into one file */
    struct library *libraries; /* [owned] that were written */
    unsigned library_count;
    struct merge merge;
    struct recode recode;
    uint64_t losses[LOSSES], findings;
    unsigned named; /* of keys that clash */
};

/* recode.c: keys that are written anew. */
int recode_open(struct recode *r);
void recode_close(struct recode *r);
/* recode_key: a key begins.  recode_end: its value has ended: all of it is written. */
void recode_key(struct convert *c);
int recode_end(struct convert *c);
/* recode_head: attributes, type and name are written, and the value follows. */
void recode_head(struct convert *c, uint8_t type);
/* recode_fail: decoding ends with this reason. */
int recode_fail(struct convert *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* recode_held: what a hold's or a sort's call said: 0, or the end with that reason. */
int recode_held(struct convert *c, int error);
/* recode_lose: one more of what the version has no place for: 0; or the end of it all, if that is
 * data and --lossy was not given: what: "the field "x" expires". */
int recode_lose(struct convert *c, enum loss kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int recode_string_begin(void *ctx, uint64_t len);
int recode_string_bytes(void *ctx, struct slice piece);
int recode_list_begin(void *ctx);
int recode_list_element(void *ctx, struct slice element);
int recode_list_listpack(void *ctx, struct slice listpack, uint32_t elements);
int recode_list_end(void *ctx);
int recode_set_intset(void *ctx, struct slice intset, uint32_t members);
int recode_set_listpack(void *ctx, struct slice listpack, uint32_t members);
int recode_set_begin(void *ctx, uint64_t members);
int recode_set_member(void *ctx, struct slice member);
int recode_zset_listpack(void *ctx, struct slice listpack, uint32_t members);
int recode_zset_begin(void *ctx, uint64_t members);
int recode_zset_member(void *ctx, struct slice member, double score);

/* recode_hash.c */
int recode_hash_listpack(void *ctx, struct slice listpack, uint32_t fields);
int recode_hash_begin(void *ctx, uint64_t fields);
int recode_hash_field(void *ctx, struct slice field, struct slice value);
int recode_hash_field_expiring(void *ctx, struct slice field, struct slice value,
                               int64_t expire_at_ms);
int recode_hash_end(struct convert *c);

/* recode_stream.c */
int recode_stream_begin(void *ctx, uint64_t nodes);
int recode_stream_node(void *ctx, struct stream_id id, struct slice listpack,
                       const struct stream_node_sum *sum);
int recode_stream_facts(void *ctx, const struct rdb_stream *facts);
int recode_stream_group(void *ctx, const struct rdb_stream_group *group);
int recode_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms);
int recode_stream_pending(void *ctx, const struct rdb_stream_pending *pending);
int recode_stream_end(struct convert *c);

#endif
