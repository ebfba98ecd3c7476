/* tests/integration/syscalls_preload.c - LD_PRELOAD: a system that has few calls.  From its
 * constructor on the process may make those of SYSCALLS_ALLOWED; those of SYSCALLS_REFUSED answer
 * the error SYSCALLS_ERRNO; any other ends the process with its name.  Both lists are names with
 * blanks between.  clone is good for threads alone, and clone3, whose flags a filter cannot read,
 * answers ENOSYS.
 * With SYSCALLS_COUNTS the calls are counted instead, in that file: 1024 numbers of 64 bits, by the
 * call's number.  A thread without the filter hears of each call and lets it pass. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALLS_MAX = 1024 };

static int notify_fd = -1;
static uint64_t *counts;

static void
need(int r, const char *what)
{
    if (r == 0)
        return;
    fprintf(stderr, "syscalls_preload: %s: %s\n", what, strerror(r < 0 ? -r : r));
    abort();
}

/* ---- a list ---- */

static void
on_unlisted(int sig, siginfo_t *info, void *context)
{
    const char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);

    (void)sig;
    (void)context;
    dprintf(2, "syscalls_preload: a call that is not in the list: %s (%d)\n",
            name != NULL ? name : "?", info->si_syscall);
    _exit(99);
}

static void
add_rule(scmp_filter_ctx ctx, const char *name, uint32_t action)
{
    int nr = seccomp_syscall_resolve_name(name);

    if (nr == __NR_SCMP_ERROR) {
        fprintf(stderr, "syscalls_preload: no such call: %s\n", name);
        abort();
    }
    if (nr == SCMP_SYS(clone3))
        action = SCMP_ACT_ERRNO(ENOSYS);
    if (nr != SCMP_SYS(clone) || action != SCMP_ACT_ALLOW)
        need(seccomp_rule_add(ctx, action, nr, 0), name);
    else
        need(seccomp_rule_add(ctx, action, nr, 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)),
             name);
}

static void
add_rules(scmp_filter_ctx ctx, const char *variable, uint32_t action)
{
    const char *text = getenv(variable);
    char *names = strdup(text != NULL ? text : ""), *rest = NULL;

    need(names == NULL ? -ENOMEM : 0, "names");
    for (char *n = strtok_r(names, " ", &rest); n != NULL; n = strtok_r(NULL, " ", &rest))
        add_rule(ctx, n, action);
    free(names);
}

static void
allow_listed(void)
{
    struct sigaction act = {.sa_sigaction = on_unlisted, .sa_flags = SA_SIGINFO};
    const char *error = getenv("SYSCALLS_ERRNO");
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);

    need(sigaction(SIGSYS, &act, NULL), "sigaction");
    add_rules(ctx, "SYSCALLS_ALLOWED", SCMP_ACT_ALLOW);
    add_rules(ctx, "SYSCALLS_REFUSED",
              SCMP_ACT_ERRNO((uint32_t)(error != NULL ? atoi(error) : ENOSYS)));
    need(seccomp_load(ctx), "load");
    seccomp_release(ctx);
}

/* ---- counts ---- */

static void *
count(void *unused)
{
    struct seccomp_notif *ask = NULL;
    struct seccomp_notif_resp *answer = NULL;

    (void)unused;
    need(seccomp_notify_alloc(&ask, &answer), "memory for notifications");
    for (;;) {
        while (__atomic_load_n(&notify_fd, __ATOMIC_ACQUIRE) < 0)
            (void)sched_yield();
        memset(ask, 0, sizeof *ask);
        if (seccomp_notify_receive(notify_fd, ask) != 0)
            continue; /* it was interrupted by a signal */
        if (ask->data.nr >= 0 && ask->data.nr < CALLS_MAX)
            __atomic_fetch_add(&counts[ask->data.nr], 1, __ATOMIC_RELAXED);
        *answer =
            (struct seccomp_notif_resp){.id = ask->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        (void)seccomp_notify_respond(notify_fd, answer);
    }
    return NULL;
}

static void
count_all(const char *path)
{
    enum { BYTES = CALLS_MAX * sizeof *counts };
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_NOTIFY);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    sigset_t all, before;
    pthread_t thread;

    need(fd < 0 || ftruncate(fd, BYTES) < 0 ? -errno : 0, path);
    counts = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(counts == MAP_FAILED ? -errno : 0, path);
    (void)close(fd);
    sigfillset(&all); /* the server's signals are not for this thread */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    need(pthread_create(&thread, NULL, count, NULL), "thread");
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* These are made before the file descriptor is known: the last step of loading the filter. */
    need(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(seccomp), 0), "seccomp");
    need(seccomp_load(ctx), "load");
    __atomic_store_n(&notify_fd, seccomp_notify_fd(ctx), __ATOMIC_RELEASE);
}

__attribute__((constructor)) static void
install(void)
{
    const char *path = getenv("SYSCALLS_COUNTS");

    if (path != NULL)
        count_all(path);
    else
        allow_listed();
}
