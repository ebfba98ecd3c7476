/* server/data/db/load.h - fill the databases from RDB: the server's sink for
 * snapshot/rdb/rdb_dec.h.
 *
 * Keys that have expired are skipped, and so are empty collections, with a finding; a key that is
 * there already is an error, and so is a database number out of range.  Strings are stored as their
 * bytes arrive: a length that the file claims costs address space at most.  Function libraries, as
 * text, and AUX fields of no use here are carried on (carried.h).
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_LOAD_H
#define SERVER_DATA_DB_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/data/db/record.h"
#include "snapshot/rdb/rdb_dec.h"

/* LOAD_AHEAD: so many records are made before the first of them is entered in its table: by then
 * the bucket is in the cache, which would be half of the time of loading otherwise. */
enum { LOAD_TOLD = 10, LOAD_AHEAD = 32 };

struct load_entry_ops; /* load_value.h */

/* What has come of the value so far. */
enum load_form {
    LOAD_NOTHING,
    LOAD_BYTES, /* a short string, in bytes[] */
    LOAD_BLOCK, /* a long string, in value's block */
    LOAD_BLOB,  /* a listpack or intset, in bytes[]; value says of which type */
    LOAD_VIEW,  /* the same, in the decoder's hands */
    LOAD_ROOT   /* a structure: value's root */
};

struct load_state {
    uint64_t keys_loaded, keys_expired;
    char error[256]; /* what a call of this sink did not like; empty if the error is not its own */
    /* a key that is there already is replaced, not refused (DEBUG RELOAD ... MERGE) */
    bool merge;
    /* how long the file is: what it says of its databases' sizes is believed as far as that has
     * room for; 0: not at all */
    uint64_t size_bytes;
    struct db *selected;                             /* NULL: none yet */
    bool has_expected;                               /* it was believed */
    void (*on_progress)(void *ctx, uint64_t offset); /* about every 2 MiB; may be NULL */
    /* on_finding: something wrong that did not keep the file from being read; told the first
     * LOAD_TOLD times for each kind.  findings: how often, by kind.  May be NULL. */
    void (*on_finding)(void *ctx, const struct rdb_finding *finding);
    /* on_note: something of the file that is carried on or dropped, in words; of AUX fields of one
     * name in a row, the first.  May be NULL. */
    void (*on_note)(void *ctx, bool is_warning, const char *text);
    void *progress_ctx; /* of both */
    uint64_t findings[RDB_FINDINGS];
    char noted_aux[64]; /* the last AUX field that on_note was told of */
    /* for RESTORE: the one value goes here, and to no key; an empty collection is refused */
    struct value *capture; /* NULL: keys are stored */
    bool captured;
    /* the key being read */
    struct db *db;
    struct slice key; /* its name: the decoder's, until its value ends */
    int64_t expire_at_ms, idle_s, freq;
    bool skip;
    enum load_form form;
    struct load_buffer {
        char *at;
        size_t len, room;
    } bytes;
    struct slice view;  /* LOAD_VIEW: the value's bytes: the decoder's, until the value ends */
    struct value value; /* block or root: no record owns it yet */
    char *block;        /* the block, writable: fresh, and no cut begins while loading */
    uint64_t claimed_len;
    /* What the type at hand keeps from one event to the next: its own business; all zero when the
     * value begins. */
    struct load_kept {
        const void *at[2];
        bool flag;
    } kept;
    /* entries of a large hash, set or sorted set that wait for their places in it */
    struct load_entries {
        const struct load_entry_ops *ops;
        unsigned count;
        struct load_entry {
            const void *entry;
            uint64_t hash;
        } at[LOAD_AHEAD];
    } entries;
    /* records that have been made, and wait for their places */
    struct load_queue {
        unsigned count;
        struct load_queued {
            struct db *db;
            const struct record *rec;
            uint64_t hash;
        } at[LOAD_AHEAD];
    } queue;
};

/* load_init: all zero; then set merge and on_progress as wanted. */
void load_init(struct load_state *s);
/* load_fini: free the buffers and what a decoding that failed left unfinished: keys that were read
 * are not all in their databases then. */
void load_fini(struct load_state *s);

/* Is a version that is not known tried?  rdb-version-check relaxed */
extern bool load_any_version;

/* load_events: for rdb_decode(); the context is a struct load_state.  After types_init(): those of
 * values are the types' own.  Besides the decoder's own errors: -ENOMEM, -EEXIST, -ERANGE; then
 * error says what and which key. */
const struct rdb_events *load_events(void);

#endif
