/* server/data/db/dump.h - one value as bytes, and back: DUMP and RESTORE; all function libraries as
 * bytes, and back.
 *
 * The payload is Redis's: a type byte and the value as RDB has it, the version of that (2 bytes,
 * little endian) and the CRC64 of all of this (8 bytes).  [RDB 10; Redis documentation: DUMP.]
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DUMP_H
#define SERVER_DATA_DB_DUMP_H

#include <stdint.h>

#include "server/data/db/load.h"
#include "server/data/db/record.h"

/* Are long strings compressed?  rdbcompression */
extern bool dump_compresses;

/* dump_value: the payload, to be freed with free().  0 or -ENOMEM */
int dump_value(const struct record *r, uint8_t **ret, size_t *ret_len);

/* dump_encode: the payload into a sink.  poll: as in struct view (snapshot/view.h), or NULL.  0 or
 * -errno */
struct sink;
int dump_encode(struct sink *out, const struct record *r, int (*poll)(void *ctx), void *ctx);

/* dump_bytes: how long the value is in a dump; 0: no memory. */
uint64_t dump_bytes(const struct record *r);

/* dump_check: has the payload a version that can be read, and the right checksum? */
bool dump_check(struct slice payload);
/* dump_parse: the value of a payload that dump_check() liked, for a record with a key of key_len
 * bytes. 0: *ret is the caller's; inline bytes stand in state's buffers, until load_fini(state),
 * which the caller calls in any case. -ENOMEM; -ENOTSUP: a type that is not supported; -EINVAL: it
 * is damaged. */
int dump_parse(struct slice payload, struct slice key, struct load_state *state, struct value *ret);

/* dump_libraries: those of carried.h, as a file has them, in a payload as a value's, to be freed
 * with free().  0 or -ENOMEM
 * dump_read_libraries: tell fn each library of a payload that dump_check() liked, as long as it
 * says true. 0; -ECANCELED: it said false; -ENOMEM; -ENOTSUP: there is something else in it;
 * another -errno: err->text says what is wrong. */
int dump_libraries(uint8_t **ret, size_t *ret_len);
int dump_read_libraries(struct slice payload, bool (*fn)(void *ctx, struct slice code), void *ctx,
                        struct rdb_error *err);

#endif
