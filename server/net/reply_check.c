/* server/net/reply_check.c - see reply_check.h. */
#include "server/net/reply_check.h"

#include <stdint.h>

#include "mm/base/num.h"
#include "server/net/output.h"

/* Where in the output the reading is; replies go on from one chunk to the next. */
struct reading {
    struct client *client;
    size_t at, end; /* as client_pending_out() counts */
    const char *p;
    size_t rest; /* bytes at p in this chunk */
};

static bool
next_byte(struct reading *r, char *ret)
{
    if (r->at == r->end)
        return false;
    if (r->rest == 0)
        r->p = output_find(r->client, r->at, &r->rest);
    *ret = *r->p++;
    r->rest--;
    r->at++;
    return true;
}

static bool
skip(struct reading *r, size_t bytes)
{
    if (bytes > r->end - r->at)
        return false;
    r->at += bytes;
    if (bytes <= r->rest) {
        r->p += bytes;
        r->rest -= bytes;
    } else {
        r->rest = 0; /* found again at the next byte */
    }
    return true;
}

static bool
is_crlf(struct reading *r)
{
    char cr, lf;

    return next_byte(r, &cr) && cr == '\r' && next_byte(r, &lf) && lf == '\n';
}

/* skip_line: a simple string; neither CR nor LF may stand within it. */
static bool
skip_line(struct reading *r)
{
    char byte;

    while (next_byte(r, &byte) && byte != '\n')
        if (byte == '\r')
            return next_byte(r, &byte) && byte == '\n';
    return false;
}

/* read_length: the number of a header; -1: a null. */
static bool
read_length(struct reading *r, int64_t *ret)
{
    char text[NUM_MAX_BYTES], byte = '\0';
    size_t len = 0;

    while (next_byte(r, &byte) && byte != '\r' && len < sizeof text)
        text[len++] = byte;
    return byte == '\r' && next_byte(r, &byte) && byte == '\n' && num_parse(text, len, ret) &&
           *ret >= -1;
}

/* skip_one: a reply with all that belongs to it.  An attribute comes before a reply, and is no
 * reply of its own. */
static bool
skip_one(struct reading *r)
{
    int64_t length, left = 1;
    char type;

    for (; left > 0; left--) {
        if (!next_byte(r, &type))
            return false;
        switch (type) {
        case '+':
        case '-':
        case ':':
        case ',':
        case '#':
        case '(':
        case '_':
            if (!skip_line(r))
                return false;
            break;
        case '$':
        case '=':
            if (!read_length(r, &length) ||
                (length >= 0 && (!skip(r, (size_t)length) || !is_crlf(r))))
                return false;
            break;
        case '*':
        case '~':
        case '>':
            if (!read_length(r, &length))
                return false;
            left += length > 0 ? length : 0;
            break;
        case '%':
        case '|':
            if (!read_length(r, &length) || length < 0 || length > INT32_MAX)
                return false;
            left += 2 * length + (type == '|');
            break;
        default:
            return false;
        }
    }
    return true;
}

bool
reply_is_kept(const struct client *c, const struct reply_mark *since)
{
    return !c->is_muted && !c->close_now && !c->closed && stats.net_out_bytes == since->sent_bytes;
}

int
reply_count(struct client *c, const struct reply_mark *since)
{
    struct reading r = {.client = c, .at = since->pending, .end = client_pending_out(c)};
    int n = 0;

    if (r.end < r.at)
        return -1;
    for (; r.at < r.end; n++)
        if (!skip_one(&r))
            return -1;
    return n;
}
