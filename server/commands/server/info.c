/* server/commands/server/info.c - INFO: sections of name:value lines, with Redis's names where it
 * has one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/os.h"
#include "mm/base/supervisor.h"
#include "mm/base/text.h"
#include "mm/base/version.h"
#include "mm/mm.h"
#include "server/commands/server/latency.h"
#include "server/commands/server/readers.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/db_move.h"
#include "server/exec/args.h"
#include "server/exec/block.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/exec/keywait.h"
#include "server/exec/pause.h"
#include "server/exec/pubsub.h"
#include "server/exec/tracking.h"
#include "server/exec/watch.h"
#include "server/figures/errorstats.h"
#include "server/figures/stats.h"
#include "server/memory/defrag.h"
#include "server/memory/evict.h"
#include "server/memory/usage.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"
#include "server/process/identity.h"
#include "server/process/sandbox.h"
#include "server/scripts/function.h"
#include "server/scripts/script.h"

#include "server/commands/server/server.def"

typedef unsigned long long ull;

/* build_id: tells builds apart: the same for the same version, compiler and flavour. */
static ull
build_id(void)
{
    static const char what[] = STILLFRAME_VERSION " " __VERSION__
#ifdef STILLFRAME_DEBUG
                                                  " debug"
#endif
        ;
    ull x = 0xcbf29ce484222325;

    for (const char *p = what; *p != '\0'; p++)
        x = (x ^ (unsigned char)*p) * 0x100000001b3; /* FNV-1a */
    return x;
}

static void
add_listener(struct text *out, int *n, const char *name, long long port)
{
    if (port == 0 || config.bind[0] == '\0')
        return;
    text_addf(out, "listener%d:name=%s,bind=", (*n)++, name);
    for (const char *p = config.bind; *p != '\0'; p++)
        text_add(out, *p == ' ' ? ",bind=" : (const char[]){*p, '\0'});
    text_addf(out, ",port=%lld\r\n", port);
}

/* Where clients are waited for, as configured. */
static void
add_listeners(struct text *out)
{
    int n = 0;

    add_listener(out, &n, "tcp", (long long)config.port);
    if (config.unixsocket[0] != '\0')
        text_addf(out, "listener%d:name=unix,bind=%s\r\n", n++, config.unixsocket);
    add_listener(out, &n, "tls", (long long)config.tls_port);
}

static void
info_server(struct text *out)
{
    char os[256];
    int64_t up_s = (clock_now.ms - identity.start_ms) / 1000;

    text_addf(out, "redis_version:%s\r\nstillframe_version:%s\r\n", STILLFRAME_REDIS_VERSION,
              STILLFRAME_VERSION);
    text_add(out, "server_name:stillframe\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n");
    text_addf(out, "redis_build_id:%016llx\r\nredis_mode:standalone\r\n", build_id());
    os_identity(os, sizeof os);
    if (os[0] != '\0')
        text_addf(out, "os:%s\r\n", os);
    text_addf(
        out,
        "arch_bits:%d\r\nmonotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\n",
        (int)sizeof(void *) * 8);
    text_addf(out, "gcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    text_addf(out, "process_id:%d\r\nprocess_supervised:%s\r\nrun_id:%s\r\n", (int)getpid(),
              supervisor_is_there() ? "systemd" : "no", identity.run_id);
    text_addf(out, "tcp_port:%lld\r\nserver_time_usec:%lld\r\n",
              (long long)(config.port != 0 ? config.port : config.tls_port),
              (long long)clock_now.us);
    text_addf(out, "uptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\n", (long long)up_s,
              (long long)up_s / 86400);
    text_addf(out, "hz:%lld\r\nconfigured_hz:%lld\r\n", (long long)config.hz, (long long)config.hz);
    text_addf(out, "lru_clock:%u\r\nexecutable:%s\r\nconfig_file:%s\r\n", clock_now.s,
              identity.executable, config_file());
    text_addf(out, "io_threads_active:0\r\nsandbox:%s\r\n", sandbox_status());
    add_listeners(out);
}

