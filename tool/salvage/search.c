/* tool/salvage/search.c - the first boundary that all living paths have. */
#include "tool/salvage/search.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/must.h"

enum { STRETCH_BYTES = 512 * 1024, NEAR_BYTES = 2 * STRETCH_BYTES };

int
search_init(struct search *s, struct stepper *stepper)
{
    uint64_t size = stepper->flat->size;
    size_t room = size < STRETCH_BYTES ? (size_t)size + 1 : STRETCH_BYTES;

    *s = (struct search){.stepper = stepper,
                         .bytes = malloc(room),
                         .next = malloc(room * sizeof(uint64_t)),
                         .lives = malloc(room)};
    if (s->bytes != NULL && s->next != NULL && s->lives != NULL)
        return 0;
    search_fini(s);
    return -ENOMEM;
}

void
search_fini(struct search *s)
{
    free(s->bytes);
    free(s->next);
    free(s->lives);
    *s = (struct search){0};
}

/* arrows: of the path from there, up to `most`; CHAIN_LIVES if it comes to the end. */
static unsigned
arrows(struct stepper *s, uint64_t at, unsigned most)
{
    unsigned n = 0;
    uint64_t next;

    while (n < most)
        switch (step_over(s, at, &next)) {
        case STEP_END:
            return CHAIN_LIVES;
        case STEP_BAD:
        case STEP_CUT:
            return n;
        case STEP_KEY:
        case STEP_OPCODE:
            n++;
            at = next;
            break;
        }
    return n;
}

bool
search_lives(struct stepper *s, uint64_t at)
{
    return arrows(s, at, CHAIN_LIVES) >= CHAIN_LIVES;
}

/* draw_arrow: from offset i of the stretch, those behind it being drawn. */
static void
draw_arrow(struct search *s, uint64_t from, size_t i, size_t len)
{
    uint64_t next = 0;
    unsigned behind;

    s->lives[i] = 0;
    switch (step_over(s->stepper, from + i, &next)) {
    case STEP_BAD:
    case STEP_CUT:
        return;
    case STEP_END:
        s->lives[i] = CHAIN_LIVES;
        s->next[i] = s->stepper->flat->size;
        return;
    case STEP_KEY:
    case STEP_OPCODE:
        break;
    }
    behind = next < from + len ? s->lives[next - from] : arrows(s->stepper, next, CHAIN_LIVES - 1);
    s->lives[i] = behind < CHAIN_LIVES ? (uint8_t)(behind + 1) : CHAIN_LIVES;
    s->next[i] = next;
}

/* draw: all arrows of a stretch, from its end, so that each finds its next one drawn. */
static int
draw(struct search *s, uint64_t from, size_t len)
{
    int r = flat_read(s->stepper->flat, s->bytes, from, len);

    if (r < 0)
        return r;
    for (size_t i = len; i-- > 0;)
        if (likely(!s->stepper->begins[s->bytes[i]]))
            s->lives[i] = 0;
        else
            draw_arrow(s, from, i, len);
    return s->stepper->flat->error;
}

/* look_through: a stretch whose arrows are drawn, up to its `until`th byte.  True: *ret is a
 * boundary.  *jumped: no living arrow that began before goes on behind it. */
static bool
look_through(const struct search *s, uint64_t from, size_t until, uint64_t *jumped, uint64_t *ret)
{
    for (size_t i = 0; i < until; i++) {
        if (s->lives[i] < CHAIN_LIVES)
            continue;
        if (from + i >= *jumped && ret != NULL) {
            *ret = from + i;
            return true;
        }
        if (s->next[i] > *jumped)
            *jumped = s->next[i];
    }
    return false;
}

static bool
is_out_of_work(const struct search *s)
{
    return s->stepper->work >= s->stepper->work_most; /* not all arrows were drawn */
}

static size_t
stretch(const struct search *s, uint64_t from)
{
    uint64_t left = s->stepper->flat->size - from;

    return left < STRETCH_BYTES ? (size_t)left : STRETCH_BYTES;
}

