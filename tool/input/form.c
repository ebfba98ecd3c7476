/* tool/input/form.c - what a file is, by its first bytes. */
#include <stdio.h>
#include <string.h>

#include "mm/base/le.h"
#include "mm/base/must.h"
#include "tool/input/stage_impl.h"

enum {
    ENVELOPE_VERSION_AT = 3,
    ENVELOPE_CODEC_AT,
    ENVELOPE_RESERVED_AT,
    ENVELOPE_KIND_AT,
    ENVELOPE_VERSION = 1,
    ENVELOPE_LZ4 = 1,
    ENVELOPE_ZSTD = 2,
    ENVELOPE_RDB = 1,
    LZ4_CONTENT_SUM = 1 << 2, /* in the flags of a frame */
    ZSTD_CONTENT_SUM = 1 << 2
};
#define LZ4_LEGACY_MAGIC 0x184c2102u
#define SKIPPABLE_MAGIC  0x184d2a50u /* and the fifteen behind it */

/* refuse: nothing of this kind is read, because of the byte at that offset. */
static enum form
refuse(uint64_t *ret_offset, uint64_t offset, char *text, size_t room, const char *why,
       unsigned byte)
{
    *ret_offset = offset;
    snprintf(text, room, "%s %u", why, byte);
    return FORM_REFUSED;
}

/* of_envelope: what begins with "VCS" is Valkey's compressed stream and nothing else. */
static enum form
of_envelope(const struct stage_head *head, uint64_t *ret_offset, char *text, size_t room)
{
    const uint8_t *p = head->bytes;

    if (head->len < FORM_ENVELOPE_BYTES) {
        *ret_offset = head->len;
        snprintf(text, room, "the file ends in the middle of the envelope of a compressed RDB");
        return FORM_REFUSED;
    }
    if (p[ENVELOPE_VERSION_AT] != ENVELOPE_VERSION)
        return refuse(ret_offset, ENVELOPE_VERSION_AT, text, room,
                      "Valkey's envelope of compressed RDB, of the unknown version",
                      p[ENVELOPE_VERSION_AT]);
    if (p[ENVELOPE_CODEC_AT] != ENVELOPE_LZ4 && p[ENVELOPE_CODEC_AT] != ENVELOPE_ZSTD)
        return refuse(ret_offset, ENVELOPE_CODEC_AT, text, room,
                      "Valkey's envelope of compressed RDB, with the unknown codec",
                      p[ENVELOPE_CODEC_AT]);
    if (p[ENVELOPE_RESERVED_AT] != 0)
        return refuse(ret_offset, ENVELOPE_RESERVED_AT, text, room,
                      "Valkey's envelope of compressed RDB, whose reserved byte is",
                      p[ENVELOPE_RESERVED_AT]);
    if (p[ENVELOPE_KIND_AT] != ENVELOPE_RDB)
        return refuse(ret_offset, ENVELOPE_KIND_AT, text, room,
                      "Valkey's envelope around something that is no RDB, of kind",
                      p[ENVELOPE_KIND_AT]);
    return p[ENVELOPE_CODEC_AT] == ENVELOPE_LZ4 ? FORM_LZ4_ENVELOPE : FORM_ZSTD_ENVELOPE;
}

bool
form_is_skippable(uint32_t magic)
{
    return (magic & ~0xfu) == SKIPPABLE_MAGIC;
}

enum form
form_of(const struct stage_head *head, uint64_t *ret_offset, char *text, size_t room)
{
    uint32_t magic = head->len >= 4 ? (uint32_t)le_load(head->bytes, 4) : 0;

    if (head->len >= 3 && memcmp(head->bytes, "VCS", 3) == 0)
        return of_envelope(head, ret_offset, text, room);
    if (head->len >= 2 && head->bytes[0] == 0x1f && head->bytes[1] == 0x8b)
        return FORM_GZIP;
    if (magic == LZ4_LEGACY_MAGIC) {
        *ret_offset = 0;
        snprintf(text, room, "the old form of LZ4 files (lz4 -l) is not read: lz4 -d unpacks it");
        return FORM_REFUSED;
    }
    /* what is skippable is of both: pzstd begins its files with such a frame, lz4 does not */
    return magic == FORM_LZ4_MAGIC                                ? FORM_LZ4
           : magic == FORM_ZSTD_MAGIC || form_is_skippable(magic) ? FORM_ZSTD
                                                                  : FORM_PLAIN;
}

const char *
form_name(enum form form)
{
    static const char *const names[] = {[FORM_PLAIN] = "plain",
                                        [FORM_LZ4_ENVELOPE] = "LZ4 in Valkey's envelope",
                                        [FORM_ZSTD_ENVELOPE] = "Zstd in Valkey's envelope",
                                        [FORM_LZ4] = "LZ4",
                                        [FORM_GZIP] = "gzip",
                                        [FORM_ZSTD] = "Zstd"};

    must(form < FORM_REFUSED);
    return names[form];
}

bool
form_has_sums(enum form form, const struct stage_head *head)
{
    size_t at =
        (form == FORM_LZ4_ENVELOPE || form == FORM_ZSTD_ENVELOPE ? FORM_ENVELOPE_BYTES : 0) +
        FORM_LZ4_FLAGS_AT; /* of Zstd the same */

    if (form == FORM_PLAIN || head->len <= at)
        return false;
    switch (form) {
    case FORM_LZ4:
    case FORM_LZ4_ENVELOPE:
        return (head->bytes[at] & LZ4_CONTENT_SUM) != 0;
    case FORM_ZSTD:
    case FORM_ZSTD_ENVELOPE: /* none, if the first frame is one to be read over */
        return (head->bytes[at] & ZSTD_CONTENT_SUM) != 0 &&
               le_load(head->bytes + at - 4, 4) == FORM_ZSTD_MAGIC;
    case FORM_GZIP:
        return true;
    case FORM_PLAIN:
    case FORM_REFUSED:
        break;
    }
    never("a form that is not unpacked");
}
