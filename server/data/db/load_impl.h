/* server/data/db/load_impl.h - what load.c and the types' load_*.c share.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_LOAD_IMPL_H
#define SERVER_DATA_DB_LOAD_IMPL_H

#include "server/data/db/load.h"

/* load_reserve: room for so many bytes in all.  load_add: append.  0 or -ENOMEM */
int load_reserve(struct load_buffer *b, size_t room);
int load_add(struct load_buffer *b, const void *bytes, size_t len);
/* load_complain: note what is wrong, and with which key; returns error. */
int load_complain(struct load_state *s, int error, const char *what);

/* load_begin_blob: the value is collected in s->bytes (which is empty).  load_begin_root: it is
 * this structure, which now belongs to s (NULL: -ENOMEM); a blob that was begun is forgotten by the
 * caller. */
void load_begin_blob(struct load_state *s, enum value_type type);
int load_begin_root(struct load_state *s, enum value_type type, const void *root);

/* load_take: the value that was read is the caller's; inline bytes stand in s until load_fini().  0
 * or -errno
 */
int load_take(struct load_state *s, struct value *ret);

/* The decoder's calls, by type: each begins with   if (s->skip) return 0;   The context is a struct
 * load_state. */
int load_hash_listpack(void *ctx, struct rdb_slice listpack, uint32_t fields);
int load_hash_begin(void *ctx, uint64_t fields);
int load_list_begin(void *ctx);
int load_list_element(void *ctx, struct rdb_slice element);
int load_list_listpack(void *ctx, struct rdb_slice listpack, uint32_t elements);
int load_list_end(void *ctx);
int load_hash_field(void *ctx, struct rdb_slice field, struct rdb_slice value);
int load_set_intset(void *ctx, struct rdb_slice intset, uint32_t members);
int load_set_listpack(void *ctx, struct rdb_slice listpack, uint32_t members);
int load_set_begin(void *ctx, uint64_t members);
int load_set_member(void *ctx, struct rdb_slice member);
int load_zset_listpack(void *ctx, struct rdb_slice listpack, uint32_t members);
int load_zset_begin(void *ctx, uint64_t members);
int load_zset_member(void *ctx, struct rdb_slice member, double score);
int load_stream_begin(void *ctx, uint64_t nodes);
int load_stream_node(void *ctx, struct stream_id id, struct rdb_slice listpack,
                     const struct stream_node_sum *sum);
int load_stream_facts(void *ctx, const struct rdb_stream *facts);
int load_stream_group(void *ctx, const struct rdb_stream_group *group);
int load_stream_consumer(void *ctx, struct rdb_slice name, int64_t seen_ms, int64_t active_ms);
int load_stream_pending(void *ctx, const struct rdb_stream_pending *pending);

#endif
