/* snapshot/rdb/rdb_dec_unknown.c - what is known by name only, or not at all: refused, or, where it
 * says itself where it ends, read over.
 *
 * Modules write their values (type 7) and what they keep beside them (MODULE_AUX) in parts: a
 * number that says what follows, then that; 0 is the end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec_impl.h"

enum module_part {
    MODULE_END,
    MODULE_SIGNED,
    MODULE_UNSIGNED, /* both: as lengths */
    MODULE_FLOAT,    /* four bytes */
    MODULE_DOUBLE,   /* eight */
    MODULE_STRING
};

int
dec_not_read(struct dec *d, uint64_t offset, const char *kind, unsigned number, const char *name,
             const char *since)
{
    return dec_fail(d, offset, -ENOTSUP, "%s (%s %u) is not read%s%s", name, kind, number,
                    since == NULL ? "" : ": it came with ", since == NULL ? "" : since);
}

int
dec_unknown(struct dec *d, bool is_key, const char *format, ...)
{
    char what[160];
    va_list args;

    if (d->ev->unknown == NULL)
        return 0;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return dec_sink(d, d->ev->unknown(d->ctx, is_key ? &d->key : NULL, what));
}

/* skip_parts: up to the end, that included. */
static int
skip_parts(struct dec *d)
{
    uint64_t offset, part = MODULE_END, ignored;
    int r;

    do {
        offset = rdb_source_offset(d->src);
        d->what = "a module's value";
        if ((r = dec_len(d, &part)) != 0)
            return r;
        if (part == MODULE_SIGNED || part == MODULE_UNSIGNED)
            r = dec_len(d, &ignored);
        else if (part == MODULE_FLOAT || part == MODULE_DOUBLE)
            r = dec_skip_bytes(d, part == MODULE_FLOAT ? 4 : 8);
        else if (part == MODULE_STRING)
            r = dec_string_skip(d);
        else if (part != MODULE_END)
            r = dec_fail(d, offset, -EINVAL, "a module's value has a part of the unknown kind %llu",
                         (unsigned long long)part);
        if (r != 0 || (r = dec_progress(d)) != 0)
            return r;
    } while (part != MODULE_END);
    return 0;
}

/* read_module: which module's type it is. */
static int
read_module(struct dec *d, char ret[RDB_MODULE_NAME_BYTES])
{
    uint64_t id = 0;
    int r;

    d->what = "a module's name";
    if ((r = dec_len(d, &id)) == 0)
        rdb_module_name(id, ret);
    return r;
}

int
dec_module_aux(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src) - 1;
    char module[RDB_MODULE_NAME_BYTES];
    int r;

    if ((r = read_module(d, module)) != 0)
        return r;
    if (!d->ev->skip_unknown)
        return dec_fail(d, offset, -ENOTSUP,
                        "MODULE_AUX (opcode %u) of the module type %s is not read",
                        RDB_OP_MODULE_AUX, module);
    if ((r = skip_parts(d)) != 0)
        return r;
    return dec_unknown(d, false, "MODULE_AUX (opcode %u) of the module type %s", RDB_OP_MODULE_AUX,
                       module);
}

/* read_module_value: told, or refused with the module's name. */
static int
read_module_value(struct dec *d, uint8_t type, const char *name, uint64_t offset)
{
    char module[RDB_MODULE_NAME_BYTES];
    int r;

    if ((r = read_module(d, module)) != 0)
        return r;
    if (type != RDB_TYPE_MODULE || !d->ev->skip_unknown)
        return dec_fail(d, offset, -ENOTSUP, "%s (type %u) of the module type %s is not read", name,
                        type, module);
    if ((r = skip_parts(d)) != 0)
        return r;
    d->has_seen_key = true;
    d->key.name = bytes_slice(&d->name);
    d->key.type = type;
    d->key.kind = RDB_VALUE_COUNT;
    d->key.offset = offset;
    return dec_unknown(d, true, "%s (type %u) of the module type %s", name, type, module);
}

int
dec_unknown_value(struct dec *d, uint8_t type, uint64_t offset)
{
    const char *name = rdb_type_name(d->version, type);

    if (type == RDB_TYPE_MODULE || type == RDB_TYPE_MODULE_1)
        return read_module_value(d, type, name, offset);
    return dec_not_read(d, offset, "type", type, name, rdb_type_since(d->version, type));
}

int
dec_unknown_key(struct dec *d, uint8_t type, uint64_t offset)
{
    int r;

    if (rdb_type_name(d->version, type) == NULL)
        return dec_fail(d, offset, -EINVAL, "%u (0x%02x) is neither a type nor an opcode of RDB",
                        type, type);
    if ((r = dec_name(d)) != 0)
        return r;
    return dec_unknown_value(d, type, offset);
}
