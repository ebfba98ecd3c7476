/* snapshot/verify.c - decode a dump, count, compare.  The contract is in verify.h. */
#include "snapshot/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/os.h"
#include "snapshot/rdb/rdb_dec.h"

struct verify {
    const struct verify_options *o;
    struct rdb_source *src;
    uint64_t keys;
    enum rdb_crc crc;
    uint64_t dropped_bytes; /* of the page cache */
    int fd;                 /* for that; -1: there is none */
    struct rdb_error error;
};

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct verify *v = ctx;

    (void)key;
    v->keys++;
    return 0;
}

static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct verify *v = ctx;

    snprintf(v->error.text, sizeof v->error.text, "%s", f->text);
    return -EINVAL;
}

static int
on_progress(void *ctx, uint64_t offset)
{
    struct verify *v = ctx;
    uint64_t read_bytes = rdb_source_consumed(v->src); /* of the file, not of what is in it */

    (void)offset;
    if (v->o->cancel != NULL && atomic_load_explicit(v->o->cancel, memory_order_acquire))
        return -ECANCELED;
    if (!v->o->keeps_cache && v->fd >= 0 && read_bytes > v->dropped_bytes) {
        os_drop_cache(v->fd, v->dropped_bytes, read_bytes - v->dropped_bytes);
        v->dropped_bytes = read_bytes;
    }
    os_thread_give_way();
    return 0;
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    struct verify *v = ctx;

    v->crc = crc;
    return 0;
}

static const struct rdb_events events = {
    .finding = on_finding, .key = on_key, .progress = on_progress, .end = on_end};

/* judge: what is left to be compared once all of it was decoded. */
static int
judge(const struct verify *v, char *why, size_t why_bytes)
{
    if (v->keys != v->o->keys) {
        snprintf(why, why_bytes, "%llu keys were read back, and %llu were written",
                 (unsigned long long)v->keys, (unsigned long long)v->o->keys);
        return -EBADMSG;
    }
    if (v->o->checksum && v->crc != RDB_CRC_GOOD && v->crc != RDB_CRC_FRAME) {
        snprintf(why, why_bytes, "the checksum is not there any more");
        return -EBADMSG;
    }
    return 0;
}

/* describe: what the decoder says: of the dump, or of what kept it from reading on. */
static int
describe(const struct verify *v, int r, char *why, size_t why_bytes)
{
    bool is_damaged = r == -EINVAL || r == -ENOTSUP;

    if (r == -ECANCELED)
        return r;
    snprintf(why, why_bytes, "%sat offset %llu: %s%s%s%s", is_damaged ? "" : "not read on ",
             (unsigned long long)v->error.offset, v->error.text,
             v->error.key[0] != '\0' ? " (key '" : "", v->error.key,
             v->error.key[0] != '\0' ? "')" : "");
    return is_damaged ? -EBADMSG : r;
}

int
verify_dump(const struct verify_options *o, char *why, size_t why_bytes)
{
    struct verify v = {.o = o};
    int r;

    if ((r = rdb_source_file(o->path, &v.src)) < 0) {
        snprintf(why, why_bytes, "it cannot be opened: %s", strerror(-r));
        return r;
    }
    v.fd = open(o->path, O_RDONLY | O_CLOEXEC);
    r = rdb_decode(v.src, &events, &v, o->checksum, &v.error);
    rdb_source_close(v.src);
    if (v.fd >= 0)
        close(v.fd);
    return r < 0 ? describe(&v, r, why, why_bytes) : judge(&v, why, why_bytes);
}
