/* tool/convert/hold.h - bytes that have to wait for a number that stands before them: a sink into
 * memory, and from HOLD_BYTES on into a temporary file without a name.
 *
 *     open, (put ..., copy or read ..., clear) ..., close
 * Threads: one at a time. */
#ifndef TOOL_CONVERT_HOLD_H
#define TOOL_CONVERT_HOLD_H

#include "snapshot/rdb/sink.h"

enum { HOLD_BYTES = 256 * 1024 };

struct hold {
    struct sink sink; /* first: a hold is one */
    int fd;           /* -1: none was needed yet */
};

/* hold_open: 0 or -ENOMEM.  Costs memory only as far as it is filled. */
int hold_open(struct hold *s);
void hold_close(struct hold *s);
/* hold_clear: forget what is in it. */
void hold_clear(struct hold *s);
/* hold_bytes: how many. */
static inline uint64_t
hold_bytes(const struct hold *s)
{
    return s->sink.put_bytes + s->sink.fill;
}
/* hold_read: n bytes from offset on, which are there; more may be put later.  0 or -errno. */
int hold_read(struct hold *s, uint64_t offset, void *dst, size_t n);
/* hold_copy: len bytes from offset on to the end of another sink.  0 or -errno: reading failed
 * (writing: sink_error()). */
int hold_copy(struct hold *s, uint64_t offset, uint64_t len, struct sink *to);
/* hold_copy_all: all of it, after which it is empty. */
int hold_copy_all(struct hold *s, struct sink *to);

#endif
