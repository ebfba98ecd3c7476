/* server/commands/generic/migration_impl.h - the inside of migrations: migration.c is their course,
 * migration_send.c what the target is sent and says.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_GENERIC_MIGRATION_IMPL_H
#define SERVER_COMMANDS_GENERIC_MIGRATION_IMPL_H

#include <stddef.h>

#include "server/commands/generic/migration.h"
#include "server/exec/block.h"
#include "server/net/dial.h"

struct dump_slices;
struct keyhold;

enum migration_key_state {
    KEY_WAITS,
    KEY_SENT,
    KEY_TAKEN, /* the target has it */
    KEY_STAYS  /* it has refused it; or it is not there any more */
};

struct migration_key {
    struct slice name;
    struct keyhold *hold;
    enum migration_key_state state;
    bool was_dropped; /* it changed while it was dumped in slices */
};

/* Bytes on their way to the target. */
struct piece {
    struct piece *next;
    char *bytes; /* [owned] */
    size_t len, at;
};

enum { ANSWER_BYTES = 1024 /* of a line of the target's: what is beyond is not kept */ };

enum migration_end {
    MIGRATION_GOES_ON,
    MIGRATION_ANSWERED, /* for every key */
    MIGRATION_LOST,     /* the connection, or the target is silent */
    MIGRATION_STRANGE,  /* its answer is none to what was sent */
    MIGRATION_NO_MEMORY
};

struct migration {
    struct dial dial; /* first: it hands itself back */
    struct migration *prev, *next;
    struct client *client; /* NULL: it has gone */
    struct migration_plan plan;
    int db_index;
    struct migration_key *keys; /* those that were there; behind this struct, as argv */
    int key_count, next_key, answered, taken_count;
    struct dump_slices *dump; /* of the next key, while it is not ready */
    bool waits_for_dumps;     /* of others: too many are open */
    int greetings;            /* answers that come before those for keys */
    enum migration_end end;
    bool is_woken, is_connected;
    int64_t deadline_ms;
    struct piece *first, *last;
    size_t pending_bytes;
    char line[ANSWER_BYTES + 1]; /* what has come of an answer */
    size_t line_len;
    char *refusal; /* the first error that the target answered; NULL: none */
    int argc;
    struct slice *argv;
};

/* migration_greet: what comes before the keys.
 * migration_talk: send, and take in, as much as goes now, for about LOOP_SLICE_US; says in `end`
 * what became of it.  True: there is more to do now. */
void migration_greet(struct migration *m);
bool migration_talk(struct migration *m);
void migration_drop_pieces(struct migration *m);

#endif
