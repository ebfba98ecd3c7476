/* server/commands/list/list.c - commands on one list.  Moving: commands/list/list_move.c; waiting:
 * commands/list/list_block.c. */
#include "server/commands/list/list.h"

#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"

#include "server/commands/list/list.def"

static const char *const pushed[] = {[LIST_HEAD] = "lpush", [LIST_TAIL] = "rpush"};

bool
list_find_key(struct client *c, int arg, unsigned flags, struct db_ref *ref)
{
    return key_of_type(c, arg, TYPE_LIST, flags, ref);
}

bool
arg_side(struct client *c, int arg, enum list_side *ret)
{
    if (!arg_is(c, arg, "left") && !arg_is(c, arg, "right")) {
        reply_syntax(c);
        return false;
    }
    *ret = arg_is(c, arg, "left") ? LIST_HEAD : LIST_TAIL;
    return true;
}

/* ---- push ---- */

static void
push(struct client *c, enum list_side side, bool only_existing)
{
    struct db_ref ref;

    if (!list_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL && only_existing) {
        reply_int(c, 0);
        return;
    }
    if (list_add(&ref, side, c->argv + 2, c->argc - 2) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_LIST, pushed[side], (uint64_t)c->argc - 2);
    reply_int(c, (int64_t)list_len(ref.rec));
}

void
cmd_lpush(struct client *c)
{
    push(c, LIST_HEAD, false);
}

void
cmd_rpush(struct client *c)
{
    push(c, LIST_TAIL, false);
}

void
cmd_lpushx(struct client *c)
{
    push(c, LIST_HEAD, true);
}

void
cmd_rpushx(struct client *c)
{
    push(c, LIST_TAIL, true);
}

/* ---- pop ---- */

void
list_went(struct client *c, const struct db_ref *ref, enum list_side side, uint64_t count)
{
    changed_taken(c, ref, KEY_EVENT_LIST, side == LIST_HEAD ? "lpop" : "rpop", count);
}

/* say_popped: from this list, whichever command it was, and for whomever. */
static void
say_popped(struct slice key, enum list_side side, uint64_t count)
{
    char number[NUM_MAX_BYTES];
    struct slice words[] = {side == LIST_HEAD ? SLICE("LPOP") : SLICE("RPOP"), key,
                            effect_number(number, (int64_t)count)};

    EFFECT(words);
}

/* reply_popped: the elements at the end that will go, in the order in which they do. */
static void
reply_popped(struct client *c, const struct record *r, const struct pop *p, uint64_t count)
{
    uint64_t len = list_len(r);
    struct list_iter it;
    struct list_elem e;

    if (p->side == LIST_HEAD) {
        reply_elements(c, r, 0, count);
        return;
    }
    list_iter_init(&it, r, len - 1, true);
    while (count-- > 0 && list_iter_next(&it, &e))
        reply_element(c, &e);
}

void
list_pop_replying(struct client *c, struct db_ref *ref, const struct pop *p)
{
    uint64_t len = list_len(ref->rec), count = p->count < len ? p->count : len;
    size_t pending = client_pending_out(c);

    if (p->with_key) {
        reply_array(c, 2);
        reply_bulk(c, ref->key.ptr, ref->key.len);
    }
    if (p->as_array)
        reply_array(c, count);
    reply_popped(c, ref->rec, p, count);
    if (count == 0)
        return;
    if (list_trim(ref, p->side == LIST_HEAD ? count : 0, p->side == LIST_HEAD ? 0 : count) < 0) {
        if (!c->close_now)
            reply_take_back(c, pending);
        reply_no_memory(c);
        return;
    }
    list_went(c, ref, p->side, count);
    if (unlikely(effects_are_wanted))
        say_popped(ref->key, p->side, count);
}

static void
pop(struct client *c, enum list_side side)
{
    struct pop p = {.side = side, .count = 1, .as_array = c->argc == 3};
    struct db_ref ref;
    int64_t count = 1;

    if (c->argc > 3) {
        arg_wrong_count(c);
        return;
    }
    if (p.as_array && !arg_positive(c, 2, &count))
        return;
    p.count = (uint64_t)count;
    if (!list_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL)
        list_pop_replying(c, &ref, &p);
    else if (p.as_array)
        reply_null_array(c);
    else
        reply_null(c);
}

