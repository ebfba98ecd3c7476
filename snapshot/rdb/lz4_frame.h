/* snapshot/rdb/lz4_frame.h - write a compressed dump: an envelope of seven bytes, then one LZ4
 * frame, of which each block can be made by another thread.
 *
 *     file  = "VCS" 1 1 0 1 | frame header | block* | four zero bytes [| content checksum]
 *     block = size, 4 bytes LE, highest bit: stored as it is | that many bytes [| block checksum]
 *
 * Blocks are independent of each other and hold at most LZ4_FRAME_BLOCK_BYTES of the RDB; they
 * stand in the order of the RDB, however they were made.  With checksums each block has the XXH32
 * of its bytes as they stand in the file, and the frame the XXH32 of the whole RDB; without,
 * neither.
 * Reading: rdb_dec.h.  Levels, and what they cost: docs/rdb.md.
 * Threads: [any]; pure functions over the caller's memory. */
#ifndef SNAPSHOT_RDB_LZ4_FRAME_H
#define SNAPSHOT_RDB_LZ4_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LZ4_FRAME_ENVELOPE_BYTES = 7,
    LZ4_FRAME_HEAD_BYTES = LZ4_FRAME_ENVELOPE_BYTES + 7, /* what lz4_frame_head() gives */
    LZ4_FRAME_BLOCK_BYTES = 256 * 1024,                  /* the most that lz4_frame_block() takes */
    LZ4_FRAME_BLOCK_EXTRA_BYTES = 8,                     /* size and checksum of a block */
    LZ4_FRAME_TAIL_BYTES = 8,                            /* the most that lz4_frame_tail() gives */
    LZ4_FRAME_LEVEL_MIN = -100, /* below 0: faster and larger with each step */
    LZ4_FRAME_LEVEL_MAX = 12    /* 0, 1 and 2 are the same; from 3 on: smaller, and much slower */
};

/* lz4_frame_block_bound: room that lz4_frame_block() may need for len bytes. */
static inline size_t
lz4_frame_block_bound(size_t len)
{
    return len + LZ4_FRAME_BLOCK_EXTRA_BYTES;
}

/* lz4_frame_state_bytes: of the memory that compresses, enough for any level: 256 KiB.  Below level
 * 3 only the first 16 KiB are touched.  It is aligned to 8 bytes, of any content, and belongs to
 * one thread at a time. */
size_t lz4_frame_state_bytes(void);

/* lz4_frame_head: envelope and frame header; LZ4_FRAME_HEAD_BYTES of dst.  Returns their number. */
size_t lz4_frame_head(uint8_t *dst, bool checksums);

/* lz4_frame_block: 1 <= len <= LZ4_FRAME_BLOCK_BYTES bytes as a whole block: compressed if that is
 * smaller, else as they are.  dst has lz4_frame_block_bound(len) bytes, apart from src.
 * Returns the block's bytes, the same for the same src, len, level and checksums. */
size_t lz4_frame_block(void *state, uint8_t *dst, const void *src, size_t len, int level,
                       bool checksums);

/* lz4_frame_tail: what ends the frame; content_checksum: lz4_frame_sum_end() of all that the blocks
 * hold, read only with checksums.  Up to LZ4_FRAME_TAIL_BYTES of dst.  Returns their number. */
size_t lz4_frame_tail(uint8_t *dst, bool checksums, uint32_t content_checksum);

/* lz4_frame_wrong: what liblz4 says of a frame that it was given to read (a result for which
 * LZ4F_isError() holds), in words for who has the file.  NULL: there was no memory. */
const char *lz4_frame_wrong(size_t result);

/* The content checksum, piece by piece in the order of the RDB: begin, add..., end.  end changes
 * nothing: more may be added. */
struct lz4_frame_sum {
    uint64_t state[6];
};
void lz4_frame_sum_begin(struct lz4_frame_sum *s);
void lz4_frame_sum_add(struct lz4_frame_sum *s, const void *bytes, size_t len);
uint32_t lz4_frame_sum_end(const struct lz4_frame_sum *s);

#endif
