/* snapshot/rdb/rdb_dec_frame.c - what stands around an RDB: the envelope and frame of a compressed
 * file, and nothing behind it. */
#include <errno.h>
#include <string.h>

#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/lz4_frame_impl.h"
#include "snapshot/rdb/rdb_dec_impl.h"

enum { MARK_BYTES = 3, VERSION_AT = 3, CODEC_AT, RESERVED_AT, KIND_AT };

/* read_envelope: what begins with "VCS" is Valkey's compressed stream and nothing else. */
static int
read_envelope(struct dec *d)
{
    const uint8_t *p;
    int r;

    d->what = "the envelope of a compressed RDB";
    if ((r = dec_need(d, LZ4_FRAME_ENVELOPE_BYTES)) != 0)
        return r;
    p = source_here(d->src);
    if (p[VERSION_AT] != ENVELOPE_VERSION)
        return dec_fail(d, VERSION_AT, -ENOTSUP,
                        "Valkey's envelope of compressed RDB, of the unknown version %u",
                        p[VERSION_AT]);
    if (p[CODEC_AT] == ENVELOPE_ZSTD)
        return dec_fail(
            d, CODEC_AT, -ENOTSUP,
            "an RDB that is compressed by Zstd (codec 2 of Valkey's envelope) is not read: only LZ4 is");
    if (p[CODEC_AT] != ENVELOPE_LZ4)
        return dec_fail(d, CODEC_AT, -ENOTSUP,
                        "Valkey's envelope of compressed RDB, with the unknown codec %u",
                        p[CODEC_AT]);
    if (p[RESERVED_AT] != 0)
        return dec_fail(d, RESERVED_AT, -ENOTSUP,
                        "Valkey's envelope of compressed RDB, with %u in its reserved byte",
                        p[RESERVED_AT]);
    if (p[KIND_AT] != ENVELOPE_RDB)
        return dec_fail(d, KIND_AT, -ENOTSUP,
                        "Valkey's envelope around something of kind %u, which is no RDB",
                        p[KIND_AT]);
    source_skip(d->src, LZ4_FRAME_ENVELOPE_BYTES);
    return 0;
}

int
dec_unwrap(struct dec *d)
{
    int r;

    if (d->src->reader != NULL) /* who reads has unpacked what is packed */
        return 0;
    d->what = "the magic that every RDB file begins with";
    if ((r = dec_need(d, MARK_BYTES)) != 0)
        return r;
    if (memcmp(source_here(d->src), "VCS", MARK_BYTES) != 0)
        return 0;
    if ((r = read_envelope(d)) != 0)
        return r;
    r = source_unwrap(d->src);
    return r == 0 ? 0 : dec_unreadable(d, r);
}

/* end_frame: the frame ends with the RDB, and the file with the frame. */
static int
end_frame(struct dec *d, const char *what)
{
    int r = source_need(d->src, 1);
    uint64_t more;

    if (r == 0)
        return dec_fail(d, rdb_source_offset(d->src), -EINVAL,
                        "more bytes after %s, in the LZ4 frame", what);
    if (r != -ENODATA)
        return dec_unreadable(d, r);
    if ((more = rdb_source_size(d->src) - rdb_source_consumed(d->src)) == 0)
        return 0;
    return dec_fail_in_file(d, -EINVAL, "%llu more bytes after the LZ4 frame",
                            (unsigned long long)more);
}

/* end_reader: the same of what somebody else reads; he has compared his checksums then. */
static int
end_reader(struct dec *d, const char *what)
{
    int r = source_need(d->src, 1);

    if (r == 0 && d->src->is_counted)
        return dec_fail(d, rdb_source_offset(d->src), -EINVAL, "%llu more bytes after %s",
                        (unsigned long long)source_left(d->src), what);
    if (r == 0)
        return dec_fail(d, rdb_source_offset(d->src), -EINVAL, "more bytes after %s", what);
    return r == -ENODATA ? 0 : dec_unreadable(d, r);
}

int
dec_end(struct dec *d, const char *what)
{
    if (d->src->reader != NULL)
        return end_reader(d, what);
    if (d->src->frame != NULL)
        return end_frame(d, what);
    if (source_left(d->src) == 0)
        return 0;
    return dec_fail(d, rdb_source_offset(d->src), -EINVAL, "%llu more bytes after %s",
                    (unsigned long long)source_left(d->src), what);
}
