/* tool/salvage/write.h - the RDB that salvage makes.
 * Threads: one. */
#ifndef TOOL_SALVAGE_WRITE_H
#define TOOL_SALVAGE_WRITE_H

#include "tool/salvage/scan.h"

/* Where it goes. */
struct write_to {
    void (*put)(void *ctx, const void *bytes, size_t len);
    bool (*has_failed)(void *ctx); /* going on makes no sense */
    void *ctx;
};

/* write_whole: the file as it is (through its patch), with the right checksum.  write_kept: the
 * runs that are kept, as an RDB of that version.  0 or -errno: reading failed. */
int write_whole(struct flat *f, int version, struct tool_run *run, const struct write_to *to);
int write_kept(struct scan *s, int version, const struct write_to *to);

#endif
