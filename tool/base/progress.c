/* tool/base/progress.c - the bar on stderr, on a terminal only, and only for what takes
 * long. */
#include "mm/base/os.h"
#include "tool/base/tool.h"

enum { WORTH_BYTES = 32 << 20, WIDTH = 30 };
enum { WORTH_US = 500000, WORTH_IF_LARGE_US = 100000, REDRAW_US = 100000 };

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
    int64_t now_us = os_monotonic_us(), passed_us = now_us - run->start_us;

    if (!run->is_drawing || offset == 0 || now_us - run->drawn_us < REDRAW_US)
        return;
    if (passed_us < (run->size_bytes < WORTH_BYTES ? WORTH_US : WORTH_IF_LARGE_US))
        return;
    run->drawn_us = now_us;
    draw(run, offset, (double)passed_us / 1e6);
}

void
tool_progress_erase(struct tool_run *run)
{
    if (run->drawn_us > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    run->drawn_us = 0;
}
