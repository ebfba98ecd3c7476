/* server/data/zset/save_zset.h - a large sorted set as RDB: its count, then member and score of
 * each, the highest first: who reads them that way inserts each before all others.
 * Threads: save_value.h. */
#ifndef SERVER_DATA_ZSET_SAVE_ZSET_H
#define SERVER_DATA_ZSET_SAVE_ZSET_H

#include "server/data/db/save_value.h"
#include "server/data/zset/zroot.h"

/* save_zroot: live is only read through the view.  0 or -errno */
int save_zroot(struct save_work *w, const struct zroot *live);

#endif
