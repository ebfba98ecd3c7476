/* server/data/list/save_list.h - a large list through the view.
 * Threads: save_value.h. */
#ifndef SERVER_DATA_LIST_SAVE_LIST_H
#define SERVER_DATA_LIST_SAVE_LIST_H

struct list_root;
struct save_work;

/* save_list: as RDB's quicklist: the number of nodes, then each as a listpack, or as it is.  0 or
 * -errno */
int save_list(struct save_work *w, const struct list_root *live);

#endif
