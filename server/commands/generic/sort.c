/* server/commands/generic/sort.c - SORT, SORT_RO: arguments, order, reply or a list in another key.
 * [Redis documentation: SORT]  Words are ordered byte by byte, whatever the locale. */
#include <errno.h>
#include <stdlib.h>

#include "server/commands/generic/sort.h"
#include "server/data/db/db.h"
#include "server/data/db/load_value.h"
#include "server/data/db/value.h"
#include "server/data/list/list.h"
#include "server/data/list/load_list.h"
#include "server/data/set/set.h"
#include "server/data/zset/zset.h"
#include "server/exec/acl.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

/* ---- arguments ---- */

/* BY and GET read keys that the words do not name. */
static bool
may_read_all(const struct client *c)
{
    return likely(!c->is_limited) || acl_check_reading_all(c->user, c->cmd, c->argv, c->argc);
}

/* parse_option: the one at *i, which moves to its last word. */
static bool
refuse(struct client *c, const char *option)
{
    reply_errorf(c, "ERR %s option of SORT denied due to insufficient ACL permissions.", option);
    return false;
}

static bool
parse_option(struct client *c, int *i, bool may_store, struct sort *s)
{
    int left = c->argc - *i - 1;

    if (arg_is(c, *i, "asc") || arg_is(c, *i, "desc")) {
        s->descending = arg_is(c, *i, "desc");
    } else if (arg_is(c, *i, "alpha")) {
        s->alpha = true;
    } else if (arg_is(c, *i, "limit") && left >= 2) {
        if (!arg_int(c, *i + 1, &s->offset) || !arg_int(c, *i + 2, &s->count))
            return false;
        *i += 2;
    } else if (may_store && arg_is(c, *i, "store") && left >= 1) {
        s->store = ++*i;
    } else if (arg_is(c, *i, "by") && left >= 1) {
        s->by = c->argv[++*i];
        s->is_unsorted = memchr(s->by.ptr, '*', s->by.len) == NULL;
        if (!s->is_unsorted && !may_read_all(c))
            return refuse(c, "BY");
    } else if (arg_is(c, *i, "get") && left >= 1) {
        if (!may_read_all(c))
            return refuse(c, "GET");
        s->get[s->gets++] = ++*i;
    } else {
        reply_syntax(c);
        return false;
    }
    return true;
}

static bool
parse(struct client *c, bool may_store, struct sort *s)
{
    *s = (struct sort){.count = -1, .get = malloc((size_t)c->argc * sizeof *s->get)};
    if (s->get == NULL) {
        reply_no_memory(c);
        return false;
    }
    for (int i = 2; i < c->argc; i++)
        if (!parse_option(c, &i, may_store, s))
            return false;
    if (s->is_unsorted)
        s->by = (struct slice){.ptr = NULL};
    return true;
}

/* ---- order ---- */

