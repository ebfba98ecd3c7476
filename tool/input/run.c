/* tool/input/run.c - one input through the decoder, and what is wrong with it on stderr. */
#include "tool/input/run.h"

#include <string.h>

int
tool_run_report(struct tool_run *run, int error)
{
    struct rdb_error *e = &run->error;
    bool has_place = e->text[0] != '\0';

    tool_progress_erase(run);
    if (!has_place)
        snprintf(e->text, sizeof e->text, "%s", strerror(-error));
    if (run->is_told_later)
        return TOOL_INVALID;
    if (has_place)
        tool_warn(run, e->offset, e->within == NULL ? "" : e->within, e->text, e->key);
    else
        fprintf(stderr, "stillframe-rdb: %s: %s\n", run->path, e->text);
    return TOOL_INVALID;
}

static int
on_progress(void *ctx, uint64_t consumed)
{
    tool_progress_draw(ctx, consumed);
    return 0;
}

int
tool_run_open(const char *path, bool again, struct tool_run *run, struct tool_input **ret)
{
    int r;

    run->path = path;
    r = tool_input_open(path, again, ret, &run->error);
    return r == 0 ? TOOL_OK : tool_run_report(run, r);
}

int
tool_run_decode(struct tool_input *in, struct rdb_events ev, struct tool_run *run)
{
    struct rdb_source *src;
    int r;

    ev.progress = on_progress;
    ev.any_version = run->relaxed;
    tool_progress_begin(run, tool_input_size(in));
    if ((r = tool_input_source(in, &src)) == 0) {
        r = rdb_decode(src, &ev, run, true, &run->error);
        run->is_packed = rdb_source_is_packed(src);
        run->rdb_bytes = rdb_source_offset(src);
        rdb_source_close(src);
        snprintf(run->form, sizeof run->form, "%s", tool_input_form(in));
    }
    tool_progress_erase(run);
    return r == 0 ? TOOL_OK : tool_run_report(run, r);
}
