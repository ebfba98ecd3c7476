/* server/commands/generic/migration.h - keys on their way to another server: MIGRATE.
 *
 * A migration has a connection of its own, which never keeps the loop waiting.  It dumps one key
 * after the other as the connection takes them, and when the target has answered for all, deletes
 * those that it took.
 *
 *   MG1 The keys are held from begin to end (keyhold.h): nobody changes them, and reading goes on.
 *       So what the target got is what they were at one instant, and no write is lost: it waits,
 *       and then finds the key gone, or still there, as if it had come after MIGRATE.
 *   MG2 A key is deleted only if the target said OK to it and it is still what was sent (HD2).  One
 *       that has changed all the same stays, and the reply is an error.
 *   MG3 All keys that go, go at once, when the migration ends, however it ends.
 *   MG4 Of a migration no more is in memory than the dumps of what fits into MIGRATION_AHEAD_BYTES,
 *       and one key's, which is made in slices if it is a large one (data/db/dump_slices.h).
 *   MG5 A migration whose client has gone ends as if it were there, once something was sent; but
 *       for the reply.
 *
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_GENERIC_MIGRATION_H
#define SERVER_COMMANDS_GENERIC_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;

enum { MIGRATION_AHEAD_BYTES = 256 * 1024, MIGRATIONS_MAX = 1024 /* at once */ };

/* What was asked for; numbers are arguments of the client's command. */
struct migration_plan {
    int64_t target_db, timeout_ms; /* timeout_ms: without any progress */
    bool copy, replace;
    int user_at, password_at; /* 0: none */
    int first_key, key_count;
};

/* migration_start: begin what the client's running command asks for: it waits, or it was answered
 * (no key is there; no memory; too many migrations). */
void migration_start(struct client *c, const struct migration_plan *plan);

#endif
