/* server/commands/server/readers.c - who gets a copy, when it begins, and what becomes of both.
 * The contract is in readers.h. */
#include "server/commands/server/readers.h"
#include "server/commands/server/reader_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/data/db/save.h"
#include "server/exec/block.h"
#include "server/figures/stats.h"
#include "server/net/client.h"
#include "server/net/net.h"
#include "server/net/reply.h"
#include "server/net/transport.h"
#include "server/persist/persist.h"
#include "server/process/identity.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/sink_socket.h"
#include "snapshot/snapshot.h"

enum {
    TICK_MS = 50,
    ALIVE_MS = 1000,       /* who waits is told that somebody is there */
    BETWEEN_MS = 250,      /* from one copy to the next: a save that is due comes first */
    PATIENCE_US = 1000000, /* of a reader in all, while writers wait for memory because of it */
    MARK_BYTES = 40
};

struct reader {
    struct block block; /* first */
    struct client *client;
    enum reader_state state;
    bool with_id;
    bool is_told;             /* the log says already that it has to wait: it is tried often */
    int place;                /* in the copy, READER_TAKES alone */
    int64_t since_ms;         /* in this state */
    int64_t alive_ms;         /* when it was told something last */
    struct reader_pump *pump; /* of one behind TLS, once a copy is on its way */
    struct reader *prev, *next;
    struct slice argv[];
};

static struct reader *first, *last;
static unsigned count_of[READER_STATES];

/* The copy that is under way: .count is 0: none. */
static struct {
    struct persist_copy copy;
    unsigned count;
    struct sink_reader sinks[SINK_READERS_MAX]; /* [writer] from begin to end */
    struct reader *readers[SINK_READERS_MAX];   /* NULL: it has gone */
    char addrs[SINK_READERS_MAX][sizeof((struct client *)0)->addr];
    struct sink_socket_options options; /* [writer] reads it */
    char head[MARK_BYTES + 16], mark[MARK_BYTES + 1];
    _Atomic bool is_short; /* a hint to the writer, relaxed: it orders nothing */
    int64_t next_ms;       /* not before */
} copy;

static void look_after_readers(unsigned slice_us);
static struct loop_task task = {.place = LOOP_SAVE_CRON,
                                .due_ms = LOOP_NEVER,
                                .longest_ms = 10 * TICK_MS,
                                .run = look_after_readers};

void
readers_init(void)
{
    loop_task_add(&task);
}

unsigned
readers_count(enum reader_state state)
{
    return count_of[state];
}

unsigned
readers_count_all(void)
{
    return count_of[READER_WAITS] + count_of[READER_TAKES] + count_of[READER_HAS_ALL];
}

/* ---- one reader ---- */

static void
change_state(struct reader *r, enum reader_state state)
{
    count_of[r->state]--;
    count_of[state]++;
    r->state = state;
    r->since_ms = clock_now.ms;
}

static void
take_out(struct reader *r)
{
    *(r->prev != NULL ? &r->prev->next : &first) = r->next;
    *(r->next != NULL ? &r->next->prev : &last) = r->prev;
    count_of[r->state]--;
}

/* gone: the client closes.  A reader's wait ends in no other way. */
static void
gone(struct client *c, struct block *b, enum block_end why)
{
    struct reader *r = (struct reader *)(void *)b;

    must(why == BLOCK_GONE && r->client == c && c->is_reader);
    if (r->state == READER_TAKES) {
        must(copy.readers[r->place] == r);
        copy.readers[r->place] = NULL;
        (void)shutdown(copy.sinks[r->place].fd, SHUT_RDWR); /* the sink is woken by that */
    }
    reader_pump_close(r->pump);
    r->pump = NULL;
    take_out(r);
}

int
readers_add(struct client *c, bool with_id)
{
    struct reader *r = malloc(sizeof *r + slices_bytes(c->argv, c->argc));

    must(client_may_wait(c) && !c->is_reader);
    if (r == NULL)
        return -ENOMEM;
    *r = (struct reader){
        .block = {.end = gone, .is_counted = true, .argc = c->argc, .argv = r->argv},
        .client = c,
        .state = READER_WAITS,
        .with_id = with_id,
        .since_ms = clock_now.ms,
        .alive_ms = clock_now.ms,
        .prev = last};
    slices_copy(r->argv, c->argv, c->argc);
    if (block_client(c, &r->block) < 0) {
        free(r);
        return -ENOMEM;
    }
    c->is_reader = true;
    *(last != NULL ? &last->next : &first) = r;
    last = r;
    count_of[READER_WAITS]++;
    loop_task_at(&task, LOOP_NOW);
    return 0;
}

static void
tell(struct reader *r, const void *bytes, size_t len)
{
    reply_raw(r->client, bytes, len);
    r->alive_ms = clock_now.ms;
    net_write_later(r->client);
}

