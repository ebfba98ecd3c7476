/* tool/keys/walk.c - a file's selected keys: how many passes, and what each is for. */
#include "tool/keys/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/base/spill.h"
#include "tool/input/run.h"
#include "tool/keys/walk_impl.h"

/* has_values: does the command ask for anything of a value but that it is over? */
static bool
has_values(const struct rdb_events *ev)
{
    return ev->raw != NULL || ev->plain_string != NULL || ev->string_begin != NULL ||
           ev->string_bytes != NULL || ev->form != NULL || ev->list_begin != NULL ||
           ev->list_ziplist != NULL || ev->list_element != NULL || ev->list_listpack != NULL ||
           ev->list_end != NULL || ev->hash_listpack != NULL || ev->hash_begin != NULL ||
           ev->hash_field != NULL || ev->hash_field_expiring != NULL || ev->set_intset != NULL ||
           ev->set_listpack != NULL || ev->set_begin != NULL || ev->set_member != NULL ||
           ev->zset_listpack != NULL || ev->zset_begin != NULL || ev->zset_member != NULL ||
           ev->stream_begin != NULL || ev->stream_node != NULL || ev->stream_facts != NULL ||
           ev->stream_group != NULL || ev->stream_consumer != NULL || ev->stream_pending != NULL;
}

/* run_pass: the file once through the decoder.  0, or what it ended with. */
static int
run_pass(struct walk *w, enum walk_pass pass)
{
    struct walk_state *s = w->state;
    struct rdb_events ev;
    int r;

    s->pass = pass;
    s->is_taken = false;
    w->has_ctime = false;
    w->counted_from_ms = (int64_t)time(NULL) * 1000;
    if ((r = tool_input_source(s->input, &s->src)) != 0)
        return r;
    tool_progress_begin(&w->run, tool_input_size(s->input));
    walk_events_for(w, &ev);
    r = rdb_decode(s->src, &ev, w, true, &w->run.error);
    w->run.is_packed = rdb_source_is_packed(s->src);
    w->run.rdb_bytes = rdb_source_offset(s->src);
    snprintf(w->run.form, sizeof w->run.form, "%s", tool_input_form(s->input));
    rdb_source_close(s->src);
    s->src = NULL;
    tool_progress_erase(&w->run);
    return r == WALK_ENOUGH ? 0 : r;
}

/* cannot_keep: what the first pass has found out. */
static int
cannot_keep(struct walk *w, int error)
{
    snprintf(w->run.error.text, sizeof w->run.error.text, "cannot keep what is selected: %s: %s",
             tool_spill_dir(), strerror(-error));
    return error;
}

/* run_passes: two.  What is wrong with the file is told once: by the second, if it finds it; what
 * is wrong in a value that was therefore not selected, it has read over. */
static int
run_passes(struct walk *w)
{
    struct walk_state *s = w->state;
    struct rdb_error first_error;
    int first, r;

    if ((r = ledger_open(&s->ledger, w->events->facts_first || w->events->facts != NULL)) != 0)
        return r;
    s->with_ledger = true;
    s->measured = 0;
    s->most = selection_left(w->selection);
    first = run_pass(w, WALK_MEASURES);
    first_error = w->run.error;
    if (s->ledger_error == 0)
        s->ledger_error = ledger_rewind(&s->ledger);
    r = s->ledger_error != 0 ? cannot_keep(w, s->ledger_error) : run_pass(w, WALK_VALUES);
    ledger_close(&s->ledger);
    s->with_ledger = false;
    if (r == 0 && first != 0) {
        w->run.error = first_error;
        r = first;
    }
    return r;
}

/* run: the file, in as many passes as it takes.  in: it is open; NULL: it is opened here. */
static int
run(struct walk *w, struct tool_input *in)
{
    const struct walk_events *ev = w->events;
    struct walk_state *s = w->state;
    bool needs_facts = selection_needs_facts(w->selection), needs_passes;
    int r;

    s->ledger_error = 0;
    s->with_measure = ev->facts != NULL || needs_facts;
    s->is_key_delayed = needs_facts;
    needs_passes = ev->facts_first || (has_values(&ev->rdb) && s->with_measure);
    s->input = in;
    if (in == NULL &&
        (r = tool_input_open(w->run.path, needs_passes, &s->input, &w->run.error)) != 0)
        return r;
    r = needs_passes ? run_passes(w) : run_pass(w, has_values(&ev->rdb) ? WALK_VALUES : WALK_FACTS);
    if (in == NULL)
        tool_input_close(s->input);
    return r;
}

int
walk_file(struct walk *w, const char *path, const struct walk_events *events,
          struct selection *selection, const struct tool_options *o)
{
    return walk_input(w, NULL, path, events, selection, o);
}

int
walk_input(struct walk *w, struct tool_input *in, const char *path,
           const struct walk_events *events, struct selection *selection,
           const struct tool_options *o)
{
    int r;

    if (w->state == NULL && (w->state = calloc(1, sizeof *w->state)) == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        return TOOL_INVALID;
    }
    if (w->state->is_over)
        return TOOL_OK;
    w->events = events;
    w->selection = selection;
    w->skip_unknown = o->skip_unknown;
    w->run.relaxed = o->relaxed;
    w->run.quiet = o->quiet || w->no_progress;
    w->run.error = (struct rdb_error){.within = ""};
    w->run.path = path;
    r = run(w, in);
    return r == 0 ? TOOL_OK : tool_run_report(&w->run, r);
}

void
walk_fini(struct walk *w)
{
    free(w->state);
    w->state = NULL;
}

bool
walk_is_over(const struct walk *w)
{
    return w->state != NULL && w->state->is_over;
}

const struct key_facts *
walk_facts(const struct walk *w)
{
    return &w->state->facts;
}

uint64_t
walk_offset(const struct walk *w)
{
    return rdb_source_offset(w->state->src);
}