static void
info_clients(struct text *out)
{
    size_t max_in = 0, max_out = 0;
    struct tracking_figures tracking;

    tracking_figures(&tracking);
    for (const struct client *c = client_first(); c != NULL; c = c->next) {
        max_in = c->in_len > max_in ? c->in_len : max_in;
        max_out = client_pending_out(c) > max_out ? client_pending_out(c) : max_out;
    }
    text_addf(out, "connected_clients:%u\r\ncluster_connections:0\r\nmaxclients:%d\r\n",
              client_count(), (int)config.maxclients);
    text_addf(out, "client_recent_max_input_buffer:%zu\r\nclient_recent_max_output_buffer:%zu\r\n",
              max_in, max_out);
    text_addf(
        out,
        "blocked_clients:%u\r\ntracking_clients:%u\r\npubsub_clients:%u\r\nwatching_clients:%u\r\n",
        block_count() - readers_count_all() + net_delayed_count(), tracking.clients,
        pubsub_clients(), watch_clients());
    text_addf(out,
              "clients_in_timeout_table:%u\r\ntotal_watched_keys:%u\r\ntotal_blocking_keys:%u\r\n"
              "total_blocking_keys_on_nokey:%u\r\npaused_actions:%s\r\n",
              block_timed(), watch_keys(), keywait_keys(), keywait_keys_on_delete(), pause_kind());
}

/* ---- memory ---- */

static void
add_bytes(struct text *out, const char *name, uint64_t bytes)
{
    text_addf(out, "%s:%llu\r\n%s_human:", name, (ull)bytes, name);
    text_add_human(out, bytes);
    text_add(out, "\r\n");
}

static uint64_t
clients_bytes(void)
{
    uint64_t bytes = 0;

    for (const struct client *c = client_first(); c != NULL; c = c->next)
        bytes += client_memory(c);
    return bytes;
}

static void
info_arena(struct text *out)
{
    struct mm_figures f;

    mm_figures(&f);
    text_addf(out, "mm_arena_bytes:%zu\r\nmm_live_bytes:%zu\r\nmm_record_bytes:%zu\r\n",
              f.arena_bytes, f.live_bytes, f.record_bytes);
    text_addf(out, "mm_resident_bytes:%zu\r\nmm_side_bytes:%llu\r\nmm_images_bytes:%zu\r\n",
              f.resident_bytes, (ull)f.side_bytes, f.images_bytes);
    text_addf(out, "mm_preserved_bytes:%zu\r\nmm_retired_bytes:%zu\r\nmm_newborn_bytes:%zu\r\n",
              f.preserved_bytes, f.retired_bytes, f.newborn_bytes);
    text_addf(out, "mm_peak_snapshot_bytes:%zu\r\nmm_preserved_pages:%llu\r\n", f.peak_bytes,
              (ull)f.preserved_pages);
    text_addf(out, "mm_epoch:%u\r\nmm_cut_open:%d\r\n", f.epoch, f.cut_open);
}

/* What the system sees of the process is missing where it does not say. */
static void
add_allocator(struct text *out, const struct memory_figures *m)
{
    text_addf(out, "allocator_allocated:%llu\r\nallocator_active:%llu\r\n", (ull)m->used,
              (ull)m->active);
    if (m->rss != 0)
        text_addf(out, "allocator_resident:%llu\r\n", (ull)m->resident);
    text_addf(out, "allocator_frag_ratio:%.2f\r\nallocator_frag_bytes:%llu\r\n",
              (double)m->active / (double)m->used, (ull)(m->active - m->used));
    if (m->rss == 0)
        return;
    text_addf(out, "allocator_rss_ratio:%.2f\r\nallocator_rss_bytes:%lld\r\n",
              (double)m->resident / (double)m->active,
              (long long)m->resident - (long long)m->active);
    text_addf(out, "rss_overhead_ratio:%.2f\r\nrss_overhead_bytes:%lld\r\n",
              (double)m->rss / (double)m->resident, (long long)m->rss - (long long)m->resident);
}

