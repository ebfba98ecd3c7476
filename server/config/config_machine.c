/* server/config/config_machine.c - limits that fit a machine of one program. */
#include "server/config/config_machine.h"

#include "mm/base/log.h"
#include "mm/base/room.h"

enum {
    PARTS = 8,
    DATA_PARTS = 5,
    SNAPSHOT_PARTS = 1,
    SYSTEM_PARTS = 1,
    CLIENTS_PARTS =
        2, /* of data's; a client that sends a value has it twice: as sent, and as kept */
    VALUE_PARTS = 1,
    CONNECTION_BYTES = 16 << 10 /* of the system's, for one that is idle, and a little */
};
static const size_t MIB = (size_t)1 << 20;

/* share: so many eighths, in whole MiB. */
static size_t
share(size_t parts)
{
    size_t bytes = room_sizes.start_bytes / PARTS * parts & ~(MIB - 1);

    return bytes > MIB ? bytes : MIB;
}

static void
lower(uint64_t *limit, size_t bytes)
{
    if (*limit > bytes)
        *limit = bytes;
}

void
config_fit_machine(struct config *defaults)
{
    if (room_sizes.kept_bytes == 0)
        return;
    defaults->maxmemory = share(DATA_PARTS);
    defaults->snapshot_memory_limit = (int64_t)share(SNAPSHOT_PARTS);
    defaults->maxmemory_clients = (int64_t)share(CLIENTS_PARTS);
    if (defaults->maxclients > (int64_t)(share(SYSTEM_PARTS) / CONNECTION_BYTES))
        defaults->maxclients = (int64_t)(share(SYSTEM_PARTS) / CONNECTION_BYTES);
    lower(&defaults->client_query_buffer_limit, share(CLIENTS_PARTS));
    lower(&defaults->proto_max_bulk_len, share(VALUE_PARTS));
}

size_t
config_machine_system_bytes(void)
{
    return room_sizes.kept_bytes != 0 ? share(SYSTEM_PARTS) : 0;
}

static double
mib(uint64_t bytes)
{
    return (double)bytes / (double)MIB;
}

/* snapshot_bytes: what a save may take at most. */
static uint64_t
snapshot_bytes(void)
{
    int64_t v = config.snapshot_memory_limit;

    return v >= 0 ? (uint64_t)v : (uint64_t)((double)config.maxmemory * (double)-v / 100);
}

/* warn: if the limits do not bound what is used to what there is; not twice for the same. */
static void
warn(void)
{
    static uint64_t told_of;
    uint64_t have = room_sizes.start_bytes - config_machine_system_bytes(),
             snapshot = snapshot_bytes(), want = config.maxmemory + snapshot;

    if (config.maxmemory == 0 || snapshot == 0) {
        if (told_of != UINT64_MAX)
            log_line(LOG_WARNING,
                     "WARNING: %s is 0, no limit, on a machine that ends when its memory does: "
                     "commands are refused only when less than %.0f MB are free.",
                     config.maxmemory == 0 ? "maxmemory" : "snapshot-memory-limit",
                     mib(room_short_bytes()));
        told_of = UINT64_MAX;
        return;
    }
    if (want > have && want != told_of)
        log_line(LOG_WARNING,
                 "WARNING: maxmemory (%.0f MB) and a snapshot's memory (%.0f MB) do not fit the "
                 "%.0f MB that this machine has for both: commands may be refused before maxmemory "
                 "is reached.",
                 mib(config.maxmemory), mib(snapshot), mib(have));
    told_of = want;
}

void
config_log_machine(void)
{
    if (room_sizes.kept_bytes == 0)
        return;
    log_line(LOG_NOTICE,
             "This machine runs one program and ends when its memory does: %.0f MB, %.0f MB of it "
             "free at start, %.0f MB kept for the system",
             mib(room_sizes.total_bytes), mib(room_sizes.start_bytes), mib(room_sizes.kept_bytes));
    log_line(LOG_NOTICE,
             "Limits: maxmemory %.0f MB, a snapshot %.0f MB, maxmemory-clients %.0f MB, "
             "client-query-buffer-limit %.0f MB, proto-max-bulk-len %.0f MB, maxclients %lld",
             mib(config.maxmemory), mib(snapshot_bytes()),
             mib(config.maxmemory_clients >= 0
                     ? (uint64_t)config.maxmemory_clients
                     : config.maxmemory / 100 * (uint64_t)-config.maxmemory_clients),
             mib(config.client_query_buffer_limit), mib(config.proto_max_bulk_len),
             (long long)config.maxclients);
    warn();
    config_after_change(warn);
}
