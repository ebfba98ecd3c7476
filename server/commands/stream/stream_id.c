/* server/commands/stream/stream_id.c - ids and ranges as arguments, ids and entries as replies. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/commands/stream/stream.h"
#include "server/exec/typed_key.h"
#include "server/net/reply.h"

/* parse_half: a number without sign; blanks before it and leading zeros are welcome. */
static bool
parse_half(const char *text, uint64_t *ret)
{
    int64_t n;
    char *end;

    if (num_parse(text, strlen(text), &n)) {
        *ret = (uint64_t)n;
        return n >= 0;
    }
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *text != '\0' && *end == '\0';
}

bool
stream_id_parse(struct slice text, struct id_syntax syntax, struct stream_id *ret,
                bool *ret_has_seq)
{
    char copy[128], *dash;
    struct stream_id id = {0, syntax.missing};

    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (ret_has_seq != NULL)
        *ret_has_seq = true;
    if (strcmp(copy, "-") == 0 || strcmp(copy, "+") == 0) {
        *ret = copy[0] == '-' ? (struct stream_id){0, 0} : STREAM_ID_MAX;
        return !syntax.strict;
    }
    if ((dash = strchr(copy, '-')) != NULL)
        *dash = '\0';
    if (!parse_half(copy, &id.ms))
        return false;
    if (dash != NULL && ret_has_seq != NULL && strcmp(dash + 1, "*") == 0) {
        id.seq = 0;
        *ret_has_seq = false;
    } else if (dash != NULL && !parse_half(dash + 1, &id.seq)) {
        return false;
    }
    *ret = id;
    return true;
}

static bool
parse_or_complain(struct client *c, struct slice text, struct id_syntax syntax,
                  struct stream_id *ret)
{
    if (stream_id_parse(text, syntax, ret, NULL))
        return true;
    reply_error(c, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

bool
arg_stream_id(struct client *c, int i, struct stream_id *ret)
{
    return parse_or_complain(c, c->argv[i], (struct id_syntax){.strict = true}, ret);
}

/* parse_bound: one end of a range. */
static bool
parse_bound(struct client *c, int i, uint64_t missing, struct stream_id *ret, bool *ret_excluded)
{
    struct slice text = c->argv[i];

    *ret_excluded = text.len > 1 && text.ptr[0] == '(';
    if (*ret_excluded)
        text = (struct slice){text.ptr + 1, text.len - 1};
    return parse_or_complain(c, text,
                             (struct id_syntax){.missing = missing, .strict = *ret_excluded}, ret);
}

bool
arg_stream_start(struct client *c, int i, struct stream_id *ret)
{
    bool excluded;

    if (!parse_bound(c, i, 0, ret, &excluded))
        return false;
    if (!excluded || stream_id_up(ret))
        return true;
    reply_error(c, "ERR invalid start ID for the interval");
    return false;
}

bool
arg_stream_range(struct client *c, int start, int end, struct stream_id *ret_from,
                 struct stream_id *ret_to)
{
    bool excluded;

    if (!arg_stream_start(c, start, ret_from) ||
        !parse_bound(c, end, UINT64_MAX, ret_to, &excluded))
        return false;
    if (!excluded || stream_id_down(ret_to))
        return true;
    reply_error(c, "ERR invalid end ID for the interval");
    return false;
}

/* ---- replies ---- */

void
reply_no_group(struct client *c, const char *const texts[3], struct slice first,
               struct slice second)
{
    struct text t = {0};

    text_addf(&t, "NOGROUP %s '%.*s'", texts[0], (int)first.len, first.ptr);
    text_addf(&t, " %s '%.*s'%s", texts[1], (int)second.len, second.ptr, texts[2]);
    reply_why(c, "", &t);
    text_free(&t);
}

void
reply_stream_id(struct client *c, struct stream_id id)
{
    char text[2 * NUM_MAX_BYTES + 1], *end = num_put_unsigned(text, id.ms);

    *end++ = '-';
    end = num_put_unsigned(end, id.seq);
    reply_bulk(c, text, (size_t)(end - text));
}

static void
reply_element(struct client *c, const struct lp_elem *e)
{
    if (e->bytes != NULL)
        reply_bulk(c, e->bytes, e->len);
    else
        reply_bulk_int(c, e->value);
}

void
reply_stream_entry(struct client *c, const struct stream_item *item)
{
    struct stream_pairs pairs = stream_item_pairs(item);
    struct lp_elem field, value;

    reply_array(c, 2);
    reply_stream_id(c, item->id);
    reply_array(c, 2 * (size_t)item->fields);
    while (stream_pairs_next(&pairs, &field, &value)) {
        reply_element(c, &field);
        reply_element(c, &value);
    }
}

bool
reply_stream_entry_at(struct client *c, const struct stream *s, struct stream_id id)
{
    struct stream_iter it;
    struct stream_item item;

    stream_iter_init(&it, s, id, id, false);
    if (!stream_iter_next(&it, &item))
        return false;
    reply_stream_entry(c, &item);
    return true;
}

void
reply_stream_range(struct client *c, struct stream_iter *it, int64_t count)
{
    size_t token = reply_array_deferred(c), entries = 0;
    struct stream_item item;

    while ((count == 0 || entries < (uint64_t)count) && stream_iter_next(it, &item)) {
        reply_stream_entry(c, &item);
        entries++;
    }
    reply_array_close(c, token, entries);
}

/* ---- keys ---- */

const struct stream *
stream_of(const struct db_ref *ref)
{
    return ref->rec == NULL ? NULL : record_root(ref->rec);
}

bool
stream_key_with_group(struct client *c, const struct stream **ret_stream,
                      const struct stream_group **ret_group)
{
    struct slice key = c->argv[1], group = c->argv[2];
    const struct stream_group *g = NULL;
    const struct stream *s;
    struct db_ref ref;

    if (!key_of_type(c, 1, TYPE_STREAM, DB_READ, &ref))
        return false;
    if ((s = stream_of(&ref)) == NULL || (g = stream_group_find(s, group)) == NULL) {
        reply_no_group(c, (const char *const[]){"No such key", "or consumer group", ""}, key,
                       group);
        return false;
    }
    *ret_stream = s;
    *ret_group = g;
    return true;
}