static void
add_scripts(struct text *out)
{
    struct script_figures s;
    struct function_figures f;

    script_figures(&s);
    function_figures(&f);
    text_addf(out, "used_memory_vm_eval:%zu\r\n", s.vm_bytes);
    add_bytes(out, "used_memory_lua", s.vm_bytes);
    text_addf(out, "used_memory_scripts_eval:%zu\r\nnumber_of_cached_scripts:%zu\r\n",
              s.cache_bytes, s.count);
    text_addf(
        out,
        "number_of_functions:%zu\r\nnumber_of_libraries:%zu\r\nused_memory_vm_functions:%zu\r\n",
        f.functions, f.libraries, f.vm_bytes);
    add_bytes(out, "used_memory_vm_total", s.vm_bytes + f.vm_bytes);
    text_addf(out, "used_memory_functions:%zu\r\n", f.cache_bytes);
    add_bytes(out, "used_memory_scripts", s.cache_bytes + f.cache_bytes);
}

static void
add_tracking(struct text *out)
{
    struct tracking_figures f;

    tracking_figures(&f);
    text_addf(out,
              "tracking_total_keys:%llu\r\ntracking_total_items:%llu\r\n"
              "tracking_total_prefixes:%u\r\n",
              (ull)f.keys, (ull)f.items, f.prefixes);
}

static void
info_memory(struct text *out)
{
    uint64_t used, overhead;
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct mm_figures f;
    struct memory_figures m;
    struct defrag_figures defrag;
    struct tracking_figures tracking;
    char policy[32];

    mm_figures(&f);
    defrag_figures(&defrag);
    memory_figures(&m);
    tracking_figures(&tracking);
    used = m.used;
    if (used > memory_sample.peak_bytes)
        memory_sample.peak_bytes = used;
    overhead = used > f.live_bytes ? used - f.live_bytes : 0;
    add_bytes(out, "used_memory", used);
    if (m.rss != 0)
        add_bytes(out, "used_memory_rss", m.rss);
    add_bytes(out, "used_memory_peak", memory_sample.peak_bytes);
    text_addf(out, "used_memory_peak_perc:%.2f%%\r\n",
              100.0 * (double)used / (double)memory_sample.peak_bytes);
    text_addf(out, "used_memory_overhead:%llu\r\nused_memory_startup:%llu\r\n", (ull)overhead,
              (ull)memory_sample.start_bytes);
    text_addf(out, "used_memory_dataset:%zu\r\nused_memory_dataset_perc:%.2f%%\r\n", f.live_bytes,
              100.0 * (double)f.live_bytes / (double)used);
    add_bytes(out, "total_system_memory", total);
    add_bytes(out, "maxmemory", config.maxmemory);
    text_addf(out, "maxmemory_policy:%s\r\n",
              config_value("maxmemory-policy", policy, sizeof policy));
    add_scripts(out);
    add_allocator(out, &m);
    text_addf(
        out,
        "mem_not_counted_for_evict:%zu\r\nmem_replication_backlog:0\r\nmem_total_replication_buffers:0\r\n",
        f.retired_bytes + f.images_bytes);
    text_addf(
        out,
        "mem_aof_buffer:0\r\nmem_cluster_links:0\r\nactive_defrag_running:%u\r\nlazyfree_pending_objects:%llu\r\n"
        "lazyfreed_objects:%llu\r\n",
        defrag.running_percent, (ull)db_dead_values(), (ull)db_freed_values());
    if (m.rss != 0)
        text_addf(out, "mem_fragmentation_ratio:%.2f\r\nmem_fragmentation_bytes:%lld\r\n",
                  (double)m.rss / (double)used, (long long)m.rss - (long long)used);
    text_addf(out,
              "mem_clients_slaves:0\r\nmem_clients_normal:%llu\r\nmem_allocator:stillframe-mm\r\n",
              (ull)clients_bytes());
    text_addf(out, "mem_tracking_table:%zu\r\n", tracking.bytes);
    info_arena(out);
}

