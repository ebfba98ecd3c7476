/* server/commands/stream/stream.h - what the commands on streams share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_STREAM_STREAM_H
#define SERVER_COMMANDS_STREAM_STREAM_H

#include "server/data/stream/stream.h"
#include "server/net/client.h"

/* How an id may be written: "ms-seq"; "ms" (then seq is `missing`); "-" and "+" unless strict;
 * "ms-*" where ret_has_seq is not NULL. */
struct id_syntax {
    uint64_t missing;
    bool strict;
};
/* stream_id_parse: false: it is not one; nothing is replied. */
bool stream_id_parse(struct slice text, struct id_syntax syntax, struct stream_id *ret,
                     bool *ret_has_seq);
/* arg_stream_id: argument i, strict, seq 0 when missing; false: an error was replied. */
bool arg_stream_id(struct client *c, int i, struct stream_id *ret);
/* arg_stream_range: the arguments that begin and end a range, each perhaps with "(" before it.
 * from and to are both included.  False: an error was replied.
 * arg_stream_start: the beginning alone. */
bool arg_stream_range(struct client *c, int start, int end, struct stream_id *ret_from,
                      struct stream_id *ret_to);
bool arg_stream_start(struct client *c, int i, struct stream_id *ret);

/* reply_no_group: NOGROUP: what, 'first', between, 'second', end. */
void reply_no_group(struct client *c, const char *const texts[3], struct slice first,
                    struct slice second);

void reply_stream_id(struct client *c, struct stream_id id);
/* reply_stream_entry: [id, [field, value, ...]] */
void reply_stream_entry(struct client *c, const struct stream_item *item);
/* reply_stream_entry_at: the entry of that id; false: there is none, nothing was replied. */
bool reply_stream_entry_at(struct client *c, const struct stream *s, struct stream_id id);
/* reply_stream_range: an array of entries, `count` at most (0: all). */
void reply_stream_range(struct client *c, struct stream_iter *it, int64_t count);

struct db_ref;
/* stream_of: the stream that was found; NULL: none was. */
const struct stream *stream_of(const struct db_ref *ref);
/* stream_key_with_group: the stream at argument 1 with the group at argument 2; false: WRONGTYPE or
 * NOGROUP was replied. */
bool stream_key_with_group(struct client *c, const struct stream **ret_stream,
                           const struct stream_group **ret_group);

#endif
