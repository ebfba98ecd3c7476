/* tool/export/resp_payload.c - payloads of RESTORE. */
#include "tool/export/resp_payload.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "snapshot/rdb/rdb.h"
#include "tool/base/spill.h"

int
resp_payload_init(struct resp_payload *p)
{
    *p = (struct resp_payload){.fd = -1, .bytes = malloc(RESP_PAYLOAD_BYTES)};
    return p->bytes == NULL ? -ENOMEM : 0;
}

void
resp_payload_fini(struct resp_payload *p)
{
    free(p->bytes);
    if (p->fd >= 0)
        close(p->fd);
}

void
resp_payload_begin(struct resp_payload *p, uint8_t type)
{
    p->bytes[0] = type;
    p->len = 1;
    p->spilled = 0;
    p->crc = crc64(0, &type, 1);
}

/* spill: what is in memory goes to the file. */
static int
spill(struct resp_payload *p)
{
    int r;

    if (p->fd < 0 && (p->fd = tool_spill_open()) < 0)
        return p->fd;
    if ((r = tool_spill_write(p->fd, p->bytes, p->len, p->spilled)) < 0)
        return r;
    p->spilled += p->len;
    p->len = 0;
    return 0;
}

/* append: without the checksum. */
static int
append(struct resp_payload *p, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t room = RESP_PAYLOAD_BYTES - p->len, n = len < room ? len : room;
        int r;

        if (n == 0) {
            if ((r = spill(p)) < 0)
                return r;
            continue;
        }
        memcpy(p->bytes + p->len, bytes, n);
        p->len += n;
        bytes += n;
        len -= n;
    }
    return 0;
}

int
resp_payload_add(struct resp_payload *p, struct slice piece)
{
    p->crc = crc64(p->crc, piece.ptr, piece.len);
    return append(p, piece.ptr, piece.len);
}

int
resp_payload_end(struct resp_payload *p, int version, uint64_t *ret_len)
{
    uint8_t number[2], sum[8];
    int r;

    le_store(number, (uint64_t)version, sizeof number);
    if ((r = resp_payload_add(p, slice_of(number, sizeof number))) < 0)
        return r;
    le_store(sum, p->crc, sizeof sum);
    if ((r = append(p, (const char *)sum, sizeof sum)) < 0)
        return r;
    *ret_len = p->spilled + p->len;
    return 0;
}

int
resp_payload_put(struct resp_payload *p, struct tool_out *out)
{
    int r;

    for (uint64_t at = 0; at < p->spilled;) {
        uint64_t left = p->spilled - at;
        size_t n = left < OUT_PIECE_BYTES ? (size_t)left : OUT_PIECE_BYTES;
        uint8_t *room = tool_out_room(out, n);

        if ((r = tool_spill_read(p->fd, room, n, at)) < 0)
            return r;
        tool_out_used(out, room + n);
        at += n;
    }
    tool_out_put(out, p->bytes, p->len);
    return 0;
}

int
resp_payload_version(int file_version, uint8_t type)
{
    enum { FIRST_WITH_DUMP = 6 };

    if (type >= RDB_TYPE_HASH_EXPIRES_RC)
        return file_version >= RDB_VERSION_VALKEY ? RDB_VERSION_VALKEY : RDB_VERSION_MAX;
    if (type >= RDB_TYPE_SET_LISTPACK)
        return RDB_SET_LISTPACK_FROM_VERSION;
    if (type >= RDB_TYPE_HASH_LISTPACK)
        return RDB_LISTPACKS_FROM_VERSION;
    if (type == RDB_TYPE_STREAM)
        return 9;
    if (type == RDB_TYPE_ZSET_2)
        return 8;
    return type == RDB_TYPE_LIST_QUICKLIST ? 7 : FIRST_WITH_DUMP;
}

bool
resp_payload_is_for(const struct server *s, int file_version, uint8_t type)
{
    int version = resp_payload_version(file_version, type);

    /* The server here loads Valkey's files, but takes payloads as Redis does; and what is Redis's
     * alone is foreign to Valkey. */
    if (version == RDB_VERSION_VALKEY)
        return s->valkey >= RDB_VERSION_VALKEY && !server_has(s, SERVER_OURS);
    return version <= s->redis;
}