/* ---- persistence: there is no append-only file, and no module forks ---- */

static void
info_persistence_all(struct text *out)
{
    persist_info(out);
    text_add(out,
             "aof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\naof_rewrites:0\r\n"
             "aof_rewrites_consecutive_failures:0\r\naof_last_cow_size:0\r\n"
             "module_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n");
}

/* ---- figures ---- */

/* What all commands took. */
static ull
commands_us(void)
{
    unsigned count;
    const struct cmd *table = cmd_table(&count);
    uint64_t ns = 0;

    for (unsigned i = 0; i < count; i++) {
        ns += table[i].nsec;
        for (int k = 0; k < table[i].sub_count; k++)
            ns += table[i].subs[k].nsec;
    }
    return (ull)(ns / 1000);
}

static void
add_turns(struct text *out)
{
    text_addf(
        out,
        "eventloop_cycles:%llu\r\neventloop_duration_sum:%llu\r\neventloop_duration_cmd_sum:%llu\r\n",
        (ull)stats.turns, (ull)stats.turn_sum_us, commands_us());
    text_addf(
        out,
        "instantaneous_eventloop_cycles_per_sec:%llu\r\ninstantaneous_eventloop_duration_usec:%llu\r\n",
        (ull)stats.turns_per_s,
        (ull)(stats.turns_per_s > 0 ? stats.turn_us_per_s / stats.turns_per_s : 0));
    text_addf(out, "eventloop_longest_usec:%llu\r\n", (ull)stats.turn_max_us);
}

/* By its name alone, as in Redis. */
static void
info_debug(struct text *out)
{
    text_addf(
        out,
        "eventloop_duration_aof_sum:0\r\neventloop_duration_cron_sum:%llu\r\neventloop_duration_max:%llu\r\n"
        "eventloop_cmd_per_cycle_max:%llu\r\n",
        (ull)stats.cron_sum_us, (ull)stats.turn_max_us, (ull)stats.turn_max_commands);
}

static void
add_defrag(struct text *out)
{
    struct defrag_figures d;

    defrag_figures(&d);
    text_addf(
        out,
        "active_defrag_hits:%llu\r\nactive_defrag_misses:%llu\r\nactive_defrag_key_hits:%llu\r\n"
        "active_defrag_key_misses:%llu\r\ntotal_active_defrag_time:%llu\r\n"
        "current_active_defrag_time:%llu\r\n",
        (ull)db_move_figures.moved, (ull)db_move_figures.stayed, (ull)db_move_figures.keys_moved,
        (ull)db_move_figures.keys_stayed, (ull)d.total_ms, (ull)d.current_ms);
}

