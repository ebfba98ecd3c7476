/* tests/integration/seccomp_preload.c - LD_PRELOAD: from its constructor on the process is killed
 * when it tries to make another one.  clone3 answers ENOSYS, as on a system without it, so that its
 * flags need not be read from memory. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

static void
need(int r, const char *what)
{
    if (r == 0)
        return;
    fprintf(stderr, "seccomp_preload: %s: %d\n", what, r);
    abort();
}

__attribute__((constructor)) static void
install(void)
{
    static const int forbidden[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve),
                                    SCMP_SYS(execveat)};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        need(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, forbidden[i], 0), "rule");
    need(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                          SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)),
         "rule for clone");
    need(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "rule for clone3");
    need(seccomp_load(ctx), "load");
    seccomp_release(ctx);
    if (getenv("SECCOMP_PRELOAD_SELF_TEST") != NULL)
        (void)!system("true"); /* must not survive */
}
