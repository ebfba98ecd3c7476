/* server/data/list/load_list.h - a list that is made of elements in their order: by the decoder of
 * a dump, and by SORT's STORE.
 * Threads: mutator. */
#ifndef SERVER_DATA_LIST_LOAD_LIST_H
#define SERVER_DATA_LIST_LOAD_LIST_H

#include "snapshot/rdb/rdb_dec.h"

/* load_list_begin, load_list_element ..., load_list_end: ctx is a struct load_state that has no
 * value yet; then load_take() (load_value.h) or the decoder's value_end.  0 or -ENOMEM */
int load_list_begin(void *ctx);
int load_list_element(void *ctx, struct slice element);
int load_list_end(void *ctx);

/* load_list: the list's events (type.h). */
void load_list(struct rdb_events *events);

#endif
