/* snapshot/rdb/rdb_dec_version.c - an RDB's first bytes: which of the two families it is of, and
 * which version. */
#include <errno.h>
#include <string.h>

#include "mm/base/printable.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec_impl.h"

/* parse_version: the digits of a magic; -1: they are none. */
static int
parse_version(const uint8_t *digits, const uint8_t *end)
{
    int version = 0;

    for (; digits < end; digits++) {
        if (*digits < '0' || *digits > '9')
            return -1;
        version = version * 10 + *digits - '0';
    }
    return version;
}

/* Numbers tell the two families apart, so no version of one may be taken for one of the other. */
static bool
is_possible(bool is_valkey, int version)
{
    return is_valkey ? version >= RDB_VERSION_VALKEY
                     : version >= 1 && version <= RDB_VERSION_REDIS_LAST;
}

static bool
is_known(int version)
{
    return version <= RDB_VERSION_MAX || version == RDB_VERSION_VALKEY;
}

/* try: a version that may have what nobody knows here. */
static int
try_unknown(struct dec *d, const char *shown)
{
    return dec_find(d, 0, RDB_FINDING_VERSION, "%s, RDB of an unknown version", shown);
}

/* refuse: and say whose it is. */
static int
refuse(struct dec *d, bool is_valkey, const char *shown)
{
    const char *writer = is_possible(is_valkey, d->version) ? rdb_version_writer(d->version) : NULL;

    return dec_fail(
        d, 0, -ENOTSUP,
        "%s (RDB version %d) is not read: REDIS0001 to REDIS%04d and VALKEY%03d are%s%s", shown,
        d->version, RDB_VERSION_MAX, RDB_VERSION_VALKEY,
        writer == NULL ? "" : "; it was written by ", writer == NULL ? "" : writer);
}

int
dec_magic(struct dec *d)
{
    const uint8_t *magic;
    char shown[40];
    bool is_valkey;
    int r;

    if ((r = source_need(d->src, 1)) != 0)
        return r == -ENODATA ? dec_fail(d, 0, -EINVAL, "the file is empty") : dec_unreadable(d, r);
    if ((r = dec_unwrap(d)) != 0)
        return r;
    d->what = "the magic that every RDB file begins with";
    if ((r = dec_need(d, RDB_MAGIC_BYTES)) != 0)
        return r;
    magic = source_here(d->src);
    printable(shown, sizeof shown, magic, RDB_MAGIC_BYTES);
    is_valkey = memcmp(magic, "VALKEY", 6) == 0;
    if (is_valkey || memcmp(magic, "REDIS", 5) == 0)
        d->version = parse_version(magic + (is_valkey ? 6 : 5), magic + RDB_MAGIC_BYTES);
    if (d->version < 0)
        return dec_fail(d, 0, -EINVAL, "not an RDB file: it begins with \"%s\"", shown);
    if (!is_possible(is_valkey, d->version) || (!is_known(d->version) && !d->ev->any_version))
        return refuse(d, is_valkey, shown);
    if (!is_known(d->version) && (r = try_unknown(d, shown)) != 0)
        return r;
    source_skip(d->src, RDB_MAGIC_BYTES);
    return d->ev->start != NULL ? dec_sink(d, d->ev->start(d->ctx, d->version)) : 0;
}
