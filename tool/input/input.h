/* tool/input/input.h - what a command reads: a file of any kind, or standard input.
 *
 * Known by its first bytes: a plain RDB, Valkey's envelope around LZ4 or Zstd, an LZ4 frame, gzip,
 * Zstd.  Reading, unpacking and checksums of the packed forms run in a thread of their own, ahead
 * of the decoder.  Memory: a few MiB, whatever the file.
 * Threads: one at a time. */
#ifndef TOOL_INPUT_INPUT_H
#define TOOL_INPUT_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot/rdb/rdb_dec.h"

struct tool_input;

/* tool_input_open: path "-": standard input.  again: it will be read more than once: what cannot be
 * (a pipe) is kept in a temporary file without a name while it is read, unpacked.  0 or -errno,
 * after which err->text says what failed if strerror() does not. */
int tool_input_open(const char *path, bool again, struct tool_input **ret, struct rdb_error *err);
/* tool_input_source: its bytes from the front, for one rdb_decode(); the source before it was
 * closed.  Without `again` once only. */
int tool_input_source(struct tool_input *in, struct rdb_source **ret);
void tool_input_close(struct tool_input *in);
uint64_t tool_input_size(const struct tool_input *in); /* bytes of the file; 0: not known */
/* tool_input_form: "plain", "LZ4 in Valkey's envelope", "gzip" ... */
const char *tool_input_form(const struct tool_input *in);

/* tool_input_flat: a descriptor to pread() the RDB itself from, of *ret_size bytes: the file, or,
 * where that is packed or a pipe, a temporary one without a name.  For who goes back and forth.
 * 0 or -errno, err filled; -EBADMSG: the packed form is damaged, or cut off, but what stands before
 * that can be read: *ret_fd and *ret_size are set. */
int tool_input_flat(struct tool_input *in, int *ret_fd, uint64_t *ret_size, struct rdb_error *err);

#endif
