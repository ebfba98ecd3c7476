/* tool/diff/inner.c - what changed inside of a key. */
#include "tool/diff/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/real.h"
#include "tool/diff/edits.h"

/* As many changes are picked at a time; their texts have room in the arena: of few changes more of
 * each. */
enum {
    BATCH = 8192,
    FEW = 1024,
    TEXT_BYTES = 256,
    TEXTS = 4, /* name, within, before, after */
    ARENA_BYTES = BATCH * TEXTS * TEXT_BYTES,
    NAME_BYTES = 64 * 1024 /* of a key, what is kept of it */
};
_Static_assert((int)ARENA_BYTES >= FEW * TEXTS * PART_TEXT_BYTES, "few with long texts fit");
enum { WHAT_SHIFT = 62 };
#define NONE UINT64_MAX

struct pick {
    uint64_t of_a, of_b; /* numbers of the part; NONE */
    struct inner_change change;
};

struct inner_state {
    struct inner *in;
    uint64_t ordinal; /* of the part that comes next */
    struct sorter *to;
    char *name; /* [owned] */
    struct inner_key *key;
    uint64_t at_a, at_b; /* the key's offsets */
    /* the batch */
    struct pick *picks;  /* [owned] */
    struct pick **order; /* [owned] */
    size_t pick_count, next;
    bool is_b;
    char *arena; /* [owned] */
    size_t arena_used, text_bytes;
};

int
inner_init(struct inner *in, struct side *a, struct side *b)
{
    memset(in, 0, sizeof *in);
    in->a = a;
    in->b = b;
    sorter_init(&in->of_a);
    sorter_init(&in->of_b);
    sorter_init(&in->found);
    if (parts_init(&in->reader) != 0 || (in->state = calloc(1, sizeof *in->state)) == NULL)
        return -ENOMEM;
    in->state->in = in;
    in->state->name = malloc(NAME_BYTES);
    in->state->picks = malloc(BATCH * sizeof *in->state->picks);
    in->state->order = malloc(BATCH * sizeof *in->state->order);
    in->state->arena = malloc(ARENA_BYTES);
    return in->state->name == NULL || in->state->picks == NULL || in->state->order == NULL ||
                   in->state->arena == NULL
               ? -ENOMEM
               : 0;
}

void
inner_fini(struct inner *in)
{
    if (in->a == NULL) /* it was not begun */
        return;
    parts_fini(&in->reader);
    sorter_fini(&in->of_a);
    sorter_fini(&in->of_b);
    sorter_fini(&in->found);
    if (in->state == NULL)
        return;
    free(in->state->name);
    free(in->state->picks);
    free(in->state->order);
    free(in->state->arena);
    free(in->state);
    in->state = NULL;
}

static struct inner_state *
state_of(struct parts *p)
{
    return ((struct inner *)((char *)p - offsetof(struct inner, reader)))->state;
}

/* ---- the first reading: marks ---- */

static int
begin(struct parts *p, const struct rdb_key *key)
{
    struct inner_state *s = state_of(p);
    size_t len = key->name.len < NAME_BYTES ? key->name.len : NAME_BYTES;

    memcpy(s->name, key->name.ptr, len);
    s->in->name = (struct slice){s->name, len};
    *s->key =
        (struct inner_key){.db = key->db, .kind = key->kind, .expire_at_ms = key->expire_at_ms};
    s->ordinal = 0;
    return 0;
}

static int
mark_part(struct parts *p, const struct part *part)
{
    struct inner_state *s = state_of(p);
    struct mark m = {.rest = part->sum, .place = s->ordinal++};

    if (part->kind == PART_VALUE)
        s->key->bytes = part->value_bytes;
    s->key->elements += part->kind < PART_COUNTERS;
    if (part->kind == PART_ELEMENT) {
        m.first = m.place;
    } else {
        m.first = part_mark(part, 1);
        m.second = part_mark(part, 2);
    }
    return s->to == NULL ? 0 : sorter_add(s->to, &m);
}