static void
log_not_sent(const char *addr, const char *why)
{
    log_line(LOG_WARNING, "The copy for client %s was not sent: %s", addr, why);
}

/* ---- a file without keys: it is small, and there at once ---- */

static int
make_file(const struct client *c, struct sink *out)
{
    out->with_crc = config.rdb_checksum;
    return save_without_keys(out, RDB_VERSION_DEFAULT, (c->copy_wishes & WISH_LIBRARIES) != 0);
}

static void
tell_file(struct reader *r, const void *bytes, size_t len)
{
    bool with_mark = (r->client->copy_wishes & WISH_EOF) != 0;
    char head[MARK_BYTES + 16], mark[MARK_BYTES + 1];
    int n;

    identity_draw(mark);
    n = with_mark ? snprintf(head, sizeof head, "$EOF:%s\r\n", mark)
                  : snprintf(head, sizeof head, "$%zu\r\n", len);
    tell(r, head, (size_t)n);
    tell(r, bytes, len);
    if (with_mark)
        tell(r, mark, MARK_BYTES);
    r->client->close_after_reply = true;
    change_state(r, READER_HAS_ALL);
    stats.copies_sent++;
}

static void
send_file(struct reader *r)
{
    struct sink *out = NULL;
    uint8_t *bytes = NULL;
    size_t len;

    if (sink_memory_open(&out) < 0 || make_file(r->client, out) < 0 ||
        (bytes = sink_memory_take(out, &len)) == NULL) {
        log_not_sent(r->client->addr, "no memory for it");
        client_close(r->client);
    } else {
        tell_file(r, bytes, len);
    }
    free(bytes);
    if (out != NULL)
        sink_close(out);
}

/* ---- a copy ---- */

/* Thread: writer. */
static int
open_sink(void *ctx, struct sink **ret)
{
    (void)ctx;
    return sink_socket_open(&copy.options, ret);
}

/* note_sent: to a client that may have gone meanwhile: it has all. */
static void
note_sent(const char *addr, const struct snapshot_end *end)
{
    stats.copies_sent++;
    log_line(LOG_NOTICE, "Copy sent to client %s: %llu keys, %llu bytes in %.3f seconds", addr,
             (unsigned long long)end->keys, (unsigned long long)end->file_bytes,
             (double)end->total_us / 1e6);
}

/* end_connection: it is not closed at once: where bytes come from the other side then, the system
 * would drop what it has not delivered yet. */
static void
end_connection(struct reader *r)
{
    r->since_ms = clock_now.ms;
    transport_end(r->client);
}

/* has_all: nothing more is sent, but for what a pump has still to send on. */
static void
has_all(struct reader *r)
{
    change_state(r, READER_HAS_ALL);
    if (r->pump == NULL)
        end_connection(r);
}

/* look_after_pump: of a reader for which nothing more comes from the writer. */
static void
look_after_pump(struct reader *r)
{
    r->since_ms = reader_pump_moved_ms(r->pump);
    if (!reader_pump_is_done(r->pump))
        return;
    reader_pump_close(r->pump);
    r->pump = NULL;
    end_connection(r);
}

static const char *
why_dropped(const struct sink_reader *s, const struct snapshot_end *end, const char *why_cancelled)
{
    if (s->error == -EDQUOT)
        return "it took too little while writers waited for memory (snapshot-memory-limit)";
    if (s->error == -ETIMEDOUT)
        return "it took nothing for repl-timeout";
    if (s->error != 0)
        return strerror(-s->error);
    return why_cancelled != NULL ? why_cancelled : end->text;
}

static void
end_copy(void *ctx, const struct snapshot_end *end, const char *why)
{
    unsigned n = copy.count;

    (void)ctx;
    copy.count = 0;
    copy.next_ms = clock_now.ms + BETWEEN_MS;
    for (unsigned i = 0; i < n; i++) {
        const struct sink_reader *s = &copy.sinks[i];
        struct reader *r = copy.readers[i];

        if (end->error == 0 && s->error == 0) {
            note_sent(copy.addrs[i], end);
            if (r != NULL)
                has_all(r);
        } else {
            log_not_sent(copy.addrs[i], why_dropped(s, end, why));
            if (r != NULL) {
                change_state(r, READER_WAITS); /* the sink is done with it */
                client_close(r->client);
            }
        }
        (void)close(s->fd);
    }
    loop_task_at(&task, LOOP_NOW);
}

/* open_way: where the writer sends the copy for r to.  -1: errno says why there is none. */
static int
open_way(struct reader *r)
{
    int fd = -1;

    if (r->client->tls == NULL)
        return fcntl(r->client->fd, F_DUPFD_CLOEXEC, 0);
    r->pump = reader_pump_open(r->client, &fd);
    return fd;
}

