/* tests/support/talk.h - the server's data in process, and commands with their replies.
 *
 *   talk_open(); ck_assert_str_eq(talk("set a 1"), "+OK\r\n"); talk_close();
 *
 * A command's words are separated by blanks; "@N*c" is a word of N times the character c, "''" the
 * empty word. */
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include <stddef.h>

#include "mm/base/slice.h"
#include "server/data/db/db.h"

void talk_open(void);
/* talk_close: fails the test if the databases leave anything in the arena. */
void talk_close(void);

/* talk: the reply as it goes over the wire; good until the next call. */
const char *talk(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *talk_words(int argc, const struct slice *argv);
size_t talk_reply_len(void);
struct db *talk_db(void);
/* talk_record: the record of a key in the selected database; NULL: none. */
const struct record *talk_record(const char *key);
/* talk_digest: of all data, as DEBUG DIGEST gives it; good until the next call but one. */
const char *talk_digest(void);
/* talk_live_bytes: what the arena holds. */
size_t talk_live_bytes(void);
/* talk_pass_ms: the clock goes on. */
void talk_pass_ms(int64_t ms);
/* talk_finish_work: db_work() until there is nothing left to do. */
void talk_finish_work(void);

#ifdef STILLFRAME_FAULTS
/* talk_starve: after fill(), run the command with its n-th allocation failing (from_there: and all
 * that follow), for every n that there is.  Fails the test where an error comes with changed data
 * or broken structures.  fill() begins with no keys.  Returns how many times the command was
 * refused. */
unsigned talk_starve(void (*fill)(void), const char *command, bool from_there);
#endif

#endif
