/* tool/convert/target.c - what each version has a place for. */
#include "tool/convert/target.h"

const struct loss_kind loss_kinds[LOSSES] = {
#define LOSS(name, is_data, what) [LOSS_##name] = {is_data, what},
#include "tool/convert/loss.def"
#undef LOSS
};

/* Since when types are read that mean the same in all families; 0: never written by anybody. */
static const uint8_t since[] = {
    [RDB_TYPE_STRING] = 1,         [RDB_TYPE_LIST] = 1,           [RDB_TYPE_SET] = 1,
    [RDB_TYPE_ZSET] = 1,           [RDB_TYPE_HASH] = 1,           [RDB_TYPE_ZSET_2] = 8,
    [RDB_TYPE_MODULE_1] = 8,       [RDB_TYPE_MODULE] = 8,         [RDB_TYPE_HASH_ZIPMAP] = 2,
    [RDB_TYPE_LIST_ZIPLIST] = 2,   [RDB_TYPE_SET_INTSET] = 2,     [RDB_TYPE_ZSET_ZIPLIST] = 2,
    [RDB_TYPE_HASH_ZIPLIST] = 4,   [RDB_TYPE_LIST_QUICKLIST] = 7, [RDB_TYPE_STREAM] = 9,
    [RDB_TYPE_HASH_LISTPACK] = 10, [RDB_TYPE_ZSET_LISTPACK] = 10, [RDB_TYPE_LIST_QUICKLIST_2] = 10,
    [RDB_TYPE_STREAM_2] = 10,      [RDB_TYPE_SET_LISTPACK] = 11,  [RDB_TYPE_STREAM_3] = 11,
};

static bool
is_valkey(int version)
{
    return version >= RDB_VERSION_VALKEY;
}

bool
target_is_version(uint64_t version)
{
    return (version >= TARGET_LEAST && version <= RDB_VERSION_MAX) || version == RDB_VERSION_VALKEY;
}

int
target_nearest(int version)
{
    return is_valkey(version)          ? RDB_VERSION_VALKEY
           : version > RDB_VERSION_MAX ? RDB_VERSION_MAX
           : version < TARGET_LEAST    ? TARGET_LEAST
                                       : version;
}

bool
target_knows(int version, int from, uint8_t type)
{
    if (type < sizeof since)
        return since[type] > 0 && since[type] <= version;
    if (is_valkey(version) || is_valkey(from))
        return is_valkey(version) && is_valkey(from) && type == RDB_TYPE_HASH_EXPIRES_VALKEY;
    return version >= TARGET_FIELD_EXPIRY_FROM && type <= RDB_TYPE_HASH_EXPIRES_LISTPACK;
}

bool
target_holds_all(int version, int from)
{
    return from <= version &&
           (is_valkey(version) == is_valkey(from) || from < TARGET_FIELD_EXPIRY_FROM);
}

int
target_expiry_type(int version)
{
    return is_valkey(version)                    ? RDB_TYPE_HASH_EXPIRES_VALKEY
           : version >= TARGET_FIELD_EXPIRY_FROM ? RDB_TYPE_HASH_EXPIRES
                                                 : -1;
}