/* holds_path: CHAIN_LIVES arrows of the path from i on end before `until`, all in the stretch. */
static bool
holds_path(const struct search *s, uint64_t from, size_t len, size_t i, uint64_t until)
{
    uint64_t at = from + i;

    for (int n = 0; n < CHAIN_LIVES; n++) {
        if (at >= until || at - from >= len || s->lives[at - from] == 0)
            return false;
        at = s->next[at - from];
    }
    return at <= until;
}

/* held: a path that lives begins inside of the arrow at i of the stretch, and ends there: where its
 * first one does; 0: there is none. */
static size_t
held(const struct search *s, uint64_t from, size_t len, size_t i)
{
    uint64_t until = s->next[i];

    for (size_t k = i + 1; k < len && from + k < until; k++)
        if (s->lives[k] >= CHAIN_LIVES && holds_path(s, from, len, k, until))
            return k;
    return 0;
}

/* inner: of the path that begins at i of the stretch, where an arrow among its first CHAIN_LIVES
 * holds a path that lives: where that begins, and so on, until none does any more. */
static size_t
inner(const struct search *s, uint64_t from, size_t len, size_t i)
{
    size_t at = i, k;

    for (int n = 0; n < CHAIN_LIVES && at < len && s->lives[at] != 0; n++) {
        if ((k = held(s, from, len, at)) != 0) {
            i = at = k;
            n = -1;
            continue;
        }
        if (s->next[at] - from >= len)
            break;
        at = (size_t)(s->next[at] - from);
    }
    return i;
}

int
search_boundary(struct search *s, uint64_t from, bool inner_too, uint64_t *ret)
{
    uint64_t jumped = from;
    int r;

    for (; from < s->stepper->flat->size; from += STRETCH_BYTES) {
        size_t len = stretch(s, from);

        if ((r = draw(s, from, len)) < 0)
            return r;
        if (is_out_of_work(s))
            return 0;
        if (look_through(s, from, len, &jumped, ret)) {
            if (inner_too)
                *ret = from + inner(s, from, len, (size_t)(*ret - from));
            return 1;
        }
        if (s->progress != NULL)
            s->progress(s->ctx, from + len);
    }
    return 0;
}

int
search_confirms(struct search *s, uint64_t from, uint64_t at)
{
    uint64_t jumped = 0;
    int r;

    if (!search_lives(s->stepper, at))
        return 0;
    if (at - from > NEAR_BYTES)
        from = at - NEAR_BYTES;
    for (; from < at; from += STRETCH_BYTES) {
        size_t len = stretch(s, from);

        if ((r = draw(s, from, len)) < 0)
            return r;
        (void)look_through(s, from, at - from < len ? (size_t)(at - from) : len, &jumped, NULL);
    }
    return !is_out_of_work(s) && jumped <= at;
}

/* mark_passing: of a stretch's first `until` bytes: passes[i]: the path from there comes by behind
 * `at`, and lives there.  passes: from `from` to `at`, those behind the stretch being known. */
static void
mark_passing(const struct search *s, uint8_t *passes, size_t until, uint64_t from, uint64_t at)
{
    for (size_t i = until; i-- > 0;) {
        uint64_t next = s->lives[i] == 0 ? at : s->next[i];

        passes[i] = next > at ? s->lives[i] >= CHAIN_LIVES : next < at && passes[next - from];
    }
}

int
search_passing(struct search *s, uint64_t from, uint64_t at, uint64_t *ret)
{
    uint8_t *passes;
    uint64_t begin;
    int r = 0;

    must(from <= at);
    if (at - from > SEARCH_BACK_BYTES)
        from = at - SEARCH_BACK_BYTES;
    if (from == at)
        return 0;
    if ((passes = calloc(1, (size_t)(at - from))) == NULL)
        return -ENOMEM;
    for (uint64_t until = at; r == 0 && until > from; until = begin) {
        begin = until - from > STRETCH_BYTES ? until - STRETCH_BYTES : from;
        if ((r = draw(s, begin, (size_t)(until - begin))) == 0)
            mark_passing(s, passes + (begin - from), (size_t)(until - begin), begin, at);
    }
    for (uint64_t i = from; r == 0 && i < at; i++)
        if (passes[i - from] != 0) {
            *ret = i;
            r = 1;
        }
    free(passes);
    return r;
}