static int
compare_words(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int r = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

static int
compare_items(const void *pa, const void *pb, void *ctx)
{
    const struct sort_item *a = pa, *b = pb;
    const struct sort *s = ctx;
    int r;

    if (!s->alpha) {
        r = (a->score > b->score) - (a->score < b->score);
        if (r == 0)
            r = compare_words(sort_text(s, a->at, a->len), sort_text(s, b->at, b->len));
    } else if (a->has_word && b->has_word) {
        r = compare_words(sort_text(s, a->by_at, a->by_len), sort_text(s, b->by_at, b->by_len));
    } else {
        r = (int)a->has_word - (int)b->has_word;
    }
    return s->descending ? -r : r;
}

/* ---- result ---- */

/* Which of the items are wanted: [first, first + count). */
struct span {
    uint64_t first, count;
};

static struct span
wanted(const struct sort *s, uint64_t total)
{
    uint64_t first = s->offset < 0 ? 0 : (uint64_t)s->offset;
    struct span span;

    span.first = first < total ? first : total;
    span.count = total - span.first;
    if (s->count >= 0 && (uint64_t)s->count < span.count)
        span.count = (uint64_t)s->count;
    return span;
}

typedef bool (*output)(void *ctx, bool found, struct slice word);

/* each_word: what is answered or stored, one after the other.  False: out gave up. */
static bool
each_word(struct client *c, const struct sort *s, struct span span, output out, void *ctx)
{
    char scratch[SORT_SCRATCH_BYTES];

    for (uint64_t i = span.first; i < span.first + span.count; i++) {
        const struct sort_item *item = &s->items[i];

        if (s->gets == 0 && !out(ctx, true, sort_text(s, item->at, item->len)))
            return false;
        for (unsigned g = 0; g < s->gets; g++) {
            struct slice word = {"", 0};
            bool found = sort_lookup(s, c->db, c->argv[s->get[g]], item, scratch, &word);

            if (!out(ctx, found, word))
                return false;
        }
    }
    return true;
}

static bool
reply_word(void *ctx, bool found, struct slice word)
{
    if (found)
        reply_bulk(ctx, word.ptr, word.len);
    else
        reply_null(ctx);
    return true;
}

static bool
store_word(void *ctx, bool found, struct slice word)
{
    (void)found; /* what is not there is an empty word in a list */
    return load_list_element(ctx, word) == 0;
}

/* make_list: the words as a list for the destination.  0 or -ENOMEM; load_fini(work) is the
 * caller's either way. */
static int
make_list(struct client *c, const struct sort *s, struct span span, struct load_state *work,
          struct value *ret)
{
    load_init(work);
    work->key = c->argv[s->store];
    if (load_list_begin(work) < 0 || !each_word(c, s, span, store_word, work) ||
        load_list_end(work) < 0)
        return -ENOMEM;
    return load_take(work, ret);
}

static int
store_list(struct client *c, const struct sort *s, struct span span)
{
    struct load_state work;
    struct value v;
    int r = make_list(c, s, span, &work, &v);

    if (r == 0) {
        struct record_spec spec = {
            .key = c->argv[s->store], .expire_at_ms = RECORD_NO_EXPIRE, .value = v};
        struct db_ref ref;

        db_lookup(c->db, c->argv[s->store], 0, &ref);
        if ((r = ref.rec == NULL ? db_insert(&ref, &spec) : db_update(&ref, &spec)) < 0)
            value_free(&v);
    }
    load_fini(&work);
    return r;
}

static void
store(struct client *c, const struct sort *s, struct span span)
{
    uint64_t words = span.count * (s->gets > 0 ? s->gets : 1);

    if (words == 0) {
        if (db_delete(c->db, c->argv[s->store]))
            changed_gone(c, c->argv[s->store]);
    } else if (store_list(c, s, span) < 0) {
        reply_no_memory(c);
        return;
    } else {
        changed(c, c->argv[s->store], KEY_EVENT_LIST, "sortstore", words);
    }
    reply_int(c, (int64_t)words);
}

/* ---- the commands ---- */

static uint64_t
elements_of(const struct record *r)
{
    switch (record_type(r)) {
    case TYPE_LIST:
        return list_len(r);
    case TYPE_ZSET:
        return zset_len(r);
    default:
        return set_of(r).count;
    }
}

/* collect: the elements in order.  False, and the error was replied. */
static bool
collect(struct client *c, struct sort *s, const struct record *r, struct span *ret)
{
    uint64_t total = r == NULL ? 0 : elements_of(r);
    struct span all = {0, total};

    *ret = wanted(s, total);
    /* The order of a set is nobody's: where it is to be kept, it is made one. */
    if (s->is_unsorted && s->store > 0 && r != NULL && record_type(r) == TYPE_SET) {
        s->is_unsorted = false;
        s->alpha = true;
    }
    if (s->is_unsorted && r != NULL && record_type(r) != TYPE_SET) {
        all = *ret; /* of what has an order, only what is wanted is looked at */
        ret->first = 0;
    }
    if (r != NULL)
        sort_collect(s, r, all.first, all.count);
    if (!s->is_unsorted && !s->failed && !sort_weigh(s, c->db)) {
        reply_error(c, "ERR One or more scores can't be converted into double");
        return false;
    }
    if (s->failed) {
        reply_no_memory(c);
        return false;
    }
    if (!s->is_unsorted && s->total > 1)
        qsort_r(s->items, s->total, sizeof *s->items, compare_items, s);
    return true;
}

static void
run(struct client *c, struct sort *s)
{
    const struct record *r = db_find_read(c->db, c->argv[1]);
    struct span span;

    if (r != NULL && record_type(r) != TYPE_LIST && record_type(r) != TYPE_SET &&
        record_type(r) != TYPE_ZSET) {
        reply_wrong_type(c);
        return;
    }
    if (!collect(c, s, r, &span))
        return;
    if (s->store > 0) {
        store(c, s, span);
        return;
    }
    reply_array(c, span.count * (s->gets > 0 ? s->gets : 1));
    (void)each_word(c, s, span, reply_word, c);
}

static void
sort(struct client *c, bool may_store)
{
    struct sort s;

    if (parse(c, may_store, &s))
        run(c, &s);
    sort_fini(&s);
}

void
cmd_sort(struct client *c)
{
    sort(c, true);
}

void
cmd_sort_ro(struct client *c)
{
    sort(c, false);
}
