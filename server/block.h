/* server/block.h - clients that wait for something before they get their reply (WAIT; the blocking commands
 * of lists, sorted sets and streams).
 *
 * A blocked client's later commands wait in its socket and input buffer; its end is noticed.  Deadlines stand
 * in a heap: O(log n) to block and to unblock, O(1) a turn.  Threads: mutator. */
#ifndef SERVER_BLOCK_H
#define SERVER_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct client;

enum block_end {
    BLOCK_TIMEOUT,
    BLOCK_ERROR /* CLIENT UNBLOCK id ERROR */,
    BLOCK_GONE /* the client closes: no reply */
};

/* What a client waits for: embedded in whatever the command needs to remember; it must live until end() or
 * block_finish(). */
struct block {
    int64_t deadline_ms; /* unix; 0: for ever */
    /* The wait ended without what was waited for: take the client off your lists, reply (but for BLOCK_GONE),
     * free. */
    void (*end)(struct client *c, struct block *b, enum block_end why);
    /* set within */
    unsigned heap_at;
    bool is_muted; /* CLIENT REPLY OFF or SKIP: nothing is answered */
};

/* block_client: the running command of c waits; the handler replies nothing and returns.  Not within EXEC
 * (c->in_exec). 0 or -ENOMEM: not blocked. */
int block_client(struct client *c, struct block *b);
/* block_reply_begin, block_reply_end: around what a blocked client is answered, before block_finish(). */
void block_reply_begin(struct client *c);
void block_reply_end(struct client *c);
/* block_finish: what was waited for has come: the caller replies before or after this, and frees b; the
 * client's other commands go on in this turn or the next. */
void block_finish(struct client *c);
/* block_end: end the wait before its time; false: it was not blocked. */
bool block_end(struct client *c, enum block_end why);
/* block_run_deadlines: end what is due at server.now_ms. */
void block_run_deadlines(void);
/* block_next_ms: when the next is due; INT64_MAX: none. */
int64_t block_next_ms(void);
unsigned block_count(void);
unsigned block_timed(void); /* those of them with a deadline */

#endif
