/* server/data/save_zset.h - a large sorted set as RDB: its count, then member and score of each,
 * the highest first: who reads them that way inserts each before all others.
 * Threads: save_inner.h. */
#ifndef SERVER_SAVE_ZSET_H
#define SERVER_SAVE_ZSET_H

#include "server/data/save_inner.h"
#include "server/data/zroot.h"

/* save_zroot: live is only read through the view.  0 or -errno */
int save_zroot(struct save_work *w, const struct zroot *live);

#endif
