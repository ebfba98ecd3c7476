/* tool/base/run.c - one file through the decoder, and what is wrong with it on stderr. */
#include <string.h>
#include <unistd.h>

#include "mm/base/os.h"
#include "tool/base/tool.h"

void
tool_warn(struct tool_run *run, uint64_t offset, const char *within, const char *text,
          const char *key)
{
    tool_progress_erase(run);
    fprintf(stderr, "stillframe-rdb: %s: byte %llu%s: %s", run->path, (unsigned long long)offset,
            within, text);
    if (key[0] != '\0')
        fprintf(stderr, " (key \"%s\")", key);
    fputc('\n', stderr);
}

/* report: what is wrong with a file, in one line. */
static void
report(struct tool_run *run, int error)
{
    const struct rdb_error *e = &run->error;

    if (e->text[0] == '\0')
        fprintf(stderr, "stillframe-rdb: %s: %s\n", run->path, strerror(-error));
    else
        tool_warn(run, e->offset, e->within, e->text, e->key);
}

static int
on_progress(void *ctx, uint64_t consumed)
{
    tool_progress_draw(ctx, consumed);
    return 0;
}

int
tool_decode(const char *path, struct rdb_events ev, struct tool_run *run)
{
    struct rdb_source *src = NULL;
    int r;

    run->path = path;
    run->start_us = os_monotonic_us();
    run->drawn_us = 0;
    run->is_drawing = isatty(STDERR_FILENO) == 1;
    ev.progress = on_progress;
    ev.any_version = run->relaxed;
    if ((r = rdb_source_file(path, &src)) == 0) {
        run->size_bytes = rdb_source_size(src);
        r = rdb_decode(src, &ev, run, true, &run->error);
        run->is_packed = rdb_source_is_packed(src);
        run->rdb_bytes = rdb_source_offset(src);
        rdb_source_close(src);
        tool_progress_erase(run);
    }
    if (r != 0 && !run->is_told_later)
        report(run, r);
    return r == 0 ? TOOL_OK : TOOL_INVALID;
}