static int
read_marks(struct inner *in, struct side *side, uint64_t at, struct sorter *to,
           struct inner_key *key, struct rdb_error *err)
{
    struct inner_state *s = in->state;

    s->to = to;
    s->key = key;
    in->reader.begin = begin;
    in->reader.part = mark_part;
    in->reader.with_text = false;
    sorter_clear(to);
    return side_read(side, at, &in->reader, err);
}

/* ---- which parts differ ---- */

static int
found(struct inner *in, enum inner_what what, uint64_t at, uint64_t other)
{
    const struct mark m = {(uint64_t)what << WHAT_SHIFT | at, other, 0, 0};

    in->counts[what]++;
    return sorter_add(&in->found, &m);
}

/* join: by their names. */
static int
join(struct inner *in)
{
    struct mark a, b;
    bool has_a, has_b;
    int r = 0;

    if ((r = sorter_begin(&in->of_a)) != 0 || (r = sorter_begin(&in->of_b)) != 0)
        return r;
    has_a = sorter_next(&in->of_a, &a);
    has_b = sorter_next(&in->of_b, &b);
    while (r == 0 && (has_a || has_b)) {
        bool a_alone = has_a &&
                       (!has_b || a.first < b.first || (a.first == b.first && a.second < b.second)),
             b_alone = !a_alone && has_b && (!has_a || a.first != b.first || a.second != b.second);

        if (a_alone)
            r = found(in, INNER_REMOVED, a.place, NONE);
        else if (b_alone)
            r = found(in, INNER_ADDED, b.place, NONE);
        else if (a.rest != b.rest)
            r = found(in, INNER_CHANGED, a.place, b.place);
        if (!b_alone)
            has_a = sorter_next(&in->of_a, &a);
        if (!a_alone)
            has_b = sorter_next(&in->of_b, &b);
    }
    return r != 0 ? r : in->of_a.error != 0 ? in->of_a.error : in->of_b.error;
}

static int
is_removed(void *ctx, size_t at)
{
    return found(ctx, INNER_REMOVED, at, NONE);
}

static int
is_added(void *ctx, size_t at)
{
    return found(ctx, INNER_ADDED, at, NONE);
}

/* compare_lists: as long as their marks are in memory by the fewest edits, else place by place. */
static int
compare_lists(struct inner *in)
{
    if (in->of_a.fd >= 0 || in->of_b.fd >= 0)
        return join(in);
    return edits_find(in->of_a.marks, in->of_a.fill, in->of_b.marks, in->of_b.fill, is_removed,
                      is_added, in);
}

int
inner_look(struct inner *in, uint64_t at_a, uint64_t at_b, struct rdb_error *err)
{
    int r = 0;

    memset(in->counts, 0, sizeof in->counts);
    sorter_clear(&in->found);
    *err = (struct rdb_error){.within = ""};
    in->state->at_a = at_a;
    in->state->at_b = at_b;
    if (at_a != NONE)
        r = read_marks(in, in->a, at_a, &in->of_a, &in->key_a, err);
    if (r == 0 && at_b != NONE)
        r = read_marks(in, in->b, at_b, &in->of_b, &in->key_b, err);
    if (r != 0 || at_a == NONE || at_b == NONE || in->key_a.kind != in->key_b.kind)
        return r;
    r = in->key_a.kind == RDB_VALUE_LIST ? compare_lists(in) : join(in);
    return r != 0 ? r : sorter_begin(&in->found);
}

/* ---- the second reading: what they were ---- */

static struct slice
keep(struct inner_state *s, struct slice text)
{
    char *at = s->arena + s->arena_used;
    size_t n = text.len < s->text_bytes ? text.len : s->text_bytes;

    must(s->arena_used + n <= ARENA_BYTES);
    memcpy(at, text.ptr, n);
    s->arena_used += n;
    return (struct slice){at, n};
}

