/* mm/base/spare.h - what a save cannot do without, when malloc() has no more: a piece of memory
 * that the system promised at start.  A save works also where every further promise is refused
 * (vm.overcommit_memory=2, RLIMIT_AS).  There is memory behind it only while it is used.
 * Threads: [any] but for spare_open() and spare_close(): [mutator], while nobody has a block. */
#ifndef MM_BASE_SPARE_H
#define MM_BASE_SPARE_H

#include <stddef.h>

/* A save by one sweeper has a sink's buffer of 256 KiB, an encoder of 163 KiB, a worker of 81 KiB
 * and three chunks of 256 KiB at most; packed by LZ4 three of 514 KiB, and two states of 257 KiB:
 * 2.51 MiB. */
enum { SPARE_BYTES = 2640 * 1024 };

/* spare_open: 0; or -ENOMEM: spare_take() is malloc(), and no more.  spare_close: blocks that were
 * not given back may not be used any more. */
int spare_open(void);
void spare_close(void);

/* spare_take: bytes > 0, of malloc(), else of what was promised; NULL: neither has them.  Aligned
 * for any type; content undefined.  spare_give: back, NULL too; bytes as taken.
 * O(1), or O(SPARE_BYTES / 4096) where malloc() has nothing. */
void *spare_take(size_t bytes);
void spare_give(void *block, size_t bytes);

/* spare_free_bytes: of SPARE_BYTES, what nobody has. */
size_t spare_free_bytes(void);

#endif
