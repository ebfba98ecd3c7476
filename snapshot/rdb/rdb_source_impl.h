/* snapshot/rdb/rdb_source_impl.h - the decoder's own view of its input: a stretch of bytes that can
 * be asked to be longer. Opening and closing: rdb_dec.h.
 *
 * A compressed file is unwrapped by its reader (source_unwrap): from then on the stretch is of the
 * RDB within, and so are all offsets but rdb_source_consumed().
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_RDB_SOURCE_IMPL_H
#define SNAPSHOT_RDB_RDB_SOURCE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb_dec.h"

enum { SOURCE_BUFFER_BYTES = 256 * 1024 };

struct source_frame; /* rdb_source_frame.c: what unpacks a compressed file */

struct rdb_source {
    const uint8_t *data; /* the stretch in hand: all of a memory source, a window on a file */
    size_t at, end;      /* [at, end) of it are not consumed yet */
    uint64_t base;       /* the stretch's offset in the whole */
    uint64_t size;       /* of the whole, as it stands in the file */
    int fd;              /* -1: memory */
    uint8_t *buf;        /* [owned] a window's: data points here */
    struct source_frame *frame; /* [owned] NULL: the bytes are those of the file, or a reader's */
    /* NULL, or who reads: the stretch is his, and buf what is left of it while he reads on */
    const struct rdb_reader *reader;
    void *reader_ctx;
    bool has_sums;   /* of a reader: of the form around the RDB */
    bool has_ended;  /* the reader has no more */
    bool is_counted; /* size says what is left: false of what is packed, or comes from a pipe */
    bool is_packed;
    bool with_crc;
    uint64_t crc; /* of all bytes before base + crc_at */
    size_t crc_at;
};

/* source_fill: 0; -ENODATA: the input ends before n more bytes; or reading's -errno.  If
 * source_wrong() says something then, the frame around the RDB is damaged. */
int source_fill(struct rdb_source *s, size_t n);
/* source_read: up to room bytes from the file's offset `from` on, where reading stands.  Their
 * number; 0: the file, as it was opened, ends; or -errno. */
ssize_t source_read(struct rdb_source *s, uint8_t *dst, size_t room, uint64_t from);

/* source_unwrap: an LZ4 frame begins here; go on with what it holds.  0 or -errno, as
 * source_fill(). */
int source_unwrap(struct rdb_source *s);
/* source_wrong: what is wrong with the frame, or whatever form the RDB is packed in, at
 * rdb_source_consumed(); NULL: nothing so far. */
const char *source_wrong(const struct rdb_source *s);
/* source_is_summed: the frame, or whatever form the RDB is packed in, has a checksum over all that
 * it holds, which is compared when it ends. */
bool source_is_summed(const struct rdb_source *s);
/* For rdb_source.c: a stretch of n bytes; bytes of the file that were used; the most that may come
 * yet, in and behind the stretch; everything given back. */
int frame_fill(struct rdb_source *s, size_t n);
uint64_t frame_consumed(const struct rdb_source *s);
uint64_t frame_most_left(const struct rdb_source *s);
void frame_free(struct source_frame *f);
const char *frame_wrong(const struct source_frame *f); /* for source_wrong() */
/* rdb_source_reader.c: a stretch of n bytes; the reader's own word for what is wrong. */
int reader_fill(struct rdb_source *s, size_t n);
const char *reader_wrong(const struct rdb_source *s);
uint64_t reader_consumed(const struct rdb_source *s);
/* source_most_left: what may come yet, where nobody has counted. */
uint64_t source_most_left(const struct rdb_source *s);
/* source_move: nothing was read yet, and the first byte stands at that offset of the whole. */
void source_move(struct rdb_source *s, uint64_t offset);
/* source_crc: of everything consumed so far; meaningful when with_crc was set from the start. */
uint64_t source_crc(struct rdb_source *s);

/* source_need: at least n <= SOURCE_BUFFER_BYTES unconsumed bytes in hand.  As source_fill(). */
static inline int
source_need(struct rdb_source *s, size_t n)
{
    return likely(s->end - s->at >= n) ? 0 : source_fill(s, n);
}

static inline const uint8_t *
source_here(const struct rdb_source *s)
{
    return s->data + s->at;
}

/* source_ready: bytes in hand; source_left: bytes that the whole still has by its size, or, of what
 * is packed or comes from a pipe, can have at most. */
static inline size_t
source_ready(const struct rdb_source *s)
{
    return s->end - s->at;
}

static inline uint64_t
source_left(const struct rdb_source *s)
{
    return likely(s->is_counted) ? s->size - (s->base + s->at) : source_most_left(s);
}

static inline void
source_skip(struct rdb_source *s, size_t n)
{
    debug_check(n <= s->end - s->at);
    s->at += n;
}

#endif
