/* tool/values/base64.h - bytes as base64 (RFC 4648, with its padding, without line ends).
 * Threads: one at a time. */
#ifndef TOOL_VALUES_BASE64_H
#define TOOL_VALUES_BASE64_H

#include "tool/base/out.h"

/* Bytes in pieces: zeroed, base64_put()*, base64_end(). */
struct base64 {
    uint8_t held[3]; /* fewer than make four characters */
    unsigned held_bytes;
};
void base64_put(struct base64 *b, struct tool_out *out, struct slice piece);
void base64_end(struct base64 *b, struct tool_out *out);

#endif
