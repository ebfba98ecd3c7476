/* server/crash.c - the crash report.  What runs in the handler takes no lock and no memory of its
 * own, but for the first call of backtrace(), which is made at start. */
#include "server/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/num.h"
#include "mm/base/os.h"
#include "mm/base/version.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/cmd.h"
#include "server/exec/exec.h"
#include "server/figures/stats.h"
#include "server/net/client.h"
#include "server/process/identity.h"

enum { FRAMES_MAX = 64, STACK_BYTES = 64 * 1024, LINE_BYTES = 256 };

#pragma weak backtrace
#pragma weak backtrace_symbols_fd

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { FATAL_COUNT = sizeof fatal / sizeof fatal[0] };

/* ---- lines without printf ---- */

struct line {
    char at[LINE_BYTES];
    size_t len;
};

static void
add(struct line *l, const char *s)
{
    size_t n = strlen(s), room = sizeof l->at - 1 - l->len;

    memcpy(l->at + l->len, s, n < room ? n : room);
    l->len += n < room ? n : room;
    l->at[l->len] = '\0';
}

static void
add_number(struct line *l, int64_t n)
{
    char text[NUM_MAX_BYTES + 1];

    *num_put(text, n) = '\0';
    add(l, text);
}

static void
add_hex(struct line *l, uint64_t n)
{
    char text[19] = "0x";

    for (int i = 0; i < 16; i++)
        text[2 + i] = "0123456789abcdef"[n >> (60 - 4 * i) & 15];
    add(l, text);
}

static void
put(struct line *l)
{
    log_from_signal(l->at);
    l->len = 0;
}

/* ---- the report ---- */

static char os_text[128]; /* [const after crash_init] */

static void
report_registers(const ucontext_t *u)
{
#ifdef __x86_64__
    static const struct {
        const char *name;
        int index;
    } registers[] = {{"RIP ", REG_RIP},  {" RSP ", REG_RSP}, {" RBP ", REG_RBP}, {"RAX ", REG_RAX},
                     {" RBX ", REG_RBX}, {" RCX ", REG_RCX}, {"RDX ", REG_RDX},  {" RSI ", REG_RSI},
                     {" RDI ", REG_RDI}, {"R8  ", REG_R8},   {" R9  ", REG_R9},  {" R10 ", REG_R10},
                     {"R11 ", REG_R11},  {" R12 ", REG_R12}, {" R13 ", REG_R13}, {"R14 ", REG_R14},
                     {" R15 ", REG_R15}, {" EFL ", REG_EFL}};
    struct line l = {.len = 0};

    log_from_signal("------ REGISTERS ------");
    for (unsigned i = 0; i < sizeof registers / sizeof registers[0]; i++) {
        add(&l, registers[i].name);
        add_hex(&l, (uint64_t)u->uc_mcontext.gregs[registers[i].index]);
        if (i % 3 == 2)
            put(&l);
    }
#else
    (void)u;
#endif
}

static void
report_stack(void)
{
    void *frames[FRAMES_MAX];
    int fd, n;

    if (backtrace == NULL || backtrace_symbols_fd == NULL)
        return;
    log_from_signal("------ STACK TRACE ------");
    n = backtrace(frames, FRAMES_MAX);
    if ((fd = log_open_for_signal()) < 0)
        return;
    backtrace_symbols_fd(frames, n, fd);
    if (fd != STDOUT_FILENO)
        close(fd);
}

static void
report_command(void)
{
    const struct client *c = exec_client();
    struct line l = {.len = 0};

    if (c == NULL || c->cmd == NULL)
        return;
    log_from_signal("------ CURRENT CLIENT ------");
    add(&l, "id=");
    add_number(&l, (int64_t)c->id);
    add(&l, " addr=");
    add(&l, c->addr);
    add(&l, " db=");
    add_number(&l, c->db_index);
    add(&l, " cmd=");
    add(&l, c->cmd->full_name);
    add(&l, " argc=");
    add_number(&l, c->argc);
    put(&l);
}

static void
report_figures(void)
{
    struct line l = {.len = 0};

    log_from_signal("------ FIGURES ------");
    add(&l, "version=" STILLFRAME_VERSION " uptime_in_seconds=");
    add_number(&l, (clock_now.ms - identity.start_ms) / 1000);
    add(&l, " connected_clients=");
    add_number(&l, client_count());
    add(&l, " total_commands_processed=");
    add_number(&l, (int64_t)stats.commands);
    add(&l, " loading=");
    add_number(&l, db_state.loading);
    add(&l, " os=");
    add(&l, os_text);
    put(&l);
}

/* OSv says the number alone: neither where it was, nor of which registers. */
static void
on_fatal(int number, siginfo_t *info, void *context)
{
    struct line l = {.len = 0};

    log_from_signal("=== STILLFRAME BUG REPORT START: Cut & paste starting from here ===");
    add(&l, "Stillframe " STILLFRAME_VERSION " crashed by signal: ");
    add_number(&l, number);
    if (info != NULL) {
        add(&l, ", si_code: ");
        add_number(&l, info->si_code);
    }
    put(&l);
    if (info != NULL && (number == SIGSEGV || number == SIGBUS)) {
        add(&l, "Accessing address: ");
        add_hex(&l, (uint64_t)(uintptr_t)info->si_addr);
        put(&l);
    }
    report_stack();
    if (context != NULL)
        report_registers(context);
    report_command();
    report_figures();
    log_from_signal("=== STILLFRAME BUG REPORT END ===");
    raise(number); /* SA_RESETHAND: now with its usual effect */
    abort();       /* OSv, where it may have none */
}

static bool
apply(const struct config *next, const char **why)
{
    struct sigaction report = {.sa_sigaction = on_fatal,
                               .sa_flags =
                                   (int)(SA_SIGINFO | SA_RESETHAND | SA_ONSTACK | SA_NODEFER)},
                     plain = {.sa_handler = SIG_DFL};

    (void)why;
    sigemptyset(&report.sa_mask);
    sigemptyset(&plain.sa_mask);
    for (int i = 0; i < FATAL_COUNT; i++)
        sigaction(fatal[i], next->crash_log_enabled ? &report : &plain, NULL);
    return true;
}

void
crash_init(void)
{
    static char stack[STACK_BYTES];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    void *frame;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return; /* these have reports of their own */
#endif
    os_identity(os_text, sizeof os_text);
    /* A stack that ran over needs another one, at least in the loop's thread. */
    sigaltstack(&alternate, NULL);
    if (backtrace != NULL)
        backtrace(&frame, 1); /* loads what it needs */
    config_follow("crash-log-enabled", apply);
}
