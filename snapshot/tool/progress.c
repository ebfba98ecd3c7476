/* snapshot/tool/progress.c - the bar on stderr, on a terminal only, and only for what takes
 * long. */
#include <time.h>
#include <unistd.h>

#include "snapshot/tool/tool.h"

enum { WORTH_BYTES = 32 << 20, WIDTH = 30 };
static const double worth_s = 0.5, worth_if_large_s = 0.1, redraw_s = 0.1;

double
tool_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
draw(const struct tool_run *run, uint64_t offset, double elapsed_s)
{
    double part = run->size_bytes == 0 ? 1 : (double)offset / (double)run->size_bytes;
    unsigned full = (unsigned)(part * WIDTH);
    char bar[WIDTH + 1];

    for (unsigned i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%s  [%s] %3.0f %%  %s/s  %s left", run->path, bar, part * 100,
            tool_size((uint64_t)((double)offset / elapsed_s)),
            tool_seconds(elapsed_s * (1 - part) / part));
    fflush(stderr);
}

void
tool_progress_draw(struct tool_run *run, uint64_t offset)
{
    double now = tool_now_s();

    if (!run->is_drawing || offset == 0 || now - run->drawn_s < redraw_s)
        return;
    if (now - run->start_s < (run->size_bytes < WORTH_BYTES ? worth_s : worth_if_large_s))
        return;
    run->drawn_s = now;
    draw(run, offset, now - run->start_s);
}

void
tool_progress_erase(struct tool_run *run)
{
    if (run->drawn_s > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    run->drawn_s = 0;
}