static void
info_stats(struct text *out)
{
    text_addf(out, "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n",
              (ull)stats.connections, (ull)stats.commands);
    text_addf(out, "instantaneous_ops_per_sec:%llu\r\n", (ull)stats.ops_per_s);
    text_addf(out, "total_net_input_bytes:%llu\r\ntotal_net_output_bytes:%llu\r\n",
              (ull)stats.net_in_bytes, (ull)stats.net_out_bytes);
    text_addf(out, "instantaneous_input_kbps:%.2f\r\ninstantaneous_output_kbps:%.2f\r\n",
              (double)stats.in_bytes_per_s / 1024, (double)stats.out_bytes_per_s / 1024);
    text_addf(
        out,
        "rejected_connections:%llu\r\nsync_full:%llu\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\n",
        (ull)stats.rejected_connections, (ull)stats.copies_sent);
    text_addf(out,
              "expired_subkeys:%llu\r\n"
              "expired_keys:%llu\r\nexpired_stale_perc:0.00\r\nexpired_time_cap_reached_count:0\r\n"
              "expire_cycle_cpu_milliseconds:%llu\r\n",
              (ull)stats.expired_subkeys, (ull)stats.expired_keys, (ull)stats.expire_sum_us / 1000);
    text_addf(out,
              "evicted_keys:%llu\r\nevicted_clients:%llu\r\ntotal_eviction_exceeded_time:%llu\r\n"
              "current_eviction_exceeded_time:%lld\r\n",
              (ull)evict_figures.keys, (ull)stats.evicted_clients,
              (ull)evict_figures.exceeded_us / 1000,
              evict_figures.exceeded_since_us == 0
                  ? 0LL
                  : (long long)(os_monotonic_ns() / 1000 - evict_figures.exceeded_since_us) / 1000);
    text_addf(out, "keyspace_hits:%llu\r\nkeyspace_misses:%llu\r\n", (ull)stats.hits,
              (ull)stats.misses);
    text_addf(out, "pubsub_channels:%u\r\npubsub_patterns:%u\r\npubsubshard_channels:%u\r\n",
              pubsub_channels(PUBSUB_CHANNEL), pubsub_channels(PUBSUB_PATTERN),
              pubsub_channels(PUBSUB_SHARD));
    text_add(out, "migrate_cached_sockets:0\r\nslave_expires_tracked_keys:0\r\n");
    add_defrag(out);
    add_tracking(out);
    text_add(
        out,
        "unexpected_error_replies:0\r\n"
        "total_net_repl_input_bytes:0\r\ntotal_net_repl_output_bytes:0\r\n"
        "instantaneous_input_repl_kbps:0.00\r\ninstantaneous_output_repl_kbps:0.00\r\n"
        "dump_payload_sanitizations:0\r\nio_threaded_reads_processed:0\r\nio_threaded_writes_processed:0\r\n"
        "reply_buffer_shrinks:0\r\nreply_buffer_expands:0\r\n");
    text_addf(out, "latest_fork_usec:%lld\r\ntotal_forks:0\r\n",
              (long long)persist_last_begin_us());
    text_addf(out, "total_error_replies:%llu\r\n", (ull)stats.error_replies);
    text_addf(out, "total_reads_processed:%llu\r\ntotal_writes_processed:%llu\r\n",
              (ull)stats.reads, (ull)stats.writes);
    add_turns(out);
    text_addf(
        out,
        "acl_access_denied_auth:%llu\r\nacl_access_denied_cmd:%llu\r\nacl_access_denied_key:%llu\r\n"
        "acl_access_denied_channel:%llu\r\n",
        (ull)stats.auth_failures, (ull)stats.acl_denied_commands, (ull)stats.acl_denied_keys,
        (ull)stats.acl_denied_channels);
}

