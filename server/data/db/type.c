/* server/data/db/type.c - the data types. */
#include "server/data/db/type.h"

static const struct type_ops *const types[TYPE_COUNT] = {
    [TYPE_STRING] = &string_type, [TYPE_LIST] = &list_type, [TYPE_SET] = &set_type,
    [TYPE_HASH] = &hash_type,     [TYPE_ZSET] = &zset_type, [TYPE_STREAM] = &stream_type};

const struct type_ops *
type_of(enum value_type type)
{
    must(type < TYPE_COUNT && types[type] != NULL);
    return types[type];
}
