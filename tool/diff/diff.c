/* tool/diff/diff.c - stillframe-rdb diff: what changed from one file to another, in memory that
 * does not grow with them.
 *
 *     A --thread--> marks of keys, sorted --+                        +--> counts
 *                                           +--> equal ones vanish --+
 *     B --thread--> marks of keys, sorted --+                        +--> offsets, sorted --> those
 *                                                                         keys again, by show.h
 *
 * A mark has a hash of database and name, one of the contents, in which the order counts only where
 * it does in Redis, and the encoding not at all, and the expiry time (side.h). */
#include "tool/diff/diff.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tool/base/color.h"
#include "tool/diff/show.h"
#include "tool/input/run.h"

enum { PARTS_FEW = 5, WHAT_SHIFT = 62 };
#define NONE UINT64_MAX

struct diff {
    struct side a, b;
    struct sorter found; /* first: what happened to the key, its offset; second: that in B */
    struct show_counts counts;
    double share; /* as in struct show */
    struct inner inner;
    struct tool_out out;
    struct show show;
};

static int
trouble(const char *path, int error, const struct rdb_error *err)
{
    struct tool_run run = {.path = path};

    if (err != NULL)
        run.error = *err;
    tool_run_report(&run, error);
    return DIFF_TROUBLE;
}

/* ---- both files at once ---- */

struct reading {
    struct side *side;
    struct selection *selection;
    struct tool_options options;
    int status;
};

static void *
read_side(void *ctx)
{
    struct reading *r = ctx;

    r->status = side_marks(r->side, r->selection, &r->options);
    return NULL;
}

/* read_both: A in a thread of its own; its bar is that of both. */
static int
read_both(struct diff *d, const struct tool_options *o)
{
    struct reading a = {&d->a, selection_new(o), *o, TOOL_USAGE}, b = a;
    pthread_t thread;
    bool has_thread;

    b.side = &d->b;
    b.selection = a.selection == NULL ? NULL : selection_new(o);
    b.options.quiet = true;
    if (a.selection != NULL && b.selection != NULL) {
        has_thread = pthread_create(&thread, NULL, read_side, &a) == 0;
        if (!has_thread)
            read_side(&a);
        read_side(&b);
        if (has_thread)
            pthread_join(thread, NULL);
    }
    if (a.selection != NULL)
        d->share = selection_share(a.selection);
    if (a.selection != NULL)
        selection_free(a.selection);
    if (b.selection != NULL)
        selection_free(b.selection);
    return a.status == TOOL_OK && b.status == TOOL_OK ? TOOL_OK : DIFF_TROUBLE;
}

/* ---- which keys differ ---- */

static int
found(struct diff *d, enum inner_what what, const struct mark *m, uint64_t other)
{
    const struct mark mark = {(uint64_t)what << WHAT_SHIFT | side_offset(m), other, 0, 0};

    d->counts.keys[what][side_kind(m)]++;
    return sorter_add(&d->found, &mark);
}

static int
compare(struct diff *d, const struct mark *a, const struct mark *b)
{
    if (a->rest == b->rest && side_is_same_expiry(a, b)) {
        d->counts.same[side_kind(a)]++;
        return 0;
    }
    d->counts.expiry_only[side_kind(a)] += a->rest == b->rest;
    return found(d, INNER_CHANGED, a, side_offset(b));
}

static int
join(struct diff *d)
{
    struct mark a, b;
    bool has_a, has_b;
    int r;

    if ((r = sorter_begin(&d->a.marks)) != 0 || (r = sorter_begin(&d->b.marks)) != 0)
        return r;
    has_a = sorter_next(&d->a.marks, &a);
    has_b = sorter_next(&d->b.marks, &b);
    while (r == 0 && (has_a || has_b)) {
        bool a_alone = has_a && (!has_b || side_is_below(&a, &b)),
             b_alone = !a_alone && (!has_a || side_is_below(&b, &a));

        r = a_alone   ? found(d, INNER_REMOVED, &a, NONE)
            : b_alone ? found(d, INNER_ADDED, &b, NONE)
                      : compare(d, &a, &b);
        if (!b_alone)
            has_a = sorter_next(&d->a.marks, &a);
        if (!a_alone)
            has_b = sorter_next(&d->b.marks, &b);
    }
    r = r != 0 ? r : d->a.marks.error != 0 ? d->a.marks.error : d->b.marks.error;
    sorter_fini(&d->a.marks); /* the memory is for what comes now */
    sorter_fini(&d->b.marks);
    return r != 0 ? r : sorter_begin(&d->found);
}

/* ---- what they are ---- */

static uint64_t
parts_of(const struct show_key *k)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < INNER_WHATS; i++)
        sum += k->changes[i];
    return sum;
}