static void
info_replication(struct text *out)
{
    /* Nobody is told what changes: those who get a copy are no replicas, and counted apart. */
    text_addf(out, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n");
    text_addf(out, "copy_readers_waiting:%u\r\ncopy_readers_sending:%u\r\n",
              readers_count(READER_WAITS), readers_count(READER_TAKES));
    text_addf(
        out,
        "master_replid:%s\r\nmaster_replid2:%040d\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\n"
        "repl_backlog_active:0\r\nrepl_backlog_size:0\r\nrepl_backlog_first_byte_offset:0\r\n"
        "repl_backlog_histlen:0\r\n",
        identity.run_id, 0);
}

/* Where user and system are one, "system" is missing. */
static void
add_cpu(struct text *out, const struct os_cpu *cpu, const char *of)
{
    if (cpu->is_split)
        text_addf(out, "used_cpu_sys%s:%.6f\r\n", of, (double)cpu->system_us / 1e6);
    text_addf(out, "used_cpu_user%s:%.6f\r\n", of, (double)cpu->user_us / 1e6);
}

static void
info_cpu(struct text *out)
{
    struct os_cpu all = os_cpu_of_process(), loop = os_cpu_of_thread(),
                  children = {.is_split = all.is_split}; /* there are none */

    add_cpu(out, &all, "");
    add_cpu(out, &children, "_children");
    add_cpu(out, &loop, "_main_thread");
}

static void
add_command(struct text *out, const struct cmd *cmd)
{
    double usec = (double)cmd->nsec / 1000;

    if (cmd->calls == 0 && cmd->rejected == 0)
        return;
    text_addf(
        out,
        "cmdstat_%s:calls=%llu,usec=%.0f,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu\r\n",
        cmd->full_name, (ull)cmd->calls, usec, cmd->calls > 0 ? usec / (double)cmd->calls : 0,
        (ull)cmd->rejected, (ull)cmd->failed);
}

static void
info_commandstats(struct text *out)
{
    unsigned count;
    const struct cmd *table = cmd_table(&count);

    for (unsigned i = 0; i < count; i++) {
        add_command(out, &table[i]);
        for (int k = 0; k < table[i].sub_count; k++)
            add_command(out, &table[i].subs[k]);
    }
}

static void
info_modules(struct text *out)
{
    (void)out; /* there are none */
}

static void
info_cluster(struct text *out)
{
    text_add(out, "cluster_enabled:0\r\n");
}

static void
info_keyspace(struct text *out)
{
    for (int i = 0; i < db_count(); i++) {
        const struct db *db = db_select(i);
        if (db_size(db) > 0)
            text_addf(out, "db%d:keys=%llu,expires=%llu,avg_ttl=%lld,subexpiry=%llu\r\n", i,
                      (ull)db_size(db), (ull)db_expires(db), (long long)db_avg_ttl_ms(db),
                      (ull)db_timed(db));
    }
}

/* ---- the command ---- */

static const struct section {
    const char *name, *title;
    enum { BY_NAME, BY_ALL, BY_DEFAULT } shown;
    void (*fill)(struct text *out);
} sections[] = {
    {"server", "Server", BY_DEFAULT, info_server},
    {"clients", "Clients", BY_DEFAULT, info_clients},
    {"memory", "Memory", BY_DEFAULT, info_memory},
    {"persistence", "Persistence", BY_DEFAULT, info_persistence_all},
    {"stats", "Stats", BY_DEFAULT, info_stats},
    {"replication", "Replication", BY_DEFAULT, info_replication},
    {"cpu", "CPU", BY_DEFAULT, info_cpu},
    {"modules", "Modules", BY_DEFAULT, info_modules},
    {"commandstats", "Commandstats", BY_ALL, info_commandstats},
    {"errorstats", "Errorstats", BY_DEFAULT, errorstats_info},
    {"latencystats", "Latencystats", BY_ALL, latency_info},
    {"cluster", "Cluster", BY_DEFAULT, info_cluster},
    {"debug", "Debug", BY_NAME, info_debug},
    {"keyspace", "Keyspace", BY_DEFAULT, info_keyspace},
};
enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

static bool
is_asked_for(const struct client *c, const struct section *s)
{
    if (c->argc == 1)
        return s->shown == BY_DEFAULT;
    for (int i = 1; i < c->argc; i++)
        if (arg_is(c, i, s->name) ||
            (s->shown >= BY_ALL && (arg_is(c, i, "all") || arg_is(c, i, "everything"))) ||
            (s->shown == BY_DEFAULT && arg_is(c, i, "default")))
            return true;
    return false;
}

/* INFO [section ...] -> text. */
void
cmd_info(struct client *c)
{
    struct text t = {0};

    for (int i = 0; i < SECTION_COUNT; i++) {
        if (!is_asked_for(c, &sections[i]))
            continue;
        text_addf(&t, "%s# %s\r\n", t.len > 0 ? "\r\n" : "", sections[i].title);
        sections[i].fill(&t);
    }
    if (t.failed)
        reply_error(c, "OOM no memory for the answer");
    else
        reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}
