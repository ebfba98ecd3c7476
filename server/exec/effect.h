/* server/exec/effect.h - what a copy of the data has to execute in order to stay a copy.
 *
 * An append-only file or a replica repeats what has changed the data.  Often that is the command as
 * it was sent; but not where the command depends on chance (SPOP), on the time (EXPIRE, XADD *), on
 * rounding (INCRBYFLOAT) or on who waited (BLPOP).  There the handler says what has the same effect
 * whenever and wherever it is executed.
 *
 *   EF1  After a command that counted changes (changed.h), what it said is told, or, if it said
 *        nothing, the command as it was sent.  One that counted none tells nothing.
 *   EF2  An effect gives the same data whenever it is executed: times are absolute, what was chosen
 *        is named.  It may rely on the data that the effects before it have made.
 *   EF3  Effects come in the order in which the data changed.  A key that has expired or was
 *        evicted is told at once, as DEL: before the command that met it; a field, as HDEL.
 *   EF4  What one command says in several effects, and all that a transaction says, stands between
 *        MULTI and EXEC: others never see a part of it.  A transaction without effects tells
 *        nothing.
 *   EF5  A blocked client that is served tells what it did then (LPOP for BLPOP), after the effects
 *        of the command, or transaction, that served it.
 *
 * PUBLISH, which changes no data, is no effect.  Loading a dump tells nothing: copies begin anew.
 *
 * Cost: while nobody listens, a branch for each command and one for each handler that would say
 * something; no allocation.
 * Threads: mutator. */
#ifndef SERVER_EXEC_EFFECT_H
#define SERVER_EXEC_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/slice.h"

struct client;
struct db;

/* An effect_listener hears the number of the logical database and the words of a command, good
 * until it returns; it executes nothing itself.  argc 0: there was no memory to keep what a command
 * said: the copies are none any more, and have to be made anew. */
typedef void (*effect_listener)(int db_index, int argc, const struct slice *argv);

/* effect_listen: from the next command on; NULL: nobody listens any more. */
void effect_listen(effect_listener listener);
extern bool effects_are_wanted;

/* ---- what handlers say: unlikely(effects_are_wanted) first; it is cheap to ask ---- */

/* effect_instead: these words are executed instead of the running command; when said again, they
 * come after.  The words are copied.  Only once nothing can fail any more, or take it back:
 * effect_none(): nothing is told of this command, whatever it said and counted. */
void effect_instead(int argc, const struct slice *words);
void effect_none(void);
/* effect_only_said: the command as it was sent is not told, even if nothing else is said. */
void effect_only_said(void);
/* effect_as_sent: the command is told as it was sent, although it counted nothing. */
void effect_as_sent(void);
/* effect_lost: there is no memory for the words. */
void effect_lost(void);

/* EFFECT: effect_instead() for an array of words. */
#define EFFECT(words) effect_instead((int)(sizeof(words) / sizeof *(words)), (words))

/* effect_number: a number as a word; room has NUM_MAX_BYTES. */
static inline struct slice
effect_number(char *room, int64_t n)
{
    return (struct slice){.ptr = room, .len = (size_t)(num_put(room, n) - room)};
}

/* effect_deleted: DEL, for a command that deletes the key under another name.
 * effect_expiry: the key expires then; RECORD_NO_EXPIRE: never. */
void effect_deleted(struct slice key);
void effect_expiry(struct slice key, int64_t at_ms);

/* effect_hush: from now on nothing is told, or again: a script's redis.set_repl(). */
void effect_hush(bool on);

/* effect_key_gone, effect_field_gone: EF3. */
void effect_key_gone(const struct db *db, struct slice key);
void effect_field_gone(const struct db *db, struct slice key, struct slice field);

/* ---- who runs handlers: exec.c, keywait.c ---- */

/* effect_begin, effect_end: around a command of c, whose words are c's then.  Only if
 * effects_are_wanted; the scope is the caller's and in use until effect_end(). */
struct effect_scope {
    struct effect_scope *outer; /* EXEC, or who else executes this one */
    struct client *client;
    uint64_t dirty;     /* db_state.dirty before, with what was counted within and told there */
    size_t said;        /* bytes in the buffer before */
    int db_index;       /* where the command began */
    int count;          /* effects said */
    bool is_decided;    /* effect_instead(), effect_none() */
    bool is_as_sent;    /* effect_as_sent() */
    bool is_lost;       /* no memory */
    bool multi_is_told; /* something within was told */
};
void effect_begin(struct client *c, struct effect_scope *s);
void effect_end(struct effect_scope *s);

#endif
