/* tests/support/lab_impl.h - the digest of a dump: what lab.c and the types' lab_*.c share. */
#ifndef TESTS_SUPPORT_LAB_IMPL_H
#define TESTS_SUPPORT_LAB_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/rdb/rdb_dec.h"
#include "tests/support/lab.h"

struct digest_state {
    struct lab_digest d;
    uint64_t key, value; /* of the key being read */
};

uint64_t lab_mix(uint64_t h, const void *bytes, size_t len);
uint64_t lab_mix_int(uint64_t h, uint64_t v);

/* The decoder's calls, by type; the context is a struct digest_state. */
int lab_zset_listpack(void *ctx, struct slice listpack, uint32_t members);
int lab_zset_member(void *ctx, struct slice member, double score);
int lab_set_intset(void *ctx, struct slice intset, uint32_t members);
int lab_set_listpack(void *ctx, struct slice listpack, uint32_t members);
int lab_set_member(void *ctx, struct slice member);
int lab_stream_node(void *ctx, struct stream_id id, struct slice listpack,
                    const struct stream_node_sum *sum);
int lab_stream_facts(void *ctx, const struct rdb_stream *facts);
int lab_stream_group(void *ctx, const struct rdb_stream_group *group);
int lab_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms);
int lab_stream_pending(void *ctx, const struct rdb_stream_pending *pending);

/* lab_list.c: order counts, how elements are cut into nodes does not. */
int lab_list_begin(void *ctx);
int lab_list_element(void *ctx, struct slice element);
int lab_list_listpack(void *ctx, struct slice listpack, uint32_t elements);

#endif
