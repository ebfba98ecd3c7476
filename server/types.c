/* server/types.c - one line a type. */
#include "server/types.h"

#include "server/data/hash/hash_type.h"
#include "server/data/hash/timed_type.h"
#include "server/data/list/list_type.h"
#include "server/data/set/set_type.h"
#include "server/data/stream/stream_type.h"
#include "server/data/string/string_type.h"
#include "server/data/zset/zset_type.h"

void
types_init(void)
{
    type_register(TYPE_STRING, &string_type);
    type_register(TYPE_LIST, &list_type);
    type_register(TYPE_SET, &set_type);
    type_register(TYPE_HASH, &hash_type);
    type_register(TYPE_TIMED_HASH, &timed_hash_type);
    type_register(TYPE_ZSET, &zset_type);
    type_register(TYPE_STREAM, &stream_type);
}
