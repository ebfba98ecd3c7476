/* tests/snapshot/spell.h - bytes spelled out for a reader:
 *
 *   "'REDIS0010' 00 01 'k' [ 'abc' ] ff crc"
 *
 *   7f        a byte
 *   'text'    its bytes
 *   x 8       the byte before, eight times in all
 *   zero      eight bytes of 0
 *   crc       the checksum of all before it
 *   [ ... ]   an RDB length and what is within
 *   ( ... )   a listpack's total and count around its entries: ( 2 : 81 'f' 02 05 01 ) */
#ifndef TESTS_SNAPSHOT_SPELL_H
#define TESTS_SNAPSHOT_SPELL_H

#include <check.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "snapshot/rdb/rdb_dec.h"

struct spelled {
    uint8_t bytes[4096];
    size_t len;
};

static inline void
spell_append(struct spelled *s, const void *bytes, size_t len)
{
    ck_assert_uint_le(s->len + len, sizeof s->bytes);
    memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
}

static inline void
spell_group(struct spelled *s, const struct spelled *group)
{
    uint8_t head[2] = {(uint8_t)(0x40 | group->len >> 8), (uint8_t)group->len};

    if (group->len < 64)
        spell_append(s, &head[1], 1);
    else
        spell_append(s, head, 2);
    spell_append(s, group->bytes, group->len);
}

static inline void
spell_listpack(struct spelled *s, const struct spelled *entries, unsigned count)
{
    size_t total = entries->len + 7;
    uint8_t head[6] = {(uint8_t)total, (uint8_t)(total >> 8), 0, 0,
                       (uint8_t)count, (uint8_t)(count >> 8)};

    spell_append(s, head, 6);
    spell_append(s, entries->bytes, entries->len);
    spell_append(s, "\xff", 1);
}

/* spell_until: up to the character `end`; returns what follows it. */
static inline const char *
spell_until(struct spelled *s, const char *p, char end)
{
    while (*p != end) {
        ck_assert_msg(*p != '\0', "no %c", end);
        if (*p == ' ') {
            p++;
        } else if (*p == '\'') {
            const char *close = strchr(++p, '\'');

            spell_append(s, p, (size_t)(close - p));
            p = close + 1;
        } else if (*p == '[') {
            struct spelled group = {.len = 0};

            p = spell_until(&group, p + 1, ']');
            spell_group(s, &group);
        } else if (*p == '(') {
            struct spelled entries = {.len = 0};
            char *after;
            unsigned count = (unsigned)strtoul(p + 1, &after, 10);

            p = spell_until(&entries, strchr(after, ':') + 1, ')');
            spell_listpack(s, &entries, count);
        } else if (*p == 'x') {
            char *after;
            unsigned long times = strtoul(p + 1, &after, 10);
            uint8_t byte = s->bytes[s->len - 1];

            for (p = after; times > 1; times--)
                spell_append(s, &byte, 1);
        } else if (strncmp(p, "zero", 4) == 0) {
            spell_append(s, "\0\0\0\0\0\0\0\0", 8);
            p += 4;
        } else if (strncmp(p, "crc", 3) == 0) {
            uint64_t crc = crc64(0, s->bytes, s->len);

            spell_append(s, &crc, 8);
            p += 3;
        } else {
            char hex[3] = {p[0], p[1], '\0'};
            uint8_t byte = (uint8_t)strtoul(hex, NULL, 16);

            ck_assert_msg(isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1]),
                          "no bytes: %s", p);
            spell_append(s, &byte, 1);
            p += 2;
        }
    }
    return end != '\0' ? p + 1 : p;
}

static inline struct spelled
spell(const char *text)
{
    struct spelled s = {.len = 0};

    spell_until(&s, text, '\0');
    return s;
}

/* spell_decode: what the decoder makes of these bytes: its result, and the error. */
static inline int
spell_decode(const char *text, const struct rdb_events *events, struct rdb_error *error)
{
    struct spelled s = spell(text);
    struct rdb_source *src;
    int r;

    ck_assert_int_eq(rdb_source_memory(s.bytes, s.len, &src), 0);
    r = rdb_decode(src, events, NULL, true, error);
    rdb_source_close(src);
    return r;
}

#endif