static struct inner_text
text_of(struct inner_state *s, const struct part *part)
{
    struct inner_text t = {.expire_at_ms = part->expire_at_ms};
    char score[REAL_BYTES];

    if (part->kind == PART_SCORE) {
        t.text = keep(s, (struct slice){score, real_print(part->score, score)});
        t.bytes = (int64_t)t.text.len;
    } else if (part->kind == PART_MEMBER || part->kind == PART_CONSUMER) {
        t.bytes = -1;
    } else {
        t.text = keep(s, part->value);
        t.bytes = (int64_t)part->value_bytes;
    }
    return t;
}

static uint64_t
wanted(const struct inner_state *s, const struct pick *p)
{
    return s->is_b ? p->of_b : p->of_a;
}

static int
pick_part(struct parts *p, const struct part *part)
{
    struct inner_state *s = state_of(p);
    uint64_t ordinal = s->ordinal++;

    while (s->next < s->pick_count && wanted(s, s->order[s->next]) == ordinal) {
        struct inner_change *c = &s->order[s->next++]->change;

        c->kind = part->kind;
        if (!s->is_b || c->what == INNER_ADDED) {
            c->index = ordinal;
            c->name = keep(s, part->name);
            c->within = keep(s, part->within);
        }
        *(s->is_b ? &c->after : &c->before) = text_of(s, part);
    }
    return 0;
}

static int
by_a(const void *a, const void *b)
{
    const struct pick *x = *(struct pick *const *)a, *y = *(struct pick *const *)b;

    return x->of_a < y->of_a ? -1 : x->of_a > y->of_a;
}

static int
by_b(const void *a, const void *b)
{
    const struct pick *x = *(struct pick *const *)a, *y = *(struct pick *const *)b;

    return x->of_b < y->of_b ? -1 : x->of_b > y->of_b;
}

/* read_picks: of one side. */
static int
read_picks(struct inner *in, bool is_b, uint64_t at, struct rdb_error *err)
{
    struct inner_state *s = in->state;
    struct inner_key again;

    for (size_t i = 0; i < s->pick_count; i++)
        s->order[i] = &s->picks[i];
    qsort(s->order, s->pick_count, sizeof *s->order, is_b ? by_b : by_a);
    s->is_b = is_b;
    s->next = 0;
    if (wanted(s, s->order[0]) == NONE)
        return 0;
    in->reader.part = pick_part;
    in->reader.with_text = true;
    s->key = &again;
    return side_read(is_b ? in->b : in->a, at, &in->reader, err);
}

/* take_batch: the next changes of those found, at most so many. */
static void
take_batch(struct inner *in, uint64_t most)
{
    struct inner_state *s = in->state;
    struct mark m;

    s->arena_used = s->pick_count = 0;
    while (s->pick_count < BATCH && s->pick_count < most && sorter_next(&in->found, &m)) {
        enum inner_what what = (enum inner_what)(m.first >> WHAT_SHIFT);
        uint64_t at = m.first & ((1ull << WHAT_SHIFT) - 1);

        s->picks[s->pick_count++] =
            (struct pick){.of_a = what == INNER_ADDED ? NONE : at,
                          .of_b = what == INNER_ADDED ? at : m.second,
                          .change = {.what = what, .before.bytes = -1, .after.bytes = -1}};
    }
}

int
inner_each(struct inner *in, uint64_t most, int (*change)(void *ctx, const struct inner_change *c),
           void *ctx, struct rdb_error *err)
{
    struct inner_state *s = in->state;
    int r = 0;

    s->text_bytes = most <= FEW || in->found.count <= FEW ? PART_TEXT_BYTES : TEXT_BYTES;
    do {
        take_batch(in, most);
        if (s->pick_count == 0)
            break;
        most -= s->pick_count;
        if ((r = read_picks(in, false, s->at_a, err)) != 0 ||
            (r = read_picks(in, true, s->at_b, err)) != 0)
            break;
        for (size_t i = 0; r == 0 && i < s->pick_count; i++)
            r = change(ctx, &s->picks[i].change);
    } while (r == 0 && most > 0);
    return r != 0 ? r : in->found.error;
}
