/* server/net/resp.c - requests.  See resp.h for the two ways through it.
 *
 * Redis is followed where it is lenient: the two bytes after a header's CR and after a bulk are not
 * looked at. */
#include "server/net/resp.h"

#include <stdio.h>
#include <stdlib.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/text.h"

enum { ARG_MIN_BYTES = 6 /* "$0\r\n\r\n" */ };

static const char bad_count[] = "Protocol error: invalid multibulk length";
static const char bad_bulk[] = "Protocol error: invalid bulk length";
static const char long_inline[] = "Protocol error: too big inline request";
static const char long_count[] = "Protocol error: too big mbulk count string";
static const char long_bulk[] = "Protocol error: too big bulk count string";
static const char stranger_count[] = "Protocol error: unauthenticated multibulk length";
static const char stranger_bulk[] = "Protocol error: unauthenticated bulk length";
static const char bad_quotes[] = "Protocol error: unbalanced quotes in request";

static bool
vector_reserve(struct resp_vector *v, size_t more)
{
    size_t room = v->room > 0 ? (size_t)v->room : 64;
    struct slice *p;

    if (likely((size_t)(v->room - v->count) >= more))
        return true;
    while (room - (size_t)v->count < more)
        room *= 2;
    if (room > INT32_MAX || (p = realloc(v->at, room * sizeof *p)) == NULL)
        return false;
    v->at = p;
    v->room = (int)room;
    return true;
}

void
resp_vector_free(struct resp_vector *v)
{
    free(v->at);
    free(v->scratch);
    *v = (struct resp_vector){.max_bulk_bytes = v->max_bulk_bytes};
}

void
resp_reset(struct resp *r)
{
    free(r->args);
    *r = (struct resp){0};
}

/* ---- the short way ---- */

/* A canonical length of up to nine digits and its CRLF; NULL: something else.  Needs no bound: it
 * stops at the NUL behind the buffer at the latest. */
static inline const char *
short_length(const char *p, uint32_t *ret)
{
    uint32_t v = (unsigned char)*p++ - (unsigned)'0', digit;
    int more = 8;

    if (v > 9)
        return NULL;
    while ((digit = (unsigned char)*p - (unsigned)'0') <= 9) {
        if (v == 0 || more-- == 0)
            return NULL;
        v = v * 10 + digit;
        p++;
    }
    *ret = v;
    return p[0] == '\r' && p[1] == '\n' ? p + 2 : NULL;
}

/* A whole command in canonical form.  Returns its length, or 0: take the long way. */
static inline size_t
parse_short(const char *buf, size_t len, struct resp_vector *v)
{
    const char *p = buf + 1, *end = buf + len;
    uint32_t count, bulk;
    struct slice *out;

    if ((p = short_length(p, &count)) == NULL || count == 0 ||
        count > (size_t)(end - p) / ARG_MIN_BYTES)
        return 0;
    if (unlikely(!vector_reserve(v, count)))
        return 0;
    out = v->at + v->count;
    for (uint32_t i = 0; i < count; i++) {
        if (*p != '$' || (p = short_length(p + 1, &bulk)) == NULL)
            return 0;
        if ((size_t)bulk + 2 > (size_t)(end - p) || bulk > v->max_bulk_bytes)
            return 0;
        out[i].ptr = p;
        out[i].len = bulk;
        p += bulk + 2;
    }
    v->count += (int)count;
    return (size_t)(p - buf);
}

/* ---- the long way ---- */

/* The line at r->at, up to its CR: *ret_len bytes, and r->at behind it.  MORE or ERROR
 * otherwise. */
static enum resp_result
take_header(struct resp *r, const char *buf, size_t len, const char *too_long, size_t *ret_len,
            const char **ret_error)
{
    const char *start = buf + r->at, *cr = memchr(start, '\r', len - r->at);

    if (cr == NULL || cr + 1 >= buf + len) {
        if (cr == NULL && len - r->at > RESP_INLINE_MAX_BYTES) {
            *ret_error = too_long;
            return RESP_ERROR;
        }
        return RESP_MORE;
    }
    *ret_len = (size_t)(cr - start);
    r->at += *ret_len + 2;
    return RESP_COMMAND;
}

static enum resp_result
take_count(struct resp *r, const char *buf, size_t len, bool is_stranger, const char **ret_error)
{
    enum resp_result result;
    size_t n;
    int64_t v;

    r->at = 1;
    if ((result = take_header(r, buf, len, long_count, &n, ret_error)) != RESP_COMMAND) {
        r->at = 0; /* nothing is parsed: the short way may still take it */
        return result;
    }
    if (!num_parse(buf + 1, n, &v) || v > INT32_MAX) {
        *ret_error = bad_count;
        return RESP_ERROR;
    }
    if (is_stranger && v > RESP_STRANGER_ARGS) {
        *ret_error = stranger_count;
        return RESP_ERROR;
    }
    if (v <= 0)
        return RESP_NOTHING;
    r->want = (int32_t)v;
    return RESP_COMMAND;
}

