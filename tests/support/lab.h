/* tests/support/lab.h - the server's data in process, without sockets or threads, and snapshots of
 * it taken by hand.
 *
 *   lab_open(); lab_run("set a 1");
 *   want = lab_quiet();                  what a snapshot of this instant says
 *   lab_cut(); lab_run("incr a");
 *   got = lab_sweep(); lab_end();        what one says that was begun before the write
 *
 * A digest does not depend on the order of keys or fields, but on everything else, expiry times to
 * the millisecond. */
#ifndef TESTS_SUPPORT_LAB_H
#define TESTS_SUPPORT_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/cut.h"
#include "snapshot/sweeper.h"

struct lab_digest {
    uint64_t sum, keys;
    int error; /* of the sweep or of the decoder */
};

void lab_open(void);
void lab_close(void);

/* lab_run: execute commands, separated by ';'; words are separated by blanks; "@N*c" is a word of N
 * times the character c; "pass 5" lets five milliseconds go by; "moving" lets every block of the
 * arena move, "moving 16 32" those in slots of so many bytes.  Fails the test when a reply is an
 * error. */
void lab_run(const char *commands);
/* lab_try: the same, errors welcome. */
void lab_try(const char *commands);

/* lab_move: a step of a walk in which every block moves (mm_compact_begin_all()), begun where none
 * is under way. False: it has come to its end; the test fails if a block was not come to, unless
 * may_stray: something has changed meanwhile. */
bool lab_move(int64_t work, bool may_stray);
/* lab_move_sizes: of walks that begin from now on: only blocks in slots of so many bytes leave. */
void lab_move_sizes(size_t least, size_t most);

struct lab_digest lab_quiet(void);
void lab_cut(void);
/* lab_sweep: sweep the open cut to the end, in memory, and read it back through the decoder. */
struct lab_digest lab_sweep(void);
/* lab_sweep_with: the same with a view that may be cancelled and a call between blocks. */
struct lab_digest lab_sweep_with(const _Atomic bool *cancel, void (*between)(void *), void *ctx);
/* lab_sweep_part: one of several sweepers of the open cut, which share lab_area: what it found. */
struct mm_sweep_area;
extern struct mm_sweep_area lab_area;
struct lab_digest lab_sweep_part(const _Atomic bool *cancel, void (*between)(void *), void *ctx);
/* lab_sum: of two parts of a sweep; an error of either is the whole's. */
static inline struct lab_digest
lab_sum(struct lab_digest a, struct lab_digest b)
{
    return (struct lab_digest){a.sum + b.sum, a.keys + b.keys, a.error != 0 ? a.error : b.error};
}
/* lab_end: close the cut and settle everything. */
void lab_end(void);

/* lab_file: what a dump on disk says. */
struct lab_digest lab_file(const char *path);
/* lab_reply: run one command and return its whole reply, good until the next call. */
const char *lab_reply(const char *command);

static inline bool
lab_same(struct lab_digest a, struct lab_digest b)
{
    return a.error == 0 && b.error == 0 && a.sum == b.sum && a.keys == b.keys;
}

#endif
