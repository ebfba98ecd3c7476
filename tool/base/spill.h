/* tool/base/spill.h - what does not fit into memory: a temporary file without a name, in $TMPDIR or
 * /var/tmp (/tmp is memory on many systems).
 * Threads: one at a time. */
#ifndef TOOL_BASE_SPILL_H
#define TOOL_BASE_SPILL_H

#include <stddef.h>
#include <stdint.h>

/* tool_spill_dir: where.  tool_spill_open: a descriptor, or -errno.  tool_spill_write: all of it at
 * that offset; tool_spill_read: all of it from there: 0 or -errno. */
const char *tool_spill_dir(void);
int tool_spill_open(void);
int tool_spill_write(int fd, const void *bytes, size_t len, uint64_t at);
int tool_spill_read(int fd, void *bytes, size_t len, uint64_t at);

#endif
