/* snapshot/rdb/lz4_frame.c - blocks of an LZ4 frame.  The contract is in lz4_frame.h.  liblz4
 * writes a frame front to back in one thread; here each block stands alone, so the frame around
 * them is spelled out. */
#include "snapshot/rdb/lz4_frame.h"

#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mm/base/le.h"
#include "mm/base/must.h"
#include "snapshot/rdb/lz4_frame_impl.h"

enum {
    BLOCK_MAX_256_KIB = 5 << 4,
    HIGH_LEVEL = 3 /* from here on liblz4's slow side */
};
#define STORED       0x80000000u
#define CHECKSUM_XXH 0u /* the seed of every checksum in a frame */

_Static_assert(sizeof(XXH32_state_t) <= sizeof(struct lz4_frame_sum), "the state fits");
_Static_assert(LZ4_FRAME_LEVEL_MAX == LZ4HC_CLEVEL_MAX, "liblz4 has as many levels");

size_t
lz4_frame_state_bytes(void)
{
    size_t fast = (size_t)LZ4_sizeofState(), high = (size_t)LZ4_sizeofStateHC();

    return fast < high ? high : fast;
}

size_t
lz4_frame_head(uint8_t *dst, bool checksums)
{
    const uint8_t envelope[LZ4_FRAME_ENVELOPE_BYTES] = {
        'V', 'C', 'S', ENVELOPE_VERSION, ENVELOPE_LZ4, 0, ENVELOPE_RDB};
    uint8_t *frame = dst + LZ4_FRAME_ENVELOPE_BYTES, *flags = frame + 4;

    memcpy(dst, envelope, sizeof envelope);
    le_store(frame, LZ4_FRAME_MAGIC, 4);
    flags[0] = LZ4_FRAME_VERSION | LZ4_FRAME_INDEPENDENT |
               (checksums ? LZ4_FRAME_BLOCK_SUM | LZ4_FRAME_CONTENT_SUM : 0);
    flags[1] = BLOCK_MAX_256_KIB;
    flags[2] = (uint8_t)(XXH32(flags, 2, CHECKSUM_XXH) >> 8);
    return LZ4_FRAME_HEAD_BYTES;
}

/* compress: the compressed size, below len, or 0: it would not be smaller. */
static uint32_t
compress(void *state, uint8_t *dst, const void *src, size_t len, int level)
{
    int n, bytes = (int)len, room = bytes - 1;

    if (level >= HIGH_LEVEL)
        n = LZ4_compress_HC_extStateHC(state, src, (char *)dst, bytes, room, level);
    else
        n = LZ4_compress_fast_extState(state, src, (char *)dst, bytes, room,
                                       level < 0 ? 1 - level : 1);
    must(n >= 0 && n <= room);
    return (uint32_t)n;
}

size_t
lz4_frame_block(void *state, uint8_t *dst, const void *src, size_t len, int level, bool checksums)
{
    uint8_t *data = dst + 4;
    uint32_t bytes;

    must(dst != NULL && len >= 1 && len <= LZ4_FRAME_BLOCK_BYTES);
    must(level >= LZ4_FRAME_LEVEL_MIN && level <= LZ4_FRAME_LEVEL_MAX);
    must((uintptr_t)state % sizeof(uint64_t) == 0);
    bytes = compress(state, data, src, len, level);
    if (bytes > 0) {
        le_store(dst, bytes, 4);
    } else {
        bytes = (uint32_t)len;
        memcpy(data, src, len);
        le_store(dst, bytes | STORED, 4);
    }
    if (checksums)
        le_store(data + bytes, XXH32(data, bytes, CHECKSUM_XXH), 4);
    return 4 + (size_t)bytes + (checksums ? 4 : 0);
}

size_t
lz4_frame_tail(uint8_t *dst, bool checksums, uint32_t content_checksum)
{
    le_store(dst, 0, 4);
    if (!checksums)
        return 4;
    le_store(dst + 4, content_checksum, 4);
    return 8;
}

void
lz4_frame_sum_begin(struct lz4_frame_sum *s)
{
    (void)XXH32_reset((XXH32_state_t *)(void *)s, CHECKSUM_XXH);
}

void
lz4_frame_sum_add(struct lz4_frame_sum *s, const void *bytes, size_t len)
{
    if (len > 0)
        (void)XXH32_update((XXH32_state_t *)(void *)s, bytes, len);
}

uint32_t
lz4_frame_sum_end(const struct lz4_frame_sum *s)
{
    return XXH32_digest((const XXH32_state_t *)(const void *)s);
}

const char *
lz4_frame_wrong(size_t result)
{
    static const struct {
        const char *name, *text;
    } texts[] = {
        {"ERROR_allocation_failed", NULL},
        {"ERROR_headerChecksum_invalid", "wrong checksum of the LZ4 frame's header"},
        {"ERROR_headerVersion_wrong", "an LZ4 frame of unknown version"},
        {"ERROR_reservedFlag_set", "a reserved bit is set in the LZ4 frame's header"},
        {"ERROR_maxBlockSize_invalid", "the LZ4 frame's header or a block in it has no valid size"},
        {"ERROR_blockChecksum_invalid", "wrong checksum of a block in the LZ4 frame"},
        {"ERROR_contentChecksum_invalid", "wrong checksum of what the LZ4 frame holds"},
        {"ERROR_frameSize_wrong", "the LZ4 frame holds another number of bytes than its head says"},
        {"ERROR_decompressionFailed", "a block in the LZ4 frame is damaged"},
    };
    const char *name = LZ4F_getErrorName(result);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0)
            return texts[i].text;
    return name;
}