void
cmd_lpop(struct client *c)
{
    pop(c, LIST_HEAD);
}

void
cmd_rpop(struct client *c)
{
    pop(c, LIST_TAIL);
}

/* ---- read ---- */

void
cmd_llen(struct client *c)
{
    struct db_ref ref;

    if (list_find_key(c, 1, DB_READ, &ref))
        reply_int(c, ref.rec == NULL ? 0 : (int64_t)list_len(ref.rec));
}

/* place_of: the number of the element that an index means, from the end when negative; false: there
 * is none. */
static bool
place_of(const struct record *r, int64_t index, uint64_t *ret)
{
    int64_t len = (int64_t)list_len(r);

    if (index < -len || index >= len)
        return false;
    *ret = (uint64_t)(index < 0 ? index + len : index);
    return true;
}

void
cmd_lindex(struct client *c)
{
    struct list_elem e;
    struct db_ref ref;
    int64_t index;
    uint64_t i;

    if (!list_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_null(c);
        return;
    }
    if (!arg_int(c, 2, &index))
        return;
    if (!place_of(ref.rec, index, &i)) {
        reply_null(c);
        return;
    }
    list_get(ref.rec, i, &e);
    reply_element(c, &e);
}

/* clip: first and last, as users give them, of a list of so many: how many elements there are from
 * *first on. */
static uint64_t
clip(int64_t *first, int64_t last, uint64_t count)
{
    int64_t len = (int64_t)count;

    if (*first < 0)
        *first = *first < -len ? 0 : *first + len;
    if (last < 0)
        last = last < -len ? -1 : last + len;
    if (last >= len)
        last = len - 1;
    if (*first > last || *first >= len)
        return 0;
    return (uint64_t)(last - *first + 1);
}

void
cmd_lrange(struct client *c)
{
    int64_t first, last;
    struct db_ref ref;
    uint64_t count;

    if (!arg_int(c, 2, &first) || !arg_int(c, 3, &last) || !list_find_key(c, 1, DB_READ, &ref))
        return;
    count = ref.rec == NULL ? 0 : clip(&first, last, list_len(ref.rec));
    reply_array(c, count);
    if (count > 0)
        reply_elements(c, ref.rec, (uint64_t)first, count);
}

struct lpos {
    int64_t rank, count, maxlen; /* count -1: not given */
};

