/* server/data/db/type.c - the data types that were registered. */
#include "server/data/db/type.h"

static const struct type_ops *types[TYPE_COUNT];

void
type_register(enum value_type type, const struct type_ops *ops)
{
    must(type < TYPE_COUNT && (types[type] == NULL || types[type] == ops));
    must(ops->name != NULL && ops->encoding_name != NULL && ops->digest != NULL);
    must(ops->rdb_type != NULL && ops->save != NULL && ops->load != NULL);
    /* A type with a structure can do all that is asked of one. */
    must((ops->elements != NULL) == (ops->copy != NULL) &&
         (ops->copy != NULL) == (ops->drop != NULL));
    must((ops->drop != NULL) == (ops->move != NULL) && (ops->move != NULL) == (ops->weigh != NULL));
    must((ops->weigh != NULL) == (ops->verify != NULL));
    must((ops->expire != NULL) == (ops->has_expired != NULL));
    types[type] = ops;
}

const struct type_ops *
type_of(enum value_type type)
{
    must(type < TYPE_COUNT && types[type] != NULL);
    return types[type];
}
