/* tool/export/resp_payload.h - a value as RESTORE takes it.
 *
 *     type  the value as it stands in the file  version (2 bytes, LE)  CRC64 (8, LE)
 *
 * Its length stands before it: up to RESP_PAYLOAD_BYTES are kept in memory, what comes before the
 * last of these goes to a temporary file.
 * Threads: one. */
#ifndef TOOL_EXPORT_RESP_PAYLOAD_H
#define TOOL_EXPORT_RESP_PAYLOAD_H

#include "mm/base/slice.h"
#include "tool/base/out.h"
#include "tool/base/server.h"

enum { RESP_PAYLOAD_BYTES = 1 << 20 };

struct resp_payload {
    uint8_t *bytes;        /* [owned] */
    size_t len;            /* in memory */
    uint64_t spilled, crc; /* spilled: bytes in the file, which are its first */
    int fd;                /* of the file; -1: none yet */
};

/* resp_payload_init: 0 or -ENOMEM. */
int resp_payload_init(struct resp_payload *p);
void resp_payload_fini(struct resp_payload *p);
/* resp_payload_begin: of a value of that type.  resp_payload_add: 0, or -errno of the temporary
 * file. */
void resp_payload_begin(struct resp_payload *p, uint8_t type);
int resp_payload_add(struct resp_payload *p, struct slice piece);
/* resp_payload_end: it is whole: so many bytes.  Or -errno. */
int resp_payload_end(struct resp_payload *p, int version, uint64_t *ret_len);
/* resp_payload_put: all of these, as they stand. */
int resp_payload_put(struct resp_payload *p, struct tool_out *out);

/* resp_payload_version: what to say in the payload of a value of that type, from a file of that
 * version: the lowest that knows the type, so that as many servers as can be take it. */
int resp_payload_version(int file_version, uint8_t type);
/* resp_payload_is_for: does the server take it? */
bool resp_payload_is_for(const struct server *s, int file_version, uint8_t type);

#endif
