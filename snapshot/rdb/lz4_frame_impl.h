/* snapshot/rdb/lz4_frame_impl.h - numbers of a compressed dump that writer and reader share: of the
 * envelope ("VCS", a version, a codec, a zero, a kind of content) and of the frame in it.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_LZ4_FRAME_IMPL_H
#define SNAPSHOT_RDB_LZ4_FRAME_IMPL_H

enum { ENVELOPE_VERSION = 1, ENVELOPE_LZ4 = 1, ENVELOPE_ZSTD = 2, ENVELOPE_RDB = 1 };

/* The first four bytes of a frame, little endian; the flags are the fifth. */
#define LZ4_FRAME_MAGIC 0x184d2204u
enum {
    LZ4_FRAME_VERSION = 1 << 6,
    LZ4_FRAME_INDEPENDENT = 1 << 5,
    LZ4_FRAME_BLOCK_SUM = 1 << 4,
    LZ4_FRAME_CONTENT_SUM = 1 << 2
};

#endif
