/* server/process/ceilings.c - the limits of getrlimit(), as a shell's ulimit names them. */
#include "server/process/ceilings.h"

#include <sys/resource.h>

#include "mm/base/log.h"
#include "mm/base/text.h"

static const struct ceiling {
    int resource;
    const char *what, *unit;
} ceilings[] = {
    {RLIMIT_AS, "address space (ulimit -v, RLIMIT_AS)", "bytes"},
    {RLIMIT_DATA, "data (ulimit -d, RLIMIT_DATA)", "bytes"},
    {RLIMIT_NPROC, "processes and threads of the user (ulimit -u, RLIMIT_NPROC)", ""},
    {RLIMIT_NOFILE, "open files (ulimit -n, RLIMIT_NOFILE)", ""},
};

void
ceilings_log(void)
{
    struct text t = {0};
    struct rlimit lim;

    for (unsigned i = 0; i < sizeof ceilings / sizeof ceilings[0]; i++) {
        const struct ceiling *c = &ceilings[i];
        if (getrlimit(c->resource, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY)
            continue;
        text_addf(&t, "%s%s %llu%s%s", t.len > 0 ? ", " : "", c->what,
                  (unsigned long long)lim.rlim_cur, c->unit[0] != '\0' ? " " : "", c->unit);
    }
    if (t.len > 0 && !t.failed)
        log_line(
            LOG_WARNING,
            "Limits of this process: %s. Its control group may have others (memory.max, pids.max).",
            text_str(&t));
    text_free(&t);
}