/* collect: those who can take one: what was replied to them before is on its way. */
static void
collect(void)
{
    for (struct reader *r = first; r != NULL && copy.count < SINK_READERS_MAX; r = r->next) {
        int fd;

        if (r->state != READER_WAITS || client_pending_out(r->client) > 0 ||
            r->client->queued[QUEUE_WRITES] || r->client->close_now)
            continue;
        if ((fd = open_way(r)) < 0) {
            if (!r->is_told)
                log_line(LOG_WARNING, "The copy for client %s has to wait: %s", r->client->addr,
                         strerror(errno));
            r->is_told = true;
            continue;
        }
        r->place = (int)copy.count;
        copy.readers[copy.count] = r;
        snprintf(copy.addrs[copy.count], sizeof copy.addrs[0], "%s", r->client->addr);
        copy.sinks[copy.count++] = (struct sink_reader){.fd = fd};
    }
}

static void
drop_collected(void)
{
    for (; copy.count > 0; copy.count--) {
        struct reader *r = copy.readers[copy.count - 1];

        reader_pump_close(r->pump);
        r->pump = NULL;
        (void)close(copy.sinks[copy.count - 1].fd);
    }
}

static void
begin_copy(void)
{
    int r;

    collect();
    if (copy.count == 0) /* what they were told first is not sent yet */
        return;
    identity_draw(copy.mark);
    snprintf(copy.head, sizeof copy.head, "$EOF:%s\r\n", copy.mark);
    atomic_store_explicit(&copy.is_short, false, memory_order_relaxed);
    copy.options = (struct sink_socket_options){.readers = copy.sinks,
                                                .count = copy.count,
                                                .head = copy.head,
                                                .tail = copy.mark,
                                                .timeout_us = config.repl_timeout_s * 1000000,
                                                .patience_us = PATIENCE_US,
                                                .is_short = &copy.is_short};
    copy.copy =
        (struct persist_copy){.path = "the copy for readers", .open = open_sink, .end = end_copy};
    if ((r = persist_copy_begin(&copy.copy)) < 0) {
        log_line(LOG_WARNING, "Can't begin a copy for readers: %s", strerror(-r));
        drop_collected();
        copy.next_ms = clock_now.ms + ALIVE_MS;
        return;
    }
    for (unsigned i = 0; i < copy.count; i++)
        change_state(copy.readers[i], READER_TAKES);
    log_line(LOG_NOTICE, "It is sent to %u clients, not to disk", copy.count);
}

/* is_due: the first one has waited for long enough, or there are enough of them. */
static bool
is_due(void)
{
    const struct reader *r = first;
    int64_t most = config.repl_diskless_sync_max_replicas;

    if (persist_is_saving() || clock_now.ms < copy.next_ms)
        return false;
    while (r != NULL && r->state != READER_WAITS)
        r = r->next;
    return r != NULL && ((most > 0 && count_of[READER_WAITS] >= most) ||
                         clock_now.ms - r->since_ms >= config.repl_diskless_sync_delay_s * 1000);
}

/* greet: the first thing that it is told. */
static void
greet(struct reader *r)
{
    char text[80];
    int n;

    if (r->with_id) {
        n = snprintf(text, sizeof text, "+FULLRESYNC %s 0\r\n", identity.run_id);
        tell(r, text, (size_t)n);
        r->with_id = false;
    }
    if ((r->client->copy_wishes & WISH_NO_DATA) != 0)
        send_file(r);
}

static void
look_after(struct reader *r)
{
    int64_t now = clock_now.ms;

    if (r->state == READER_WAITS) {
        greet(r);
        return;
    }
    if (r->state == READER_HAS_ALL && r->pump != NULL)
        look_after_pump(r);
    if (r->state == READER_HAS_ALL && now - r->since_ms > config.repl_timeout_s * 1000)
        client_close(r->client);
}

static void
look_after_readers(unsigned slice_us)
{
    (void)slice_us;
    reader_pumps_run();
    for (struct reader *r = first, *next; r != NULL; r = next) {
        next = r->next;
        look_after(r);
    }
    if (is_due())
        begin_copy();
    for (struct reader *r = first; r != NULL; r = r->next)
        if (r->state == READER_WAITS && clock_now.ms - r->alive_ms >= ALIVE_MS &&
            client_pending_out(r->client) == 0)
            tell(r, "\n", 1);
    if (copy.count > 0)
        atomic_store_explicit(&copy.is_short, persist_slows_writers(), memory_order_relaxed);
    loop_task_at(&task,
                 first == NULL && !reader_pumps_exist() ? LOOP_NEVER : clock_now.ms + TICK_MS);
    loop_task_each_turn(&task, copy.count > 0 || reader_pumps_exist());
}
