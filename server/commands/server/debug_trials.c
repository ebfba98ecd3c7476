/* server/commands/server/debug_trials.c - DEBUG subcommands that try something out: patterns, and
 * ends of the server. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/glob.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "server/commands/server/debug.h"
#include "server/exec/args.h"
#include "server/net/client.h"
#include "server/net/reply.h"

/* ---- patterns ---- */

void
debug_stringmatch_len(struct client *c)
{
    enum { LEN_MAX = 64 << 20 };
    int64_t len;
    char *text;

    if (!arg_int(c, 2, &len))
        return;
    if (len < 0 || len > LEN_MAX || (text = malloc((size_t)len + 1)) == NULL) {
        reply_error(c, "ERR the length is out of range");
        return;
    }
    memset(text, 'a', (size_t)len);
    reply_int(c, glob_match(c->argv[3], (struct slice){text, (size_t)len}, false));
    free(text);
}

/* fill: bytes that mean something to a matcher more often than others. */
static struct slice
fill(char *bytes, size_t most, unsigned *seed)
{
    static const char special[] = "*?[]^-\\aab";
    size_t len = (size_t)rand_r(seed) % (most + 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = rand_r(seed) % 4 != 0 ? special[(size_t)rand_r(seed) % (sizeof special - 1)]
                                         : (char)rand_r(seed);
    return (struct slice){bytes, len};
}

void
debug_stringmatch_test(struct client *c)
{
    enum { ROUNDS = 1000000 };
    char pattern[32], text[32];
    unsigned seed = 1, matched = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct slice p = fill(pattern, sizeof pattern, &seed), t = fill(text, sizeof text, &seed);
        matched += glob_match(p, t, i % 2 == 0);
    }
    log_line(LOG_VERBOSE, "DEBUG STRINGMATCH-TEST: %u of %d matched", matched, ROUNDS);
    reply_status(c, "Apparently Redis did not crash: test passed");
}

/* ---- ends ---- */

void
debug_segfault(struct client *c)
{
    (void)c;
    raise(SIGSEGV);
}

void
debug_panic(struct client *c)
{
    (void)c;
    log_line(LOG_WARNING, "Panic asked for by DEBUG PANIC");
    abort();
}

void
debug_assert(struct client *c)
{
    must(c == NULL); /* fails: that is what it is for */
}

void
debug_oom(struct client *c)
{
    (void)c;
    log_line(LOG_WARNING, "Out Of Memory allocating %zu bytes! Asked for by DEBUG OOM",
             SIZE_MAX / 2);
    abort();
}

void
debug_leak(struct client *c)
{
    char *lost = malloc(c->argv[2].len + 1);

    if (lost != NULL)
        memcpy(lost, c->argv[2].ptr, c->argv[2].len);
    __asm__ volatile("" : : "r"(lost) : "memory"); /* or the compiler sees that nobody needs it */
    /* cppcheck-suppress memleak */
    reply_ok(c); /* NOLINT(clang-analyzer-unix.Malloc): lost is what it is for */
}

/* ---- faults, where they are compiled in ---- */

#ifdef STILLFRAME_FAULTS
static void
list_faults(struct client *c)
{
    reply_array(c, FAULT_COUNT);
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        reply_bulk_text(c, fault_name((enum fault)i));
}

/* fault_of: its number, FAULT_ANY, or one more: there is none of that name. */
static unsigned
fault_of(const struct client *c, int at)
{
    unsigned i = 0;

    while (i < FAULT_COUNT && !arg_is(c, at, fault_name((enum fault)i)))
        i++;
    return i < FAULT_COUNT || arg_is(c, at, "any") ? i : FAULT_COUNT + 1;
}

void
debug_fault(struct client *c)
{
    int64_t call = 1;
    unsigned f;

    if (c->argc == 2) {
        list_faults(c);
        return;
    }
    if (c->argc == 3 && arg_is(c, 2, "off")) {
        reply_int(c, (int64_t)fault_disarm());
        return;
    }
    if ((f = fault_of(c, 2)) > FAULT_ANY) {
        reply_errorf(c, "ERR there is no fault point '%.*s': DEBUG FAULT lists them",
                     slice_shown(c->argv[2]), c->argv[2].ptr);
        return;
    }
    if (c->argc > 3 && !arg_int(c, 3, &call))
        return;
    if (call < 1 || (c->argc > 4 && !arg_is(c, 4, "forever"))) {
        reply_syntax(c);
        return;
    }
    fault_arm(f, (unsigned long)call, c->argc > 4);
    reply_ok(c);
}
#endif
