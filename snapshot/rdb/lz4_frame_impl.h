/* snapshot/rdb/lz4_frame_impl.h - the envelope of a compressed dump, as writer and reader know it:
 * "VCS", a version, a codec, a zero, a kind of content.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_LZ4_FRAME_IMPL_H
#define SNAPSHOT_RDB_LZ4_FRAME_IMPL_H

enum { ENVELOPE_VERSION = 1, ENVELOPE_LZ4 = 1, ENVELOPE_ZSTD = 2, ENVELOPE_RDB = 1 };

#endif
