/* tool/values/json.h - strings and numbers of JSON.
 *
 * What of a string is UTF-8 is written as it is, and each byte that is not as a lone surrogate,
 * \udc80 to \udcff for 0x80 to 0xff, which Python's "surrogateescape" reads back exactly; or the
 * whole as base64 (binary.h).
 * Threads: one at a time. */
#ifndef TOOL_VALUES_JSON_H
#define TOOL_VALUES_JSON_H

#include "mm/base/num.h"
#include "tool/values/binary.h"

/* json_string: s in quotes. */
void json_string(struct tool_out *out, struct slice s, enum binary binary);
/* json_score: a number, or "inf", "-inf" in quotes, since JSON has no such numbers. */
void json_score(struct tool_out *out, double score);
/* json_put, json_put_rest: for struct pieces; the quotes are the caller's. */
void json_put(struct pieces *s, struct slice piece);
void json_put_rest(struct pieces *s);

static inline void
json_unsigned(struct tool_out *out, uint64_t v)
{
    uint8_t *p = tool_out_room(out, NUM_MAX_BYTES);

    tool_out_used(out, (uint8_t *)num_put_unsigned((char *)p, v));
}

static inline void
json_int(struct tool_out *out, int64_t v)
{
    uint8_t *p = tool_out_room(out, NUM_MAX_BYTES);

    tool_out_used(out, (uint8_t *)num_put((char *)p, v));
}

#endif
