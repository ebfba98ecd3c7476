/* server/commands/server/debug.c - DEBUG: for tests of the server.  What looks at data:
 * debug_data.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/commands/server/debug.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/list/list.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/loop.h"
#include "server/net/reply.h"
#include "server/process/identity.h"
#include "snapshot/snapshot.h"

#include "server/commands/server/server.def"

/* DEBUG SLEEP seconds -> OK, after them.  Nothing else is served meanwhile. */
static void
debug_sleep(struct client *c)
{
    char text[32] = "";
    struct timespec ts;
    double seconds;

    memcpy(text, c->argv[2].ptr, c->argv[2].len < sizeof text ? c->argv[2].len : sizeof text - 1);
    seconds = strtod(text, NULL);
    if (!(seconds > 0))
        seconds = 0;
    if (seconds > 1e6)
        seconds = 1e6;
    ts.tv_sec = (time_t)seconds;
    ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
    snapshot_offline();
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
    snapshot_online();
    reply_ok(c);
}

static void
debug_packed_threshold(struct client *c)
{
    uint64_t bytes;

    if (!num_parse_memory(c->argv[2].ptr, c->argv[2].len, &bytes) || bytes > UINT32_MAX) {
        reply_error(c, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
        return;
    }
    list_packed_threshold = bytes;
    reply_ok(c);
}

static void
debug_set_active_expire(struct client *c)
{
    db_state.active_expire = !(c->argv[2].len == 1 && c->argv[2].ptr[0] == '0');
    reply_ok(c);
}

static void
debug_error(struct client *c)
{
    reply_errorf(c, "%.*s", (int)(c->argv[2].len < 512 ? c->argv[2].len : 512), c->argv[2].ptr);
}

static void
debug_log(struct client *c)
{
    log_line(LOG_WARNING, "DEBUG LOG: %.*s", (int)(c->argv[2].len < 512 ? c->argv[2].len : 512),
             c->argv[2].ptr);
    reply_ok(c);
}

static void
protocol_numbers(struct client *c, void (*begin)(struct client *c, size_t count))
{
    begin(c, 3);
    for (int i = 0; i < 3; i++)
        reply_int(c, i);
}

static void
protocol_pairs(struct client *c)
{
    reply_map(c, 3);
    for (int i = 0; i < 3; i++) {
        reply_int(c, i);
        reply_bool(c, i == 1);
    }
}

static void
protocol_attribute(struct client *c)
{
    if (c->resp >= 3) {
        reply_attribute(c, 1);
        reply_bulk_text(c, "key-popularity");
        reply_array(c, 2);
        reply_bulk_text(c, "key:123");
        reply_int(c, 90);
    }
    reply_bulk_text(c, "Some real reply following the attribute");
}

static void
protocol_push(struct client *c)
{
    if (c->resp < 3) {
        reply_error(c, "ERR RESP2 is not supported by this command");
        return;
    }
    reply_push(c, 2);
    reply_bulk_text(c, "server-cpu-usage");
    reply_int(c, 42);
    reply_bulk_text(c, "Some real reply following the push reply");
}

/* DEBUG PROTOCOL kind -> a reply of that kind: for tests of client libraries. */
static void
debug_protocol(struct client *c)
{
    if (arg_is(c, 2, "string"))
        reply_bulk_text(c, "Hello World");
    else if (arg_is(c, 2, "integer"))
        reply_int(c, 12345);
    else if (arg_is(c, 2, "double"))
        reply_double(c, 3.141);
    else if (arg_is(c, 2, "null"))
        reply_null(c);
    else if (arg_is(c, 2, "bignum"))
        reply_big_number(c, "1234567999999999999999999999999999999");
    else if (arg_is(c, 2, "array"))
        protocol_numbers(c, reply_array);
    else if (arg_is(c, 2, "set"))
        protocol_numbers(c, reply_set);
    else if (arg_is(c, 2, "map"))
        protocol_pairs(c);
    else if (arg_is(c, 2, "attrib"))
        protocol_attribute(c);
    else if (arg_is(c, 2, "push"))
        protocol_push(c);
    else if (arg_is(c, 2, "true") || arg_is(c, 2, "false"))
        reply_bool(c, arg_is(c, 2, "true"));
    else if (arg_is(c, 2, "verbatim"))
        reply_verbatim(c, "txt", "This is a verbatim\nstring", 25);
    else
        reply_error(
            c,
            "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

/* ---- what has a meaning in Redis alone ---- */

/* Accepted: what it would change is not here. */
static void
debug_nothing(struct client *c)
{
    reply_ok(c);
}

static void
debug_refuse(struct client *c)
{
    reply_errorf(c, "ERR DEBUG %.*s is not supported",
                 (int)(c->argv[1].len < 64 ? c->argv[1].len : 64), c->argv[1].ptr);
}

static void
debug_change_repl_id(struct client *c)
{
    identity_renew();
    reply_ok(c);
}

static bool
is_one(struct slice word)
{
    int64_t n;

    return num_parse(word.ptr, word.len, &n) && n != 0;
}

/* DEBUG PAUSE-CRON 0|1: no timers: no save points, no idle clients, no active expiry. */
static void
debug_pause_cron(struct client *c)
{
    loop_state.cron_paused = db_state.expiry_paused = is_one(c->argv[2]);
    reply_ok(c);
}

/* DEBUG SET-SKIP-CHECKSUM-VALIDATION 0|1: of dumps and of RESTORE; what they hold is checked all
 * the same. */
static void
debug_skip_checksum(struct client *c)
{
    db_state.skip_checksum = is_one(c->argv[2]);
    reply_ok(c);
}

/* DEBUG REPLYBUFFER option value: an idle client has no buffer whose size could be steered. */
static void
debug_replybuffer(struct client *c)
{
    int64_t ms;

    if (!arg_is(c, 2, "peak-reset-time") && !arg_is(c, 2, "resizing"))
        reply_subcommand_syntax(c);
    else if (arg_is(c, 2, "resizing") || arg_is(c, 3, "never") || arg_is(c, 3, "reset") ||
             arg_int(c, 3, &ms))
        reply_ok(c);
}

static void
debug_client_eviction(struct client *c)
{
    struct text t = {0};
    uint64_t bytes = 0;

    if (config.maxmemory_clients == 0) {
        reply_error(c, "ERR maxmemory-clients is disabled.");
        return;
    }
    for (const struct client *other = client_first(); other != NULL; other = other->next)
        bytes += client_memory(other);
    text_addf(&t, "%u clients hold %llu bytes\n", client_count(), (unsigned long long)bytes);
    reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}

static void
debug_rewrite_all(struct client *c)
{
    server_rewrite_config(c, true);
}

/* DEBUG RESTART [ms], DEBUG CRASH-AND-RECOVER [ms]: a process that starts itself anew needs
 * exec(). */
static void
debug_restart(struct client *c)
{
    int64_t ms;

    if (c->argc > 2 && !arg_int(c, 2, &ms))
        return;
    reply_error(c, "ERR failed to restart the server: it never executes a program");
}

static void debug_help(struct client *c);

static const struct debug_row {
    const char *name;
    int min_args, max_args; /* behind the subcommand's name; max -1: any number */
    void (*handler)(struct client *c);
    const char *args, *summary;
} debug_rows[] = {
    {"aof-flush-sleep", 1, 1, debug_nothing, "<microseconds>",
     "Accepted: there is no append-only file."},
    {"assert", 0, 0, debug_assert, "", "Ends the server by a failed assertion."},
    {"change-repl-id", 0, 0, debug_change_repl_id, "", "Makes another run id."},
    {"client-eviction", 0, 0, debug_client_eviction, "",
     "Answers what clients hold, where that is limited."},
    {"config-rewrite-force-all", 0, 0, debug_rewrite_all, "",
     "CONFIG REWRITE, what is at its default too."},
    {"crash-and-recover", 0, 1, debug_restart, "[<milliseconds>]",
     "Not supported: it needs exec()."},
    {"dict-resizing", 1, 1, debug_nothing, "<0|1>", "Accepted: tables grow with each write."},
    {"digest", 0, 0, debug_digest, "", "Answers a digest of all data, expiry times left out."},
    {"digest-value", 0, -1, debug_digest_value, "<key> [<key> ...]",
     "Answers a digest of each value."},
    {"drop-cluster-packet-filter", 1, 1, debug_nothing, "<type>", "Accepted: there is no cluster."},
    {"error", 1, 1, debug_error, "<text>", "Answers the text as an error."},
#ifdef STILLFRAME_FAULTS
    {"fault", 0, 3, debug_fault, "[<point>|ANY|OFF [<call> [FOREVER]]]",
     "Lets the next or a later call of a fault point fail; OFF answers how often one did; without "
     "arguments: the points."},
#endif
    {"htstats", 1, 2, debug_htstats, "<db> [full]", "Describes a database's tables."},
    {"htstats-key", 1, 2, debug_htstats_key, "<key> [full]", "Describes the table of a hash."},
    {"jmap", 0, 0, debug_nothing, "", "Accepted."},
    {"leak", 1, 1, debug_leak, "<string>", "Loses a copy of the string: for leak checkers."},
    {"listpack", 1, 1, debug_listpack, "<key>", "Describes the listpack of a key in the log."},
    {"loadaof", 0, 0, debug_refuse, "", "Not supported."},
    {"log", 1, 1, debug_log, "<message>", "Writes a line into the log."},
    {"mallctl", 1, 2, debug_refuse, "<key> [<value>]", "Not supported."},
    {"mallctl-str", 1, 2, debug_refuse, "<key> [<value>]", "Not supported."},
    {"object", 1, 2, debug_object, "<key>", "Answers how a value is stored."},
    {"oom", 0, 0, debug_oom, "",
     "Ends the server as if want of memory did, which does not happen here."},
    {"panic", 0, 0, debug_panic, "", "Ends the server as after a fault of its own."},
    {"pause-cron", 1, 1, debug_pause_cron, "<0|1>",
     "Whether timers stand still: save points, idle clients, active expiry."},
    {"populate", 1, 3, debug_populate, "<count> [<prefix>] [<size>]",
     "Makes keys prefix:0, prefix:1, ..."},
    {"protocol", 1, 1, debug_protocol, "<kind>", "Answers a reply of that kind."},
    {"quicklist", 1, 2, debug_quicklist, "<key> [<0|1>]",
     "Describes the nodes of a list in the log."},
    {"quicklist-packed-threshold", 1, 1, debug_packed_threshold, "<size>",
     "Elements of a list from this size on get nodes of their own."},
    {"reload", 0, -1, debug_reload, "[NOSAVE] [NOFLUSH] [MERGE]",
     "Saves, empties the databases and loads again."},
    {"replicate", 1, -1, debug_nothing, "<replica|aof|all> <command> ...",
     "Accepted: there are no replicas."},
    {"replybuffer", 2, 2, debug_replybuffer, "<PEAK-RESET-TIME ms|never|reset|RESIZING 0|1>",
     "Accepted: an idle client has no buffer."},
    {"restart", 0, 1, debug_restart, "[<milliseconds>]", "Not supported: it needs exec()."},
    {"sdslen", 1, 1, debug_sdslen, "<key>", "Answers the lengths of a key and its string."},
    {"segfault", 0, 0, debug_segfault, "", "Ends the server by SIGSEGV."},
    {"set-active-expire", 1, 1, debug_set_active_expire, "<0|1>",
     "Whether expired keys go on their own, or only when they are looked at."},
    {"set-skip-checksum-validation", 1, 1, debug_skip_checksum, "<0|1>",
     "Whether checksums of dumps and of RESTORE are left unchecked."},
    {"set-disable-deny-scripts", 1, 1, debug_nothing, "<0|1>", "Accepted."},
    {"sleep", 1, 1, debug_sleep, "<seconds>", "Stops serving for a while. Decimals are allowed."},
    {"stringmatch-len", 2, 2, debug_stringmatch_len, "<len> <pattern>",
     "Matches a pattern with so many letters a."},
    {"stringmatch-test", 0, 0, debug_stringmatch_test, "",
     "Matches random patterns with random texts."},
    {"structsize", 0, 0, debug_structsize, "", "Answers sizes of structures."},
    {"ziplist", 1, 1, debug_refuse, "<key>", "Not supported: there are none."},
    {"help", 0, 0, debug_help, "", "Prints this help."},
};
enum { DEBUG_ROWS = sizeof debug_rows / sizeof debug_rows[0] };

static void
debug_help(struct client *c)
{
    reply_array(c, 1 + 2 * DEBUG_ROWS);
    reply_status(c, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (int i = 0; i < DEBUG_ROWS; i++) {
        struct text t = {0};
        for (const char *p = debug_rows[i].name; *p != '\0'; p++)
            text_addf(&t, "%c", *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        text_addf(&t, "%s%s", debug_rows[i].args[0] != '\0' ? " " : "", debug_rows[i].args);
        reply_status(c, text_str(&t));
        text_free(&t);
        text_addf(&t, "    %s", debug_rows[i].summary);
        reply_status(c, text_str(&t));
        text_free(&t);
    }
}

/* DEBUG subcommand ... -> see the table. */
void
cmd_debug(struct client *c)
{
    int args = c->argc - 2;

    for (int i = 0; i < DEBUG_ROWS; i++) {
        const struct debug_row *row = &debug_rows[i];
        if (!arg_is(c, 1, row->name) || args < row->min_args ||
            (row->max_args >= 0 && args > row->max_args))
            continue;
        row->handler(c);
        return;
    }
    reply_subcommand_syntax(c);
}
