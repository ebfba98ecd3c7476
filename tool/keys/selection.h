/* tool/keys/selection.h - which keys a command looks at: the options of the group SELECT.
 * Threads: one. */
#ifndef TOOL_KEYS_SELECTION_H
#define TOOL_KEYS_SELECTION_H

#include <stdbool.h>

#include "tool/base/options.h"
#include "tool/keys/facts.h"

struct selection;

/* selection_new: NULL: an option is wrong, which was reported on stderr (an exit status of
 * TOOL_USAGE). */
struct selection *selection_new(const struct tool_options *o);
void selection_free(struct selection *s);
/* selection_is_all: every key of every file.  selection_needs_facts: selection_takes_key() is not
 * all that it asks. */
bool selection_is_all(const struct selection *s);
bool selection_needs_facts(const struct selection *s);
/* selection_takes_key: as far as is known before the value; counted_from_ms: when the file was
 * written.  selection_takes_facts: and then. */
bool selection_takes_key(struct selection *s, const struct rdb_key *key, int64_t counted_from_ms);
bool selection_takes_facts(struct selection *s, const struct key_facts *f);
/* selection_count: one more is taken; true: it was the last that --limit allows. */
bool selection_count(struct selection *s);
/* selection_left: so many are still allowed; UINT64_MAX: any number. */
uint64_t selection_left(const struct selection *s);
/* selection_share: of all keys that the others let through, --sample takes this part (1: all).
 * A sum over them is the sum over those taken, divided by it; selection_error: the standard error
 * of that, where `squares` is the sum over those taken of the squares of what is added up (of a
 * number of keys: the number taken): sqrt((1 - share) * squares) / share. */
double selection_share(const struct selection *s);
double selection_error(const struct selection *s, double squares);

#endif
