/* snapshot/rdb/lzf.h - LZF, the compression of strings in RDB: packed block by block, unpacked
 * through a window.
 *
 * The format: 000nnnnn, then n + 1 bytes as they are; or nnnooooo [more] oooooooo: n + 2 bytes from
 * o + 1 bytes back, where n = 7 is followed by a byte that is added to it.  Distances are relative,
 * so packed blocks joined together are the packed form of the joined blocks.
 *
 * Why not liblzf: its compressor starts from an uninitialised table, so the same block may come out
 * in two sizes, and a long string is compressed twice, first for its size and then for its bytes.
 * Its decompressor wants all of the string in memory.  It also puts 256 KiB on the stack, and takes
 * two to three times as long for strings of 100 bytes.  The tests check that each side reads what
 * the other wrote.
 * Threads: [any]; pure functions over the caller's memory. */
#ifndef SNAPSHOT_RDB_LZF_H
#define SNAPSHOT_RDB_LZF_H

#include <stddef.h>
#include <stdint.h>

enum {
    LZF_REACH_BYTES = 8192, /* a back reference goes no further */
    LZF_RUN_BYTES = 264,    /* one step makes no more than this, from 3 bytes: 88 times as many */
    LZF_MAX_RATIO = 88,
    LZF_STEP_BYTES = 33,     /* the longest packed step */
    LZF_BLOCK_BYTES = 65536, /* what lzf_pack() takes at a time */
    LZF_SLACK_BYTES = 32,
    LZF_TABLE_SLOTS = 8192
};

/* lzf_pack_bound: room that lzf_pack() may need for len bytes; the last bytes of it are only
 * scribbled on. */
static inline size_t
lzf_pack_bound(size_t len)
{
    return len + len / 32 + 1 + LZF_SLACK_BYTES;
}

/* What lzf_pack() remembers: where three bytes stood last, by numbers that rise from block to
 * block, so that nothing has to be forgotten between two of them. */
struct lzf_packer {
    uint32_t next;
    uint32_t slots[LZF_TABLE_SLOTS];
};
void lzf_packer_init(struct lzf_packer *k);

/* lzf_pack: pack len <= LZF_BLOCK_BYTES bytes.  dst has lzf_pack_bound(len) bytes.  Returns the
 * packed size; size and bytes depend on the block alone, not on those before. */
size_t lzf_pack(struct lzf_packer *k, const uint8_t *src, size_t len, uint8_t *dst);

/* Unpacked bytes: [from, fill) are new, [0, from) were taken and are kept for references back into
 * them. */
struct lzf_window {
    uint8_t *bytes; /* LZF_WINDOW_BYTES of the caller's */
    size_t from, fill;
};
enum { LZF_WINDOW_BYTES = LZF_REACH_BYTES + LZF_BLOCK_BYTES };

enum lzf_state { LZF_WANTS_INPUT, LZF_WANTS_ROOM, LZF_BAD_REFERENCE };

/* lzf_unpack: whole steps from [in, in + len) into the window, up to LZF_BLOCK_BYTES of new bytes.
 * *ret_used: how much of the input was used. */
enum lzf_state lzf_unpack(struct lzf_window *w, const uint8_t *in, size_t len, size_t *ret_used);
/* lzf_measure: what whole steps from [in, in + len) would make, for who only wants to know whether
 * they are right: added to *made, which the steps before have made, from the string's beginning on.
 * LZF_WANTS_INPUT or LZF_BAD_REFERENCE. */
enum lzf_state lzf_measure(const uint8_t *in, size_t len, uint64_t *made, size_t *ret_used);
/* lzf_take: the new bytes were used: make room, keep what references may still need. */
void lzf_take(struct lzf_window *w);

#endif