static enum resp_result
take_bulk_length(struct resp *r, const char *buf, size_t len, const struct resp_vector *limits,
                 const char **ret_error)
{
    static char text[] = "Protocol error: expected '$', got '?'";
    size_t start = r->at, n;
    enum resp_result result;
    int64_t v;

    if ((result = take_header(r, buf, len, long_bulk, &n, ret_error)) != RESP_COMMAND)
        return result;
    if (buf[start] != '$') {
        text[sizeof text - 3] = buf[start];
        *ret_error = text;
        return RESP_ERROR;
    }
    if (n == 0 || !num_parse(buf + start + 1, n - 1, &v) || v < 0 ||
        (uint64_t)v > limits->max_bulk_bytes) {
        *ret_error = bad_bulk;
        return RESP_ERROR;
    }
    if (limits->is_stranger && v > RESP_STRANGER_BULK_BYTES) {
        *ret_error = stranger_bulk;
        return RESP_ERROR;
    }
    r->in_bulk = true;
    r->bulk_len = (uint64_t)v;
    return RESP_COMMAND;
}

static bool
add_span(struct resp *r)
{
    if (r->have == r->room) {
        int32_t room = r->room > 0 ? r->room * 2 : 16;
        struct resp_span *p =
            r->room <= INT32_MAX / 2 ? realloc(r->args, (size_t)room * sizeof *p) : NULL;
        if (p == NULL)
            return false;
        r->args = p;
        r->room = room;
    }
    r->args[r->have++] = (struct resp_span){.at = r->at, .len = r->bulk_len};
    r->at += r->bulk_len + 2;
    r->in_bulk = false;
    return true;
}

/* All arguments are there: hand them over. */
static enum resp_result
finish_array(struct resp *r, const char *buf, struct resp_vector *v, size_t *ret_used)
{
    if (!vector_reserve(v, (size_t)r->have))
        return RESP_NO_MEMORY;
    for (int32_t i = 0; i < r->have; i++)
        v->at[v->count++] = (struct slice){buf + r->args[i].at, r->args[i].len};
    *ret_used = r->at;
    resp_reset(r);
    return RESP_COMMAND;
}

static enum resp_result
parse_array(struct resp *r, const char *buf, size_t len, struct resp_vector *v, size_t *ret_used,
            const char **ret_error)
{
    enum resp_result result;

    if (r->want == 0) {
        if ((result = take_count(r, buf, len, v->is_stranger, ret_error)) == RESP_NOTHING) {
            *ret_used = r->at;
            resp_reset(r);
        }
        if (result != RESP_COMMAND)
            return result;
    }
    while (r->have < r->want) {
        if (!r->in_bulk) {
            if (r->at >= len)
                return RESP_MORE;
            if ((result = take_bulk_length(r, buf, len, v, ret_error)) != RESP_COMMAND)
                return result;
        }
        if (len < r->at || len - r->at < r->bulk_len + 2)
            return RESP_MORE;
        if (!add_span(r))
            return RESP_NO_MEMORY;
    }
    return finish_array(r, buf, v, ret_used);
}

static bool
scratch_reserve(struct resp_vector *v, size_t bytes)
{
    char *p;

    if (bytes <= v->scratch_room)
        return true;
    if ((p = realloc(v->scratch, bytes)) == NULL)
        return false;
    v->scratch = p;
    v->scratch_room = bytes;
    return true;
}

static enum resp_result
parse_inline(struct resp *r, const char *buf, size_t len, struct resp_vector *v, size_t *ret_used,
             const char **ret_error)
{
    /* As in Redis, no line goes on behind a zero byte: it never ends, and is refused as too
     * long. */
    const char *newline = strchrnul(buf + r->at, '\n');
    size_t n;
    int words;

    if (*newline == '\0') {
        r->at = (size_t)(newline - buf); /* not looked at again */
        if (len <= RESP_INLINE_MAX_BYTES)
            return RESP_MORE;
        *ret_error = long_inline;
        return RESP_ERROR;
    }
    n = (size_t)(newline - buf);
    *ret_used = n + 1;
    resp_reset(r);
    v->scratch_used = memchr(buf, '"', n) != NULL || memchr(buf, '\'', n) != NULL;
    if (!vector_reserve(v, n / 2 + 1) || (v->scratch_used && !scratch_reserve(v, n)))
        return RESP_NO_MEMORY;
    words = text_split_words(buf, n, v->scratch, v->at + v->count, v->room - v->count);
    if (words < 0) {
        *ret_error = bad_quotes;
        return RESP_ERROR;
    }
    v->count += words;
    return words > 0 ? RESP_COMMAND : RESP_NOTHING;
}

enum resp_result
resp_next(struct resp *r, const char *buf, size_t len, struct resp_vector *v, size_t *ret_used,
          const char **ret_error)
{
    debug_check(buf[len] == '\0');
    v->scratch_used = false;
    if (len == 0)
        return RESP_MORE;
    if (buf[0] != '*')
        return parse_inline(r, buf, len, v, ret_used, ret_error);
    if (r->want == 0 && (*ret_used = parse_short(buf, len, v)) > 0)
        return RESP_COMMAND;
    return parse_array(r, buf, len, v, ret_used, ret_error);
}

enum resp_result
resp_next_of_stranger(struct resp *r, const char *buf, size_t len, struct resp_vector *v,
                      size_t *ret_used, const char **ret_error)
{
    enum resp_result result;

    v->scratch_used = false;
    if (len == 0)
        return RESP_MORE;
    if (buf[0] != '*')
        return parse_inline(r, buf, len, v, ret_used, ret_error);
    v->is_stranger = true;
    result = parse_array(r, buf, len, v, ret_used, ret_error);
    v->is_stranger = false;
    return result;
}
