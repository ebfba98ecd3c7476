/* server/commands/stream/stream.c - streams: adding, deleting, ranges.  XREAD:
 * commands/stream/stream_read.c; groups: commands/stream/stream_group.c,
 * commands/stream/stream_claim.c; XINFO: commands/stream/stream_info.c. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/commands/stream/stream.h"
#include "server/commands/stream/stream_effect.h"
#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/exec/keywait.h"
#include "server/exec/typed_key.h"
#include "server/net/reply.h"

#include "server/commands/stream/stream.def"

static bool
find_stream(struct client *c, unsigned flags, struct db_ref *ref)
{
    return key_of_type(c, 1, TYPE_STREAM, flags, ref);
}

/* ---- the options of XADD and XTRIM ---- */

struct add_options {
    bool trims, no_make, has_id, has_seq, has_limit;
    struct stream_trim trim;
    struct stream_id id;
    int at; /* of the id */
};

/* parse_threshold: what follows MAXLEN or MINID at argument *i. */
static bool
parse_threshold(struct client *c, struct add_options *o, int *i)
{
    int left = c->argc - 1 - *i;
    int64_t n;

    if (o->trims) {
        reply_error(
            c, "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        return false;
    }
    o->trims = true;
    o->trim.by_id = arg_is(c, *i, "minid");
    o->trim.approximately = left >= 2 && slice_equal(c->argv[*i + 1], SLICE("~"));
    *i += 1 + (left >= 2 && (o->trim.approximately || slice_equal(c->argv[*i + 1], SLICE("="))));
    if (o->trim.by_id)
        return arg_stream_id(c, *i, &o->trim.min);
    if (!arg_int(c, *i, &n))
        return false;
    if (n < 0)
        reply_error(c, "ERR The MAXLEN argument must be >= 0.");
    o->trim.length = (uint64_t)n;
    return n >= 0;
}

static bool
parse_limit(struct client *c, struct add_options *o, int i)
{
    int64_t n;

    if (!arg_int(c, i, &n))
        return false;
    if (n < 0)
        reply_error(c, "ERR The LIMIT argument must be >= 0.");
    o->trim.limit = (uint64_t)n;
    o->has_limit = true;
    return n >= 0;
}

/* default_limit: of ~ without LIMIT. */
static uint64_t
default_limit(void)
{
    enum { NODES = 100, WITHOUT_NODES = 10000, MOST = 1000000 };
    int64_t entries = config.stream_node_max_entries;

    if (entries > MOST / NODES)
        return MOST;
    return entries <= 0 ? WITHOUT_NODES : (uint64_t)entries * NODES;
}

/* check_options: what can only be said in the end. */
static bool
check_options(struct client *c, struct add_options *o, bool is_add)
{
    const char *wrong = NULL;

    if (o->trim.limit != 0 && !o->trims)
        wrong = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    else if (!is_add && !o->trims)
        wrong = "ERR syntax error, XTRIM must be called with a trimming strategy";
    else if (o->has_limit && !o->trim.approximately)
        wrong = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    if (wrong != NULL) {
        reply_error(c, wrong);
        return false;
    }
    if (!o->has_limit && o->trim.approximately)
        o->trim.limit = default_limit();
    return true;
}

static bool
parse_new_id(struct client *c, struct add_options *o, int i)
{
    o->has_id = true;
    if (stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &o->id, &o->has_seq))
        return true;
    reply_error(c, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

static bool
parse_options(struct client *c, struct add_options *o, bool is_add)
{
    int i;

    *o = (struct add_options){.at = c->argc};
    for (i = 2; i < c->argc; i++) {
        bool more = i + 1 < c->argc;

        if (is_add && slice_equal(c->argv[i], SLICE("*")))
            break;
        if ((arg_is(c, i, "maxlen") || arg_is(c, i, "minid")) && more) {
            if (!parse_threshold(c, o, &i))
                return false;
        } else if (arg_is(c, i, "limit") && more) {
            if (!parse_limit(c, o, ++i))
                return false;
        } else if (is_add && arg_is(c, i, "nomkstream")) {
            o->no_make = true;
        } else if (is_add) {
            if (!parse_new_id(c, o, i))
                return false;
            break;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    o->at = i;
    return check_options(c, o, is_add);
}

/* ---- XADD ---- */

/* choose_id: the new entry's; false: it would not be above the last one. */
static bool
choose_id(const struct add_options *o, struct stream_id last, struct stream_id *ret)
{
    if (!o->has_id) {
        *ret = (struct stream_id){(uint64_t)clock_now.ms, 0};
        if (ret->ms <= last.ms) {
            *ret = last;
            stream_id_up(ret);
        }
    } else {
        *ret = o->id;
        if (!o->has_seq && last.ms == o->id.ms) {
            if (last.seq == UINT64_MAX)
                return false;
            ret->seq = last.seq + 1;
        }
    }
    return stream_id_compare(*ret, last) > 0;
}

/* id_for: the new entry's id; false: an error was replied. */
static bool
id_for(struct client *c, const struct add_options *o, const struct stream *s, struct stream_id *ret)
{
    struct stream_id last = s == NULL ? (struct stream_id){0, 0} : s->last;
    uint64_t bytes = 0;

    if (stream_id_compare(last, STREAM_ID_MAX) == 0) {
        reply_error(c,
                    "ERR The stream has exhausted the last possible ID, unable to add more items");
        return false;
    }
    if (!choose_id(o, last, ret)) {
        reply_error(
            c, "ERR The ID specified in XADD is equal or smaller than the target stream top item");
        return false;
    }
    for (int i = o->at + 1; i < c->argc; i++)
        bytes += c->argv[i].len;
    if (bytes > STREAM_NODE_MAX_BYTES) {
        reply_error(c, "ERR Elements are too large to be stored");
        return false;
    }
    return true;
}

/* make_stream: the key gets this stream, which becomes its own; false: no memory, it is freed. */
static bool
make_stream(struct db_ref *ref, const struct stream *s)
{
    struct value v = {.type = TYPE_STREAM, .enc = ENC_ROOT, .root = s};

    if (db_store(ref, &v, RECORD_NO_EXPIRE) == 0)
        return true;
    value_free(&v);
    return false;
}

/* append: false: no memory, and nothing has changed. */
static bool
append(struct client *c, struct db_ref *ref, const struct add_options *o, struct stream_id id)
{
    const struct stream *s = stream_of(ref);
    const struct slice *words = c->argv + o->at + 1;
    int pairs = (c->argc - o->at - 1) / 2;

    if (s != NULL)
        return stream_append(s, id, words, pairs) == 0;
    if ((s = stream_new()) == NULL)
        return false;
    if (stream_append(s, id, words, pairs) < 0) {
        value_free(&(struct value){.type = TYPE_STREAM, .enc = ENC_ROOT, .root = s});
        return false;
    }
    return make_stream(ref, s);
}

/* XADD key [options] id field value ... -> the id; null with NOMKSTREAM where there is no
 * stream. */
void
cmd_xadd(struct client *c)
{
    struct add_options o;
    struct stream_id id;
    struct db_ref ref;
    bool trimmed = false;
    int words;

    if (!parse_options(c, &o, true))
        return;
    words = c->argc - o.at - 1;
    if (words < 2 || words % 2 != 0) {
        arg_wrong_count(c);
        return;
    }
    if (o.has_id && o.has_seq && o.id.ms == 0 && o.id.seq == 0) {
        reply_error(c, "ERR The ID specified in XADD must be greater than 0-0");
        return;
    }
    if (!find_stream(c, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL && o.no_make) {
        reply_null(c);
        return;
    }
    if (!id_for(c, &o, stream_of(&ref), &id))
        return;
    if (!append(c, &ref, &o, id)) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_STREAM, "xadd", 1);
    if (o.trims && (trimmed = stream_trim(stream_of(&ref), &o.trim) > 0))
        key_event(c->db, c->argv[1], KEY_EVENT_STREAM, "xtrim");
    if (unlikely(effects_are_wanted))
        stream_say_added(c, o.at, id, trimmed ? stream_of(&ref) : NULL);
    keywait_ready(c->db, c->argv[1]);
    reply_stream_id(c, id);
}

/* ---- deleting ---- */

/* XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count] -> how many entries went. */
void
cmd_xtrim(struct client *c)
{
    struct add_options o;
    struct db_ref ref;
    uint64_t gone = 0;

    if (!parse_options(c, &o, false) || !find_stream(c, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL && (gone = stream_trim(stream_of(&ref), &o.trim)) > 0) {
        changed(c, c->argv[1], KEY_EVENT_STREAM, "xtrim", gone);
        if (unlikely(effects_are_wanted))
            stream_say_trimmed(c->argv[1], stream_of(&ref));
    }
    reply_int(c, (int64_t)gone);
}

/* XDEL key id ... -> how many there were.  The stream stays, even if it is empty. */
void
cmd_xdel(struct client *c)
{
    struct stream_id id;
    struct db_ref ref;
    int64_t deleted = 0;

    if (!find_stream(c, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL) {
        reply_int(c, 0);
        return;
    }
    for (int i = 2; i < c->argc; i++)
        if (!arg_stream_id(c, i, &id))
            return;
    for (int i = 2; i < c->argc; i++) {
        stream_id_parse(c->argv[i], (struct id_syntax){.strict = true}, &id, NULL);
        deleted += stream_delete(stream_of(&ref), id);
    }
    if (deleted > 0) {
        stream_mend_first(stream_of(&ref));
        changed(c, c->argv[1], KEY_EVENT_STREAM, "xdel", (uint64_t)deleted);
    }
    reply_int(c, deleted);
}

/* ---- reading ---- */

void
cmd_xlen(struct client *c)
{
    struct db_ref ref;

    if (find_stream(c, DB_READ, &ref))
        reply_int(c, ref.rec == NULL ? 0 : (int64_t)stream_of(&ref)->length);
}

/* range: COUNT 0 or below answers a null array, as Redis does. */
static void
range(struct client *c, int start, int end, bool reverse)
{
    struct stream_id from, to;
    struct stream_iter it;
    struct db_ref ref;
    int64_t count = -1;

    if (!arg_stream_range(c, start, end, &from, &to))
        return;
    for (int i = 4; i < c->argc; i += 2) {
        if (!arg_is(c, i, "count") || i + 1 == c->argc) {
            reply_syntax(c);
            return;
        }
        if (!arg_int(c, i + 1, &count))
            return;
        if (count < 0)
            count = 0;
    }
    if (!find_stream(c, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_array(c, 0);
    } else if (count == 0) {
        reply_null_array(c);
    } else {
        stream_iter_init(&it, stream_of(&ref), from, to, reverse);
        reply_stream_range(c, &it, count == -1 ? 0 : count);
    }
}

void
cmd_xrange(struct client *c)
{
    range(c, 2, 3, false);
}

void
cmd_xrevrange(struct client *c)
{
    range(c, 3, 2, true);
}

/* ---- XSETID ---- */

struct setid_options {
    struct stream_id last, max_deleted;
    int64_t entries_added; /* -1: not given */
};

static bool
parse_setid(struct client *c, struct setid_options *o)
{
    *o = (struct setid_options){.entries_added = -1};
    if (!arg_stream_id(c, 2, &o->last))
        return false;
    for (int i = 3; i < c->argc; i += 2) {
        if (arg_is(c, i, "entriesadded") && i + 1 < c->argc) {
            if (!arg_int(c, i + 1, &o->entries_added))
                return false;
            if (o->entries_added < 0) {
                reply_error(c, "ERR entries_added must be positive");
                return false;
            }
        } else if (arg_is(c, i, "maxdeletedid") && i + 1 < c->argc) {
            if (!arg_stream_id(c, i + 1, &o->max_deleted))
                return false;
            if (stream_id_compare(o->last, o->max_deleted) < 0) {
                reply_error(
                    c,
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
                return false;
            }
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* setid_is_wrong: NULL, or what the stream has against it. */
static const char *
setid_is_wrong(const struct stream *s, const struct setid_options *o)
{
    if (stream_id_compare(o->last, s->max_deleted) < 0)
        return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    if (s->length == 0)
        return NULL;
    if (stream_id_compare(o->last, stream_last_valid(s)) < 0)
        return "ERR The ID specified in XSETID is smaller than the target stream top item";
    if (o->entries_added != -1 && s->length > (uint64_t)o->entries_added)
        return "ERR The entries_added specified in XSETID is smaller than the target stream length";
    return NULL;
}

/* XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id] -> OK. */
void
cmd_xsetid(struct client *c)
{
    struct setid_options o;
    const struct stream *s;
    const char *wrong;
    struct db_ref ref;

    if (!parse_setid(c, &o) || !find_stream(c, DB_WRITE, &ref))
        return;
    if ((s = stream_of(&ref)) == NULL) {
        reply_no_key(c);
        return;
    }
    if ((wrong = setid_is_wrong(s, &o)) != NULL) {
        reply_error(c, wrong);
        return;
    }
    if (o.max_deleted.ms == 0 && o.max_deleted.seq == 0)
        o.max_deleted = s->max_deleted;
    stream_set_ids(s, o.last, o.max_deleted,
                   o.entries_added == -1 ? s->entries_added : (uint64_t)o.entries_added);
    changed_beside(c, c->argv[1], KEY_EVENT_STREAM, "xsetid", 1);
    reply_ok(c);
}
