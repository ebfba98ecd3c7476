/* server/data/list/list_type.h - what the table of types asks for, of lists.
 * Threads: mutator. */
#ifndef SERVER_DATA_LIST_LIST_TYPE_H
#define SERVER_DATA_LIST_LIST_TYPE_H

#include "server/data/db/type.h"

extern const struct type_ops list_type;

#endif
