/* snapshot/rdb/rdb_enc.h - write RDB.  The one encoder: server, tests and tool use it.
 *
 * All calls append to enc->out; errors are sticky there (sink_error).  No call allocates in
 * proportion to the data; LZF works in chunks (see rdb_put_string_stream).
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_RDB_ENC_H
#define SNAPSHOT_RDB_RDB_ENC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/rdb/sink.h"

/* How a file is compressed: not at all, string by string, or as a whole (lz4_frame.h). */
enum rdb_compression { RDB_PLAIN, RDB_LZF, RDB_LZ4 };

struct rdb_enc_work;

struct rdb_enc {
    struct sink *out;
    bool compress;             /* LZF strings above 20 bytes when it makes them smaller */
    int version;               /* 9 .. 12; what may be written depends on it */
    struct rdb_enc_work *work; /* [owned] staging for compression, rdb_enc_init to rdb_enc_fini */
};

/* rdb_enc_init: 0 or -ENOMEM.  Takes 163 KiB for the encoder's life. */
int rdb_enc_init(struct rdb_enc *e, struct sink *out, int version, bool compress);
void rdb_enc_fini(struct rdb_enc *e);

void rdb_put_magic(struct rdb_enc *e); /* REDIS0010 */
void rdb_put_aux(struct rdb_enc *e, const char *key, const char *value);
void rdb_put_aux_int(struct rdb_enc *e, const char *key, int64_t value);
void rdb_put_selectdb(struct rdb_enc *e, uint64_t db);
void rdb_put_resizedb(struct rdb_enc *e, uint64_t keys, uint64_t expires);
void rdb_put_expire_ms(struct rdb_enc *e, int64_t at_ms); /* absolute, unix ms */
void rdb_put_idle(struct rdb_enc *e, uint64_t seconds);   /* since the last access */
void rdb_put_freq(struct rdb_enc *e, uint8_t counter);    /* how often, by LFU */
void rdb_put_byte(struct rdb_enc *e, uint8_t byte);       /* an opcode or a type */
void rdb_put_len(struct rdb_enc *e, uint64_t len);
void rdb_put_double(struct rdb_enc *e, double value); /* a score: 8 bytes */
void rdb_put_time(struct rdb_enc *e, uint64_t ms);    /* 8 bytes, lowest first */
/* rdb_put_string: as Redis does: integer form if the bytes are one (up to 11 characters), LZF if it
 * helps, else plain. */
void rdb_put_string(struct rdb_enc *e, const void *bytes, size_t len);
/* rdb_put_int_string: a string object known to be an integer. */
void rdb_put_int_string(struct rdb_enc *e, int64_t value);
/* rdb_put_blob: as rdb_put_string, without looking for an integer (listpacks and other binary
 * blobs). */
void rdb_put_blob(struct rdb_enc *e, const void *bytes, size_t len);

/* rdb_put_string_stream: a string of len bytes that is read in pieces, for values too large to
 * stage.  read() fills dst with bytes [offset, offset + n), n <= 65536, and must give the same
 * bytes each time it is asked for them; it may be asked twice (with compression: once to learn the
 * compressed size, once to write). Returns 0, what read() said, or the sink's error; unless 0, the
 * output is useless. */
int rdb_put_string_stream(struct rdb_enc *e, uint64_t len,
                          int (*read)(void *ctx, uint64_t offset, void *dst, size_t n), void *ctx);

/* rdb_put_eof: the EOF opcode and the trailer: the CRC64 if the sink computes one, else zero. */
void rdb_put_eof(struct rdb_enc *e);

#endif
