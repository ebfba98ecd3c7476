/* tool/salvage/rescue.h - from a damaged RDB to a whole one.
 *
 *     read --> whole? ------------------------------------> copy
 *               | no
 *               +--> repaired by its checksum? --> whole? -> copy
 *                       | no
 *                       +--> read past the damages --> copy what is kept, tell what is lost
 *
 * Threads: one. */
#ifndef TOOL_SALVAGE_RESCUE_H
#define TOOL_SALVAGE_RESCUE_H

#include "tool/salvage/scan.h"
#include "tool/salvage/write.h"

struct rescue {
    /* the caller's, before rescue_look() */
    struct tool_run *run; /* for its progress; may be NULL */
    bool keep_doubtful, no_search;
    bool is_packed;           /* it was unpacked: what is there was compared by the packing */
    struct rdb_error packing; /* what ended the unpacking; text "": nothing */
    /* its own */
    struct flat flat;
    int version; /* 0: the magic does not say */
    struct scan scan;
    bool is_whole;           /* as it is, or repaired */
    struct flat_patch patch; /* that did */
};

/* rescue_init: zeroed but for the caller's: 0 or -ENOMEM.  rescue_look: everything that comes
 * before writing: 0 or -errno; -ENOTSUP: the file is of a version that is not read.  rescue_write:
 * 0 or -errno: reading failed. */
int rescue_init(struct rescue *s, int fd, uint64_t size);
void rescue_fini(struct rescue *s);
int rescue_look(struct rescue *s);
int rescue_write(struct rescue *s, const struct write_to *to);
uint64_t rescue_keys(const struct rescue *s); /* that are written */

#endif
