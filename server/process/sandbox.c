/* server/process/sandbox.c - see sandbox.h.  The filter is libseccomp's, the list syscalls.def. */
#include "server/process/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "server/config/config.h"

/* ENOSYS and not EPERM: libc and OpenSSL then do without, as on an older kernel. */
#define REFUSED SCMP_ACT_ERRNO(ENOSYS)

enum later { ALL, SOME, START };

static const struct {
    const char *name;
    enum later later;
} calls[] = {
#define CALL(name, need, later, why) {name, later},
#include "server/process/syscalls.def"
#undef CALL
};

/* Nothing in the server makes one of these: who does is not the server any more. */
static const char *const deadly[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "perf_event_open",
    "reboot",
    "iopl",
    "ioperm",
};

/* Arguments with which a call is let through. */
#define ONLY(index, value)                                                                         \
    {                                                                                              \
        (index), SCMP_CMP_EQ, (value), 0                                                           \
    }
#define WITH(index, mask, bits)                                                                    \
    {                                                                                              \
        (index), SCMP_CMP_MASKED_EQ, (mask), (bits)                                                \
    }
static const struct {
    const char *name;
    struct scmp_arg_cmp arg;
} some[] = {
    /* No new code: memory is for data. */
    {"mmap", WITH(2, PROT_EXEC, 0)},
    {"mprotect", WITH(2, PROT_EXEC, 0)},
    {"clone", WITH(0, CLONE_THREAD, CLONE_THREAD)},
    {"socket", ONLY(0, AF_UNIX)},
    {"socket", ONLY(0, AF_INET)},
    {"socket", ONLY(0, AF_INET6)},
    {"socket", ONLY(0, AF_NETLINK)}, /* libc asks which addresses the machine has */
    {"prctl", ONLY(0, PR_SET_NAME)},
    {"prlimit64", ONLY(0, 0)}, /* its own limits */
    {"ioctl", ONLY(1, FIONREAD)},
};

static const char *status = "off";

/* add: a rule for a call by its name; one that this machine or this libseccomp does not know needs
 * none. */
static int
add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned count,
    const struct scmp_arg_cmp *arg)
{
    int nr = seccomp_syscall_resolve_name(name);

    return nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, action, nr, count, arg);
}

static int
add_rules(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp process = WITH(0, CLONE_THREAD, 0);
    const struct scmp_arg_cmp own = ONLY(0, (scmp_datum_t)getpid());
    int r = 0;

    for (size_t i = 0; i < sizeof calls / sizeof *calls && r == 0; i++)
        if (calls[i].later == ALL)
            r = add(ctx, SCMP_ACT_ALLOW, calls[i].name, 0, NULL);
    for (size_t i = 0; i < sizeof some / sizeof *some && r == 0; i++)
        r = add(ctx, SCMP_ACT_ALLOW, some[i].name, 1, &some[i].arg);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly && r == 0; i++)
        r = add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0, NULL);
    if (r == 0) /* a crash's own signal */
        r = add(ctx, SCMP_ACT_ALLOW, "tgkill", 1, &own);
    return r == 0 ? add(ctx, SCMP_ACT_KILL_PROCESS, "clone", 1, &process) : r;
}

static int
set_attributes(scmp_filter_ctx ctx)
{
    static const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
        bool must;
    } wanted[] = {
        {SCMP_FLTATR_CTL_TSYNC, 1, true}, /* threads that were started already, too */
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS, true}, /* calls of 32-bit programs */
        /* Before Linux 5.16 a filter slows the processor's loads down (against Spectre 4) unless
         * it is told not to. */
        {SCMP_FLTATR_CTL_SSB, 1, false},
        {SCMP_FLTATR_CTL_OPTIMIZE, 2, false}, /* a tree: some eight comparisons a call */
        {SCMP_FLTATR_API_SYSRAWRC, 1, false}, /* the system's own errno, for the log */
    };
    int r;

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if ((r = seccomp_attr_set(ctx, wanted[i].attribute, wanted[i].value)) < 0 && wanted[i].must)
            return r;
    return 0;
}

/* 0 or -errno.  libseccomp also sets no_new_privs. */
static int
put_up(void)
{
    scmp_filter_ctx ctx;
    int r;

    if (os_is_unikernel()) /* there is nothing that it could be kept from */
        return -ENOSYS;
    if ((ctx = seccomp_init(REFUSED)) == NULL)
        return -ENOMEM;
    if ((r = set_attributes(ctx)) == 0 && (r = add_rules(ctx)) == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    return r > 0 ? -ECANCELED : r; /* a thread that cannot be taken along */
}

int
sandbox_start(void)
{
    int r;

    if (config.sandbox == SANDBOX_NO) {
        log_line(LOG_NOTICE, "Sandbox: off, as configured");
        return 0;
    }
    if ((r = put_up()) == 0) {
        status = "on";
        log_line(LOG_NOTICE, "Sandbox: on: system calls that the server does not need are refused; "
                             "one that runs a program or makes a process would end it");
        return 0;
    }
    if (config.sandbox == SANDBOX_REQUIRED)
        return r;
    status = "unavailable";
    if (os_is_unikernel()) {
        log_line(LOG_NOTICE, "Sandbox: none, as this machine runs nothing else");
        return 0;
    }
    log_line(LOG_WARNING,
             "WARNING: Sandbox: the system refuses it (%s); the server goes on without. "
             "With 'sandbox required' it would not start.",
             strerror(-r));
    return 0;
}

const char *
sandbox_status(void)
{
    return status;
}