static bool
parse_lpos(struct client *c, struct lpos *ret)
{
    *ret = (struct lpos){.rank = 1, .count = -1};
    for (int i = 3; i < c->argc; i += 2) {
        if (i + 1 < c->argc && arg_is(c, i, "rank")) {
            if (!arg_int_either_way(c, i + 1, &ret->rank))
                return false;
            if (ret->rank == 0) {
                reply_error(
                    c,
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list");
                return false;
            }
        } else if (i + 1 < c->argc && arg_is(c, i, "count")) {
            if (!arg_int_from(c, i + 1, 0, "ERR COUNT can't be negative", &ret->count))
                return false;
        } else if (i + 1 < c->argc && arg_is(c, i, "maxlen")) {
            if (!arg_int_from(c, i + 1, 0, "ERR MAXLEN can't be negative", &ret->maxlen))
                return false;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

static bool
matches(const struct list_elem *e, const struct lp_needle *n)
{
    if (e->ptr == NULL)
        return n->is_int && e->value == n->value;
    return e->len == n->len && memcmp(e->ptr, n->bytes, n->len) == 0;
}

/* find_positions: reply what matches, or with count -1 only the first of it.  Returns how many. */
static size_t
find_positions(struct client *c, const struct record *r, const struct lpos *p)
{
    uint64_t len = list_len(r), limit = p->maxlen > 0 ? (uint64_t)p->maxlen : UINT64_MAX,
             skip = (uint64_t)(p->rank < 0 ? -p->rank : p->rank) - 1;
    struct lp_needle needle;
    struct list_iter it;
    struct list_elem e;
    size_t found = 0;

    lp_needle_init(&needle, c->argv[2].ptr, c->argv[2].len);
    list_iter_init(&it, r, p->rank < 0 ? len - 1 : 0, p->rank < 0);
    for (uint64_t i = 0; i < limit && list_iter_next(&it, &e); i++) {
        if (!matches(&e, &needle) || (skip > 0 && skip-- > 0))
            continue;
        reply_int(c, (int64_t)(p->rank < 0 ? len - 1 - i : i));
        found++;
        if (p->count == -1 || (p->count > 0 && found == (size_t)p->count))
            break;
    }
    return found;
}

void
cmd_lpos(struct client *c)
{
    struct db_ref ref;
    struct lpos p;
    size_t token, found;

    if (!parse_lpos(c, &p) || !list_find_key(c, 1, DB_READ, &ref))
        return;
    if (p.count >= 0) {
        token = reply_array_deferred(c);
        found = ref.rec != NULL ? find_positions(c, ref.rec, &p) : 0;
        reply_array_close(c, token, found);
    } else if (ref.rec == NULL || find_positions(c, ref.rec, &p) == 0) {
        reply_null(c);
    }
}

/* ---- change ---- */

void
cmd_lset(struct client *c)
{
    struct db_ref ref;
    int64_t index;
    uint64_t i;

    if (!list_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL) {
        reply_no_key(c);
        return;
    }
    if (!arg_int(c, 2, &index))
        return;
    if (!place_of(ref.rec, index, &i)) {
        reply_error(c, "ERR index out of range");
        return;
    }
    if (list_set(&ref, i, c->argv[3]) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_LIST, "lset", 1);
    reply_ok(c);
}

/* find_word: the number of the first element that is this word. */
static bool
find_word(const struct record *r, struct slice word, uint64_t *ret)
{
    struct lp_needle needle;
    struct list_iter it;
    struct list_elem e;

    lp_needle_init(&needle, word.ptr, word.len);
    list_iter_init(&it, r, 0, false);
    for (*ret = 0; list_iter_next(&it, &e); ++*ret)
        if (matches(&e, &needle))
            return true;
    return false;
}

void
cmd_linsert(struct client *c)
{
    bool after = arg_is(c, 2, "after");
    struct db_ref ref;
    uint64_t i;

    if (!after && !arg_is(c, 2, "before")) {
        reply_syntax(c);
        return;
    }
    if (!list_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL || !find_word(ref.rec, c->argv[3], &i)) {
        reply_int(c, ref.rec == NULL ? 0 : -1);
        return;
    }
    if (list_insert(&ref, i + after, c->argv[4]) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_LIST, "linsert", 1);
    reply_int(c, (int64_t)list_len(ref.rec));
}

void
cmd_lrem(struct client *c)
{
    uint64_t removed = 0, limit;
    struct db_ref ref;
    int64_t count;

    if (!arg_int_either_way(c, 2, &count))
        return;
    limit = count == 0 ? UINT64_MAX : (uint64_t)(count < 0 ? -count : count);
    if (!list_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL &&
        list_rem(&ref, c->argv[3], limit, count < 0 ? LIST_TAIL : LIST_HEAD, &removed) < 0) {
        reply_no_memory(c);
        return;
    }
    if (removed > 0)
        changed_taken(c, &ref, KEY_EVENT_LIST, "lrem", removed);
    reply_int(c, (int64_t)removed);
}

void
cmd_ltrim(struct client *c)
{
    int64_t first, last;
    uint64_t len, keep;
    struct db_ref ref;

    if (!arg_int(c, 2, &first) || !arg_int(c, 3, &last) || !list_find_key(c, 1, DB_WRITE, &ref))
        return;
    if (ref.rec == NULL) {
        reply_ok(c);
        return;
    }
    len = list_len(ref.rec);
    keep = clip(&first, last, len);
    if (keep == 0)
        first = (int64_t)len;
    if (keep < len &&
        list_trim(&ref, (uint64_t)first, keep == 0 ? 0 : len - keep - (uint64_t)first) < 0) {
        reply_no_memory(c);
        return;
    }
    if (keep < len)
        changed_taken(c, &ref, KEY_EVENT_LIST, "ltrim", len - keep);
    else
        /* an event, but nobody's transaction breaks */
        key_event(c->db, c->argv[1], KEY_EVENT_LIST, "ltrim");
    reply_ok(c);
}
