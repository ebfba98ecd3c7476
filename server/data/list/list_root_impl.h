/* server/data/list/list_root_impl.h - what list.c, list_root.c and list_edit.c share.
 * Threads: mutator. */
#ifndef SERVER_DATA_LIST_LIST_ROOT_IMPL_H
#define SERVER_DATA_LIST_LIST_ROOT_IMPL_H

#include "server/data/list/list_impl.h"

struct slice list_node_slice(const struct list_node *n);
/* list_root_account: so many elements more; what is less wraps around. */
void list_root_account(const struct list_root *l, uint64_t elements);
void list_root_set_ends(const struct list_root *l, const struct list_node *head,
                        const struct list_node *tail);
void list_root_set_tree(const struct list_root *l, const struct list_inner *tree,
                        int64_t more_nodes);
/* list_root_add_node: a node and what is in it, as the first or the last one. 0 or -ENOMEM */
int list_root_add_node(const struct list_root *l, enum list_side side, const struct list_node *n);
/* list_root_end: the node at that end. */
const struct list_node *list_root_end(const struct list_root *l, enum list_side side);
void list_root_each_node(const struct list_root *l,
                         void (*visit)(void *ctx, const struct list_node *n), void *ctx);

#endif
