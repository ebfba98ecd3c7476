/* server/net/reply.c - replies, built in place behind what the client's output buffer already
 * holds. */
#include "server/net/reply.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/real.h"
#include "mm/base/text.h"
#include "server/figures/errorstats.h"
#include "server/net/client.h"
#include "server/net/output.h"

enum {
    HEAD_MAX_BYTES = 1 + NUM_MAX_BYTES + 2, /* "$" length CRLF */
    ERROR_MAX_BYTES = 1024
};

static inline char *
put_end(char *p)
{
    p[0] = '\r';
    p[1] = '\n';
    return p + 2;
}

/* "<type>number\r\n" at p, which has room for HEAD_MAX_BYTES.  Returns the end. */
static inline char *
put_head(char *p, char type, uint64_t number)
{
    *p++ = type;
    return put_end(num_put_unsigned(p, number));
}

static void
reply_head(struct client *c, char type, uint64_t number)
{
    char *p = output_room(c, HEAD_MAX_BYTES);

    if (p != NULL)
        output_filled(c, put_head(p, type, number));
}

void
reply_raw(struct client *c, const void *bytes, size_t len)
{
    if (unlikely(!output_has_room(c, len))) {
        output_add(c, bytes, len);
        return;
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
}

void
reply_ok(struct client *c)
{
    reply_raw(c, "+OK\r\n", 5);
}

void
reply_status(struct client *c, const char *text)
{
    reply_raw(c, "+", 1);
    reply_raw(c, text, strlen(text));
    reply_raw(c, "\r\n", 2);
}

void
reply_error_again(struct client *c, const char *text)
{
    size_t len = strlen(text);
    char *p = output_room(c, len + 3);

    c->is_error = true;
    if (p == NULL)
        return;
    *p++ = '-';
    for (size_t i = 0; i < len; i++)
        *p++ = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    output_filled(c, put_end(p));
}

void
reply_error(struct client *c, const char *text)
{
    errorstats_count(text);
    reply_error_again(c, text);
}

void
reply_why(struct client *c, const char *head, const struct text *t)
{
    if (t->failed || t->len == 0)
        reply_no_memory(c);
    else if (head[0] != '\0')
        reply_errorf(c, "%s%s", head, text_str(t));
    else
        reply_error(c, text_str(t));
}

void
reply_errorf(struct client *c, const char *format, ...)
{
    char text[ERROR_MAX_BYTES];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    reply_error(c, text);
}

void
reply_int(struct client *c, int64_t value)
{
    char *p = output_room(c, HEAD_MAX_BYTES);

    if (p == NULL)
        return;
    *p = ':';
    p = num_put(p + 1, value);
    output_filled(c, put_end(p));
}

void
reply_bulk(struct client *c, const void *bytes, size_t len)
{
    char *p;

    if (unlikely(!output_has_room(c, HEAD_MAX_BYTES + len + 2))) {
        reply_head(c, '$', len);
        output_add(c, bytes, len);
        output_add(c, "\r\n", 2);
        return;
    }
    p = put_head(c->out + c->out_len, '$', len);
    if (len > 0)
        memcpy(p, bytes, len);
    output_filled(c, put_end(p + len));
}

void
reply_bulk_text(struct client *c, const char *text)
{
    reply_bulk(c, text, strlen(text));
}

void
reply_bulk_int(struct client *c, int64_t value)
{
    char buf[NUM_MAX_BYTES];

    reply_bulk(c, buf, (size_t)(num_put(buf, value) - buf));
}

void
reply_null(struct client *c)
{
    if (c->resp == 2)
        reply_raw(c, "$-1\r\n", 5);
    else
        reply_raw(c, "_\r\n", 3);
}

void
reply_null_array(struct client *c)
{
    if (c->resp == 2)
        reply_raw(c, "*-1\r\n", 5);
    else
        reply_raw(c, "_\r\n", 3);
}

void
reply_array(struct client *c, size_t count)
{
    reply_head(c, '*', count);
}

void
reply_map(struct client *c, size_t pairs)
{
    if (c->resp == 2)
        reply_head(c, '*', 2 * pairs);
    else
        reply_head(c, '%', pairs);
}

void
reply_set(struct client *c, size_t count)
{
    reply_head(c, c->resp == 2 ? '*' : '~', count);
}

void
reply_push(struct client *c, size_t count)
{
    reply_head(c, c->resp == 2 ? '*' : '>', count);
}

void
reply_attribute(struct client *c, size_t pairs)
{
    must(c->resp >= 3);
    reply_head(c, '|', pairs);
}

void
reply_bulk_begin(struct client *c, size_t len)
{
    reply_head(c, '$', len);
}

void
reply_bulk_end(struct client *c)
{
    reply_raw(c, "\r\n", 2);
}

/* The header of an array is put where a gap was left for the longest one; what follows in its chunk
 * is moved up to it. */
size_t
reply_array_deferred(struct client *c)
{
    size_t token = client_pending_out(c);
    char *p = output_room(c, HEAD_MAX_BYTES);

    if (p == NULL)
        return token;
#ifdef STILLFRAME_DEBUG
    memset(p, 0, HEAD_MAX_BYTES); /* no reply, as long as it is not closed: reply_check.h */
#endif
    output_filled(c, p + HEAD_MAX_BYTES);
    return token;
}

static void
close_deferred(struct client *c, size_t token, char type, size_t count)
{
    char *start, *end;
    size_t rest;

    if (c->close_now || c->is_muted)
        return;
    must(token + HEAD_MAX_BYTES <= client_pending_out(c));
    start = output_find(c, token, &rest);
    must(rest >= HEAD_MAX_BYTES);
    end = put_head(start, type, count);
    memmove(end, start + HEAD_MAX_BYTES, rest - HEAD_MAX_BYTES);
    output_shorten(c, token, (size_t)(start + HEAD_MAX_BYTES - end));
}

void
reply_array_close(struct client *c, size_t token, size_t count)
{
    close_deferred(c, token, '*', count);
}

void
reply_set_close(struct client *c, size_t token, size_t count)
{
    close_deferred(c, token, c->resp == 3 ? '~' : '*', count);
}

void
reply_bool(struct client *c, bool value)
{
    if (c->resp == 2)
        reply_int(c, value);
    else
        reply_raw(c, value ? "#t\r\n" : "#f\r\n", 4);
}

void
reply_double(struct client *c, double value)
{
    char text[REAL_BYTES];
    unsigned n = real_print(value, text);

    if (c->resp == 2) {
        reply_bulk(c, text, n);
        return;
    }
    reply_raw(c, ",", 1);
    reply_raw(c, text, n);
    reply_raw(c, "\r\n", 2);
}

void
reply_big_number(struct client *c, const char *digits)
{
    if (c->resp == 2) {
        reply_bulk_text(c, digits);
        return;
    }
    reply_raw(c, "(", 1);
    reply_raw(c, digits, strlen(digits));
    reply_raw(c, "\r\n", 2);
}

void
reply_verbatim(struct client *c, const char *kind, const void *bytes, size_t len)
{
    if (c->resp == 2) {
        reply_bulk(c, bytes, len);
        return;
    }
    must(strlen(kind) == 3);
    reply_head(c, '=', len + 4);
    reply_raw(c, kind, 3);
    reply_raw(c, ":", 1);
    reply_raw(c, bytes, len);
    reply_raw(c, "\r\n", 2);
}

/* ---- errors that many commands share ---- */

void
reply_wrong_type(struct client *c)
{
    reply_error(c, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void
reply_syntax(struct client *c)
{
    reply_error(c, "ERR syntax error");
}

void
reply_not_int(struct client *c)
{
    reply_error(c, "ERR value is not an integer or out of range");
}

void
reply_no_key(struct client *c)
{
    reply_error(c, "ERR no such key");
}

void
reply_no_memory(struct client *c)
{
    reply_error(c, "OOM the arena has no memory left for this command; nothing was changed");
}

void
reply_take_back(struct client *c, size_t pending)
{
    if (client_pending_out(c) > pending)
        output_take_back(c, client_pending_out(c) - pending);
}

const char *
reply_subcommand_text(const char *complaint, struct slice name, struct slice word)
{
    static char text[256];
    int n =
        snprintf(text, sizeof text, "ERR %s '%.*s'. Try ", complaint, slice_shown(word), word.ptr);

    for (size_t i = 0; i < name.len && n < (int)sizeof text - 8; i++)
        text[n++] = (char)toupper((unsigned char)name.ptr[i]);
    snprintf(text + n, sizeof text - (size_t)n, " HELP.");
    return text;
}

void
reply_subcommand_syntax(struct client *c)
{
    reply_error(c, reply_subcommand_text("unknown subcommand or wrong number of arguments for",
                                         c->argv[0], c->argv[1]));
}
