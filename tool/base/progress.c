/* tool/base/progress.c - the bar on stderr, on a terminal only, and only for what takes long; and
 * what is wrong, on a line of its own. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mm/base/os.h"
#include "mm/base/printable.h"
#include "tool/base/tool.h"

enum { WORTH_BYTES = 32 << 20, WIDTH = 30, COLUMNS = 80, LINE_BYTES = 512 };
enum { WORTH_US = 500000, WORTH_IF_LARGE_US = 100000, REDRAW_US = 100000 };

static unsigned
columns(void)
{
    struct winsize w;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : COLUMNS;
}

/* put: the line; "..." stands for the path's front where all of it has no room. */
static void
put(const char *path, const char *line)
{
    char name[LINE_BYTES];
    unsigned room = columns() - 1;
    size_t len = strlen(line), cut;

    printable(name, sizeof name, path, strlen(path));
    cut = len >= room ? strlen(name) : len + strlen(name) > room ? len + strlen(name) - room : 0;
    if (cut > 0 && strlen(name + cut) >= 3)
        memset(name + cut, '.', 3);
    fprintf(stderr, "\r\033[K%s%.*s", name + cut, (int)room, line);
    fflush(stderr);
}

static void
draw(const struct tool_run *run, uint64_t offset, double elapsed_s)
{
    uint64_t done = offset < run->size_bytes ? offset : run->size_bytes;
    double part = (double)done / (double)run->size_bytes;
    unsigned full = (unsigned)(part * WIDTH);
    char bar[WIDTH + 1], line[LINE_BYTES];

    for (unsigned i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = '\0';
    snprintf(line, sizeof line, "  [%s] %3.0f %%  %s/s  %s left", bar, part * 100,
             tool_size((uint64_t)((double)offset / elapsed_s)),
             tool_seconds(elapsed_s * (1 - part) / part));
    put(run->path, line);
}

/* draw_open: of what ends somewhere. */
static void
draw_open(const struct tool_run *run, uint64_t offset, double elapsed_s)
{
    char line[LINE_BYTES];

    snprintf(line, sizeof line, "  %s so far  %s/s", tool_size(offset),
             tool_size((uint64_t)((double)offset / elapsed_s)));
    put(run->path, line);
}

void
tool_progress_begin(struct tool_run *run, uint64_t size_bytes)
{
    run->size_bytes = size_bytes;
    run->start_us = os_monotonic_us();
    run->drawn_us = 0;
    run->is_drawing = !run->quiet && isatty(STDERR_FILENO) == 1;
}

void
tool_progress_draw(struct tool_run *run, uint64_t offset)
{
    int64_t now_us, passed_us;

    if (!run->is_drawing || offset == 0)
        return;
    now_us = os_monotonic_us();
    passed_us = now_us - run->start_us;
    if (now_us - run->drawn_us < REDRAW_US)
        return;
    if (passed_us < (run->size_bytes < WORTH_BYTES ? WORTH_US : WORTH_IF_LARGE_US))
        return;
    run->drawn_us = now_us;
    if (run->size_bytes == 0)
        draw_open(run, offset, (double)passed_us / 1e6);
    else
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
