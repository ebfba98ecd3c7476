/* server/main.c - start and end of the process.
 *
 * main() leaves through exit(), never by returning, and nothing here forks or becomes a daemon.  It
 * also works when a loader calls it out of a shared object. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/move.h"
#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/base/stack.h"
#include "mm/base/supervisor.h"
#include "mm/base/text.h"
#include "mm/base/ticks.h"
#include "mm/base/version.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/config/config_machine.h"
#include "server/crash.h"
#include "server/cron.h"
#include "server/data/db/db.h"
#include "server/exec/acl.h"
#include "server/exec/auth.h"
#include "server/exec/keyevent.h"
#include "server/leftover.h"
#include "server/limits.h"
#include "server/memory/defrag.h"
#include "server/memory/evict.h"
#include "server/memory/usage.h"
#include "server/modules.h"
#include "server/net/client_evict.h"
#include "server/net/loop.h"
#include "server/net/net.h"
#include "server/persist/persist.h"
#include "server/process/ceilings.h"
#include "server/process/identity.h"
#include "server/process/sandbox.h"
#include "server/process/shutdown.h"
#include "server/process/signals.h"
#include "snapshot/snapshot.h"

static const char usage[] =
    "Usage: stillframe-server [configuration file] [--name value ...] [-]\n"
    "       stillframe-server -               (configuration from standard input)\n"
    "       stillframe-server -v or --version\n"
    "       stillframe-server -h or --help\n"
    "\n"
    "Examples:\n"
    "       stillframe-server --port 7000\n"
    "       stillframe-server /etc/stillframe.conf --loglevel verbose --save 60 1000\n";

_Noreturn static void
refuse_start(const char *what, int error)
{
    log_line(LOG_WARNING, "%s: %s", what, strerror(-error));
    if (error == -ENOMEM || error == -EAGAIN || error == -EMFILE)
        ceilings_log();
    exit(1);
}

/* A script that is nested deep would end the process. */
static void
check_stack(void)
{
    size_t bytes;

    if (stack_init(&bytes) == 0)
        return;
    log_line(
        LOG_WARNING,
        "The limit of the stack (ulimit -s, RLIMIT_STACK) is %zu bytes: scripts need %d. Raise the limit. Exiting.",
        bytes, (int)STACK_BYTES);
    exit(1);
}

static void
answer_and_leave(int argc, char *const argv[])
{
    if (argc != 2)
        return;
    if (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("Stillframe server v=%s redis=%s bits=%d\n", STILLFRAME_VERSION,
               STILLFRAME_REDIS_VERSION, (int)sizeof(void *) * 8);
        exit(0);
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        exit(0);
    }
}

/* The configuration, or the end of it all. */
static void
configure(int argc, char *const argv[])
{
    const char *path = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    int words = path != NULL ? 2 : 1, r;
    struct text why = {0};

    if (argc < 1) /* a loader may give no name */
        words = 0;
    if (config_init() < 0)
        refuse_start("Reading the configuration", -ENOMEM);
    if (config_load(path, argc - words, argv + words, &why) < 0 || config_start(&why) < 0) {
        fputs(text_why(&why), stderr);
        exit(1);
    }
    text_free(&why);
    if ((r = log_open(config.logfile)) < 0) {
        fprintf(
            stderr,
            "\n*** FATAL CONFIG FILE ERROR (Stillframe %s) ***\nCan't open the log file %s: %s\n",
            STILLFRAME_VERSION, config.logfile, strerror(-r));
        exit(1);
    }
}

/* A service manager that is not there is no reason not to serve. */
static void
tell_supervisor(void)
{
    int r;

    if (config.supervised == SUPERVISED_NO)
        return;
    r = supervisor_open();
    if (r > 0)
        log_line(LOG_NOTICE, "Supervised by systemd, which is told when the server is ready");
    else if (r < 0)
        log_line(LOG_WARNING, "The service manager's socket, NOTIFY_SOCKET=%s, cannot be used: %s",
                 getenv("NOTIFY_SOCKET"), strerror(-r));
    else if (config.supervised == SUPERVISED_SYSTEMD)
        log_line(LOG_WARNING, "supervised is systemd, but the environment has no NOTIFY_SOCKET");
}

/* mm_init() halves what it is not given. */
static void
warn_of_smaller_arena(void)
{
    struct mm_figures f;

    mm_figures(&f);
    if (f.arena_bytes < config.arena_size)
        log_line(LOG_WARNING,
                 "The system refused %llu bytes of address space for the arena; it has %zu",
                 (unsigned long long)config.arena_size, f.arena_bytes);
}

static void
start_modules(void)
{
    struct mm_options options = {.arena_bytes = config.arena_size};
    int r;

    check_stack();
    if (net_count_files() < 0)
        exit(1); /* logged */
    if ((r = mm_init(&options)) < 0)
        refuse_start("The arena cannot be reserved", r);
    warn_of_smaller_arena();
    limits_init();
    if ((r = db_init((int)config.databases)) < 0)
        refuse_start("The databases cannot be set up", r);
    if ((r = snapshot_start()) < 0)
        refuse_start("The snapshot thread cannot be started", r);
    if ((r = persist_init()) < 0)
        refuse_start("Persistence cannot be set up", r);
    crash_init();
    if ((r = auth_init()) < 0)
        refuse_start("Users cannot be set up", r);
    if (!acl_start())
        exit(1); /* logged */
    key_event_init();
    evict_init();
    defrag_init();
    cron_init();
    shutdown_init();
    client_evict_init();
    if ((r = loop_init()) < 0)
        refuse_start("The event loop cannot be set up", r);
    if ((r = signals_init()) < 0)
        refuse_start("Signals cannot be set up", r);
    if (net_start() < 0)
        exit(1); /* logged */
}

/* For a loader: the one symbol that the shared object shows. */
__attribute__((visibility("default"))) int
main(int argc, char *argv[])
{
    int r;

    signals_ignore();
    answer_and_leave(argc, argv);
    move_by_ourselves(os_name() != NULL);
    ticks_init();
    room_init();
    modules_init();
    configure(argc, argv);
    identity_init(argc > 0 ? argv[0] : "");
    log_line(LOG_NOTICE, "Stillframe version=%s, bits=%d, pid=%d, started", STILLFRAME_VERSION,
             (int)sizeof(void *) * 8, (int)getpid());
    if (argc == 1)
        log_line(LOG_NOTICE, "No configuration file given: using the defaults");
    tell_supervisor();
    config_log_no_effect();
    config_log_machine();
    start_modules();
    persist_rehearse();
    shutdown_write_pidfile();
    memory_sample.start_bytes = memory_used();
    /* What programs that start a server look for in its log. */
    log_line(LOG_NOTICE, "Running mode=standalone, port=%lld.",
             (long long)(config.port != 0 ? config.port : config.tls_port));
    log_line(LOG_NOTICE, "PID: %d", (int)getpid());
    log_line(LOG_NOTICE, "Server initialized");
    if ((r = sandbox_start()) < 0)
        refuse_start("The sandbox, which is required, cannot be put up", r);
    leftover_remove();
    supervisor_busy("Loading the dump");
    if (persist_load() != 0) {
        shutdown_remove_pidfile();
        exit(1); /* logged */
    }
    log_line(LOG_NOTICE, "Ready to accept connections");
    supervisor_ready();
    loop_run();
    shutdown_finish();
    exit(loop_state.exit_code);
}
