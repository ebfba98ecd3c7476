/* snapshot/rdb/sink.h - where a snapshot's bytes go: a file, memory, sockets.
 *
 * A sink has one buffer and a sticky error: after the first failure further bytes are dropped, and
 * the caller looks at sink_error() where it suits (the sweep: once a slab).  The CRC64 runs over
 * what is put while it is on.
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_SINK_H
#define SNAPSHOT_RDB_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/must.h"

struct sink;
struct sink_ops {
    int (*write)(struct sink *s, const void *bytes, size_t len); /* all of it, or -errno */
    /* make what was written durable under its final name; 0 or -errno */
    int (*commit)(struct sink *s);
    /* commit was not called or failed: remove every trace; then free */
    void (*close)(struct sink *s);
};

enum { SINK_BUFFER_BYTES = 256 * 1024 };

struct sink {
    const struct sink_ops *ops;
    uint8_t *buf;
    size_t fill, capacity_bytes;
    uint64_t put_bytes; /* handed to ops->write so far; the stream's offset is put_bytes + fill */
    uint64_t crc;       /* CRC64 of all flushed bytes, when with_crc */
    bool with_crc;
    bool is_committed; /* sink_commit() was called: no byte follows */
    int error;         /* 0 or the first -errno */
    const char *
        failed_step; /* "open", "write", "fsync", "rename", ...: what error is about, for the log */
    char failed_why[200]; /* what more is known of it than error says; "": nothing */
    /* set: nothing is worth a wait any more: a medium that waits for others ends with -ECANCELED.
     * May be NULL. */
    const _Atomic bool *cancel;
};

/* sink_put: append bytes.  Never fails by itself: see sink_error().  len may be larger than the
 * buffer. */
static inline void sink_put(struct sink *s, const void *bytes, size_t len);
void sink_put_slow(struct sink *s, const void *bytes, size_t len);
/* sink_pass: append bytes past the buffer, whatever is in that first: for who has whole buffers. */
void sink_pass(struct sink *s, const void *bytes, size_t len);
/* sink_flush: hand the buffer to the medium.  Returns sink_error(). */
int sink_flush(struct sink *s);
/* sink_crc: CRC64 of all that was put so far, the buffer included; 0 unless with_crc.  Set with_crc
 * before the first byte is put. */
uint64_t sink_crc(const struct sink *s);
/* sink_commit: flush, then make it durable.  0 or -errno; failed_step says where.  At most once.
 * A file: write, fsync, close, verify, open the directory, rename, fsync the directory.  An error
 * up to the rename leaves the file of that name as it was.  An error of the last step is reported
 * too, with the new file in its place, whole and itself durable: only whether the *name* survives
 * a crash is not known (failed_step "directory fsync").  No step is tried again: after a failed
 * fsync the kernel may have dropped what it could not write. */
int sink_commit(struct sink *s);
/* sink_close: give everything back; what was not committed leaves no trace. */
void sink_close(struct sink *s);
/* sink_fail: for a medium's own code: remember the first error and its step.  Returns error. */
int sink_fail(struct sink *s, int error, const char *step);

struct sink_file_options {
    const char *path;      /* final name; the temporary file stands beside it */
    const char *temp_name; /* of the temporary file in the same directory; NULL: temp_file_name() */
    size_t writeout_bytes; /* start write-out of each so many bytes; 0: leave it all to fsync */
    bool keeps_cache;      /* what was written stays in the page cache, for who reads it soon */
    uint64_t expected_bytes; /* that the file will have, for a warning in the log where so much is
                              * not free; 0: not known */
    /* verify: look at the finished file before it gets its name: 0, or -errno, perhaps with *why:
     * then the old file stays (failed_step "verify").  Blocks; the bracket is around it.  NULL:
     * none */
    int (*verify)(void *ctx, const char *temp_path, char *why, size_t why_bytes);
    void *verify_ctx;
    /* rename() forgets here what it replaces (set_aside.h), and that a file was removed is not
     * written to the disk by itself */
    bool sets_aside;
    unsigned retain;           /* how many dumps are kept (retained.h); 0: none, and none removed */
    struct retained *retained; /* what became of that; with `retain` only */
};
/* sink_file_open: 0 and *ret, or -errno.  The temporary file is made new (a leftover of that name
 * is removed first), so that nobody else's descriptor or link can be the dump; it is locked until
 * it has its final name or is gone (temp_file.h), and is written front to back, once.  Its mode is
 * 0644 less the umask.  Blocks: the caller brackets it. */
int sink_file_open(const struct sink_file_options *opt, struct sink **ret);
/* sink_memory_open: collects into memory, for what is small; commit is a flush.  0 or -ENOMEM.
 * sink_memory_take: flush and hand the bytes to the caller (free()); NULL when the sink has an
 * error. */
int sink_memory_open(struct sink **ret);
uint8_t *sink_memory_take(struct sink *s, size_t *ret_len);

static inline int
sink_error(const struct sink *s)
{
    return s->error;
}

static inline void
sink_put(struct sink *s, const void *bytes, size_t len)
{
    debug_check(s->fill <= s->capacity_bytes);
    if (likely(len <= s->capacity_bytes - s->fill)) {
        memcpy(s->buf + s->fill, bytes, len);
        s->fill += len;
    } else {
        sink_put_slow(s, bytes, len);
    }
}

#endif
