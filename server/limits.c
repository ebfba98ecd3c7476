/* server/limits.c - one line for each limit.
 *
 * They are copied as a whole when a change has been taken, not one by one while it is tried
 * (config_on_change()): none of them can refuse, and a change that is refused never comes here. */
#include "server/limits.h"

#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/dump.h"
#include "server/data/db/lfu.h"
#include "server/data/db/load.h"
#include "server/data/hash/hash.h"
#include "server/data/list/list.h"
#include "server/data/set/set.h"
#include "server/data/stream/stream.h"
#include "server/data/zset/zset.h"
#include "snapshot/rdb/rdb_enc.h"

static void
hand_down(void)
{
    db_state.policy = (unsigned)config.maxmemory_policy;
    db_state.is_bounded = config.maxmemory != 0;
    load_any_version = config.rdb_version_check == VERSION_RELAXED;
    dump_compresses = config.rdb_compression != RDB_PLAIN;
    lfu_rates = (struct lfu_rates){
        .log_factor = (uint64_t)config.lfu_log_factor,
        .decay_minutes = config.lfu_decay_time,
    };
    hash_limits = (struct hash_limits){
        .listpack_pairs = (uint64_t)config.hash_max_listpack_entries,
        .listpack_word_bytes = config.hash_max_listpack_value,
    };
    list_limits.listpack_size = config.list_max_listpack_size;
    set_limits = (struct set_limits){
        .intset_members = (uint64_t)config.set_max_intset_entries,
        .listpack_members = (uint64_t)config.set_max_listpack_entries,
        .listpack_member_bytes = (uint64_t)config.set_max_listpack_value,
    };
    stream_limits = (struct stream_limits){
        .node_bytes = config.stream_node_max_bytes,
        .node_entries = (uint64_t)config.stream_node_max_entries,
    };
    zset_limits = (struct zset_limits){
        .listpack_members = (uint64_t)config.zset_max_listpack_entries,
        .listpack_member_bytes = config.zset_max_listpack_value,
    };
}

void
limits_init(void)
{
    config_after_change(hand_down);
    hand_down();
}