static int
show_one(struct diff *d, const struct mark *m)
{
    enum inner_what what = (enum inner_what)(m->first >> WHAT_SHIFT);
    uint64_t at = m->first & ((1ull << WHAT_SHIFT) - 1), parts;
    struct show_key k = {.what = what};
    struct rdb_error err;
    int r = inner_look(&d->inner, what == INNER_ADDED ? NONE : at,
                       what == INNER_ADDED ? at : m->second, &err);

    if (r != 0)
        return trouble(what == INNER_ADDED ? d->b.path : d->a.path, r, &err);
    k.name = d->inner.name;
    k.a = what == INNER_ADDED ? NULL : &d->inner.key_a;
    k.b = what == INNER_REMOVED ? NULL : &d->inner.key_b;
    memcpy(k.changes, d->inner.counts, sizeof k.changes);
    parts = parts_of(&k);
    d->show.key = &k;
    d->show.form->key(&d->show, &k);
    if (parts > 0 && d->show.parts_most > 0)
        r = inner_each(&d->inner, d->show.parts_most, d->show.form->change, &d->show, &err);
    if (r != 0)
        return trouble(d->a.path, r, &err);
    d->show.form->key_end(&d->show, parts > d->show.parts_most ? parts - d->show.parts_most : 0);
    return TOOL_OK;
}

static int
show_all(struct diff *d)
{
    uint64_t shown[INNER_WHATS] = {0};
    struct mark m;
    int status = TOOL_OK;

    d->show.form->begin(&d->show);
    while (status == TOOL_OK && !tool_out_failed(&d->out) && sorter_next(&d->found, &m)) {
        enum inner_what what = (enum inner_what)(m.first >> WHAT_SHIFT);

        if (shown[what]++ >= d->show.keys_most)
            continue;
        if (shown[what] == 1)
            d->show.form->section(&d->show, what, show_sum(d->counts.keys[what]));
        status = show_one(d, &m);
    }
    if (d->found.error != 0)
        return trouble(d->a.path, d->found.error, NULL);
    d->show.form->end(&d->show);
    return status;
}

static bool
is_different(const struct diff *d)
{
    return d->found.count > 0 || d->a.libraries != d->b.libraries ||
           d->a.library_sum != d->b.library_sum;
}

static void
choose_form(struct show *s, const struct tool_options *o)
{
    bool is_text = strcmp(o->format, "table") == 0;

    s->form = is_text ? &show_text : strcmp(o->format, "csv") == 0 ? &show_csv : &show_json;
    s->is_full = o->full || !is_text;
    s->keys_most = s->is_full ? UINT64_MAX : o->first;
    s->parts_most = o->full ? UINT64_MAX : PARTS_FEW;
    s->color = o->output == NULL && tool_color(o, stdout);
}

static int
report(struct diff *d, const struct tool_options *o)
{
    int status;

    d->show = (struct show){
        .out = &d->out, .a = &d->a, .b = &d->b, .counts = &d->counts, .share = d->share};
    choose_form(&d->show, o);
    if (inner_init(&d->inner, &d->a, &d->b) != 0)
        return trouble(d->a.path, -ENOMEM, NULL);
    if (tool_out_open(&d->out, o->output, o->force) != TOOL_OK)
        return DIFF_TROUBLE;
    status = show_all(d);
    if (tool_out_close(&d->out, status == TOOL_OK) != TOOL_OK)
        status = DIFF_TROUBLE;
    return status;
}

static int
run(struct diff *d, char **files, const struct tool_options *o)
{
    uint64_t seed = 0;
    int status, r;

    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) /* so that nobody can make equal marks */
        seed = (uint64_t)getpid();
    status = side_open(&d->a, files[0], seed);
    if (side_open(&d->b, files[1], seed) != TOOL_OK || status != TOOL_OK)
        return DIFF_TROUBLE;
    if ((status = read_both(d, o)) != TOOL_OK)
        return status;
    if ((r = join(d)) != 0)
        return trouble(d->a.path, r, NULL);
    if (!o->quiet && (status = report(d, o)) != TOOL_OK)
        return status;
    return is_different(d) ? DIFF_DIFFERENT : TOOL_OK;
}

int
tool_diff(int count, char **files, const struct tool_options *o)
{
    struct diff *d = calloc(1, sizeof *d);
    int status;

    (void)count; /* two */
    if (d == NULL)
        return trouble(files[0], -ENOMEM, NULL);
    sorter_init(&d->found);
    status = run(d, files, o);
    inner_fini(&d->inner);
    side_close(&d->a);
    side_close(&d->b);
    sorter_fini(&d->found);
    free(d);
    return status;
}
