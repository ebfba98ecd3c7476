/* tool/export/resp_state.h - what the files of resp and aof share: the key in hand, and how it is
 * written.
 *
 *     key --> way?  COMMANDS  values' events --> batch --> SET, RPUSH, ... PEXPIREAT
 *                   PAYLOAD   the decoder's raw bytes --> payload --> RESTORE
 *                   NOTHING   left out (--expired=drop)
 *
 * Nothing is written of a key until its first element is there: one without any is none.
 * Threads: one. */
#ifndef TOOL_EXPORT_RESP_STATE_H
#define TOOL_EXPORT_RESP_STATE_H

#include "snapshot/rdb/rdb.h"
#include "tool/base/out.h"
#include "tool/base/server.h"
#include "tool/base/unknown.h"
#include "tool/export/resp_names.h"
#include "tool/export/resp_payload.h"
#include "tool/export/resp_put.h"
#include "tool/values/values.h"

/* A longer word is refused by servers as they are set up. */
enum { RESP_BULK_BYTES = 512 << 20 };

enum resp_way { RESP_NOTHING, RESP_COMMANDS, RESP_PAYLOAD };

struct resp {
    struct values values; /* first */
    const struct tool_options *o;
    const struct server *server; /* NULL: one that knows everything */
    struct tool_out out;
    struct resp_names names;
    int64_t now_ms;
    /* the connection that will send this */
    bool has_db;
    uint64_t db, next_db; /* next: of the key in hand */
    /* the key in hand */
    enum resp_way way;
    struct slice name; /* to be written */
    enum rdb_value_kind kind;
    uint8_t type;
    int64_t expire_at_ms; /* -1: none; never below 1 otherwise */
    int64_t idle_s;
    int freq;
    bool is_there;       /* something of it has been written */
    bool is_string_open; /* a long one, whose end is not there yet */
    bool is_empty;       /* the decoder says that it is none */
    struct resp_batch batch;
    struct resp_payload payload;
    /* the stream in hand */
    uint64_t entries;
    struct stream_id last_entry;
    struct text group, consumer;
    bool has_pending; /* the next two are of those gathered */
    int64_t pending_ms;
    uint64_t pending_deliveries;
    /* what the server will not have, of all files */
    uint64_t lost_libraries, lost_expiries, lost_counters, long_strings;
    struct tool_unknown unknown; /* of the file in hand */
};

/* resp_knows: does the server have commands for that? */
static inline bool
resp_knows(const struct resp *x, enum server_trait trait)
{
    return x->server == NULL || server_has(x->server, trait);
}

/* resp_has_counters: of streams and groups. */
static inline bool
resp_has_counters(const struct resp *x)
{
    return x->server == NULL || x->server->redis >= RDB_LISTPACKS_FROM_VERSION;
}

/* resp_open_key: something of the key in hand follows: its database, and with --replace none of the
 * name before it. */
void resp_open_key(struct resp *x);
/* resp_fail: an error of the key in hand: told in words, to be returned. */
int resp_fail(struct resp *x, int error, const char *what);

/* resp_value.c: events of strings, lists, sets, hashes and sorted sets; resp_stream.c: of streams.
 * resp_value_finish, resp_stream_finish: what is gathered goes out. */
void resp_value_events(struct value_events *ev);
void resp_value_finish(struct resp *x);
void resp_stream_events(struct value_events *ev);
void resp_stream_finish(struct resp *x);

/* resp_restore.c: a piece of the value, and RESTORE when it is whole: 0, or reported. */
int resp_restore_raw(void *ctx, struct slice piece);
int resp_restore_end(struct resp *x);

#endif
