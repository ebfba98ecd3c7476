/* server/exec/block.h - clients that wait for something before they get their reply (WAIT; the
 * blocking commands of lists, sorted sets and streams).
 *
 * A blocked client's later commands are read and wait in its input buffer; its end is noticed.
 * Deadlines stand in a heap: O(log n) to block and to unblock, O(1) a turn.  The command is
 * counted, and perhaps logged as slow, once: when it is answered, with the time that it took before
 * it blocked and then (or, is_counted, when it blocks); not the time that it waited.
 * Threads: mutator. */
#ifndef SERVER_EXEC_BLOCK_H
#define SERVER_EXEC_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/net/reply_check.h"

struct client;
struct cmd;

enum block_end {
    BLOCK_TIMEOUT,
    BLOCK_ERROR /* CLIENT UNBLOCK id ERROR */,
    BLOCK_GONE /* the client closes: no reply */
};

/* What a client waits for: at the begin of the malloc'ed block in which the command keeps what it
 * needs. */
struct block {
    int64_t deadline_ms; /* unix; 0: for ever */
    int argc;            /* a copy of the command, in the same block */
    struct slice *argv;
    /* The wait ended without what was waited for: take the client off your lists, and reply (but
     * for BLOCK_GONE); block_end() frees the block. */
    void (*end)(struct client *c, struct block *b, enum block_end why);
    bool is_counted; /* when it begins to wait: nothing of it is an answer */
    /* set within */
    unsigned heap_at;
    bool is_muted; /* CLIENT REPLY OFF or SKIP: nothing is answered */
    struct cmd *cmd;
    uint64_t spent_ns; /* before it blocked */
};

/* block_init: a client that goes ends its wait, and the loop ends those that are due. */
void block_init(void);
/* block_client: the running command of c waits; the handler replies nothing and returns.  Not
 * within EXEC (c->in_exec). 0 or -ENOMEM: not blocked. */
int block_client(struct client *c, struct block *b);
/* block_reply_begin, block_reply_end: around the answer to a blocked client, as if its command ran
 * now. is_answered: it was answered: the command is counted. */
struct block_reply {
    uint64_t begin_ticks;
    int argc;
    struct slice *argv;
    struct reply_mark before;
};
void block_reply_begin(struct client *c, const struct block *b, struct block_reply *r);
void block_reply_end(struct client *c, const struct block *b, const struct block_reply *r,
                     bool is_answered);
/* block_finish: what was waited for has come, and was told: the block is freed; the client's other
 * commands go on in this turn or the next. */
void block_finish(struct client *c);
/* block_end: end the wait before its time; false: it was not blocked. */
bool block_end(struct client *c, enum block_end why);
unsigned block_count(void);
unsigned block_timed(void); /* those of them with a deadline */
/* block_verify: assert the order of deadlines, and that each client and its place in it know each
 * other; slow, for tests. */
void block_verify(void);

#endif
