/* snapshot/rdb/rdb_names.c - what the numbers in an RDB file are called.  Below 22 and above 243
 * all writers agree; between them the same number means different things, and the file's version
 * decides. */
#include "snapshot/rdb/rdb.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "snapshot/rdb/rdb_dec.h"

enum { ALWAYS = 0, REDIS = RDB_VERSION_REDIS_LAST, LATEST = 999 };

struct name {
    unsigned first, last;            /* numbers */
    int from_version, until_version; /* of the file */
    const char *text;
};

static const struct name types[] = {
    {RDB_TYPE_STRING, 0, ALWAYS, LATEST, "string"},
    {RDB_TYPE_LIST, 1, ALWAYS, LATEST, "list"},
    {RDB_TYPE_SET, 2, ALWAYS, LATEST, "set"},
    {RDB_TYPE_ZSET, 3, ALWAYS, LATEST, "sorted set with scores as text"},
    {RDB_TYPE_HASH, 4, ALWAYS, LATEST, "hash"},
    {RDB_TYPE_ZSET_2, 5, ALWAYS, LATEST, "sorted set"},
    {RDB_TYPE_MODULE_1, 6, ALWAYS, LATEST, "module value, first form"},
    {RDB_TYPE_MODULE, 7, ALWAYS, LATEST, "module value"},
    {RDB_TYPE_HASH_ZIPMAP, 9, ALWAYS, LATEST, "hash zipmap"},
    {RDB_TYPE_LIST_ZIPLIST, 10, ALWAYS, LATEST, "list ziplist"},
    {RDB_TYPE_SET_INTSET, 11, ALWAYS, LATEST, "set intset"},
    {RDB_TYPE_ZSET_ZIPLIST, 12, ALWAYS, LATEST, "sorted set ziplist"},
    {RDB_TYPE_HASH_ZIPLIST, 13, ALWAYS, LATEST, "hash ziplist"},
    {RDB_TYPE_LIST_QUICKLIST, 14, ALWAYS, LATEST, "list quicklist"},
    {RDB_TYPE_STREAM, 15, ALWAYS, LATEST, "stream"},
    {RDB_TYPE_HASH_LISTPACK, 16, ALWAYS, LATEST, "hash listpack"},
    {RDB_TYPE_ZSET_LISTPACK, 17, ALWAYS, LATEST, "sorted set listpack"},
    {RDB_TYPE_LIST_QUICKLIST_2, 18, ALWAYS, LATEST, "list quicklist 2"},
    {RDB_TYPE_STREAM_2, 19, ALWAYS, LATEST, "stream 2"},
    {RDB_TYPE_SET_LISTPACK, 20, ALWAYS, LATEST, "set listpack"},
    {RDB_TYPE_STREAM_3, 21, ALWAYS, LATEST, "stream 3"},
    {22, 22, 12, REDIS, "hash with field expiry, first form"},
    {23, 23, 12, REDIS, "hash listpack with field expiry, first form"},
    {24, 24, 12, REDIS, "hash with field expiry"},
    {25, 25, 12, REDIS, "hash listpack with field expiry"},
    {26, 26, 13, REDIS, "stream 4"},
    {27, 27, 14, REDIS, "stream 5"},
    {28, 28, 14, REDIS, "array"},
    {29, 32, 15, REDIS, "hash by a template"},
    {33, 33, 15, REDIS, "rate limiter"},
    {22, 22, RDB_VERSION_VALKEY, LATEST, "hash with field expiry"},
    {23, 23, 81, LATEST, "path hash"},
    {30, 37, ALWAYS, 9, "one of Dragonfly's own types"},
    {64, 64, ALWAYS, 9, "KeyDB's cron job"},
};

static const struct name opcodes[] = {
    {200, 224, ALWAYS, 9, "one of Dragonfly's own"},
    {242, 242, 15, REDIS, "the registry of hash templates"},
    {242, 242, 81, LATEST, "UPDATE"},
    {243, 243, 13, REDIS, "KEY_META"},
    {243, 243, RDB_VERSION_VALKEY, LATEST, "SLOT_IMPORT"},
    {RDB_OP_SLOT_INFO, 244, RDB_SLOT_INFO_FROM_VERSION, LATEST, "SLOT_INFO"},
    {RDB_OP_FUNCTION2, 245, ALWAYS, LATEST, "FUNCTION2"},
    {RDB_OP_FUNCTION_PRE, 246, ALWAYS, LATEST, "FUNCTION of the 7.0 release candidates"},
    {RDB_OP_MODULE_AUX, 247, ALWAYS, LATEST, "MODULE_AUX"},
    {RDB_OP_IDLE, 248, ALWAYS, LATEST, "IDLE"},
    {RDB_OP_FREQ, 249, ALWAYS, LATEST, "FREQ"},
    {RDB_OP_AUX, 250, ALWAYS, LATEST, "AUX"},
    {RDB_OP_RESIZEDB, 251, ALWAYS, LATEST, "RESIZEDB"},
    {RDB_OP_EXPIRETIME_MS, 252, ALWAYS, LATEST, "EXPIRETIME_MS"},
    {RDB_OP_EXPIRETIME, 253, ALWAYS, LATEST, "EXPIRETIME"},
    {RDB_OP_SELECTDB, 254, ALWAYS, LATEST, "SELECTDB"},
    {RDB_OP_EOF, 255, ALWAYS, LATEST, "EOF"},
};

/* Who writes a version, and, of those that brought something new, which server was the first. */
static const struct writer {
    int from, until;
    const char *servers, *first;
} writers[] = {
    {1, 8, "a Redis before 5.0", NULL},
    {9, 9, "Redis 5.0 to 6.2 or KeyDB", NULL},
    {10, 10, "Redis 7.0", "Redis 7.0"},
    {11, 11, "Redis 7.2 or Valkey 7.2 to 8.1", "Redis 7.2"},
    {12, 12, "Redis 7.4 to 8.4", "Redis 7.4"},
    {13, 13, "Redis 8.6", "Redis 8.6"},
    {14, 14, "Redis 8.8", "Redis 8.8"},
    {15, 15, "Redis 8.10", "Redis 8.10"},
    {16, RDB_VERSION_REDIS_LAST, "a Redis later than 8.10", NULL},
    {RDB_VERSION_VALKEY, RDB_VERSION_VALKEY, "Valkey 9.0", "Valkey 9.0"},
    {81, 81, "Valkey 9.2", "Valkey 9.2"},
    {82, LATEST, "a Valkey later than 9.2", NULL},
};

static const struct writer *
find_writer(int version)
{
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
        if (version >= writers[i].from && version <= writers[i].until)
            return &writers[i];
    return NULL;
}

const char *
rdb_version_writer(int version)
{
    const struct writer *w = find_writer(version);

    return w != NULL ? w->servers : NULL;
}

static const struct name *
find(const struct name *names, size_t count, int version, unsigned number)
{
    for (const struct name *n = names; n < names + count; n++)
        if (number >= n->first && number <= n->last && version >= n->from_version &&
            version <= n->until_version)
            return n;
    return NULL;
}

static const struct name *
find_type(int version, unsigned type)
{
    return find(types, sizeof types / sizeof *types, version, type);
}

static const struct name *
find_opcode(int version, unsigned opcode)
{
    return find(opcodes, sizeof opcodes / sizeof *opcodes, version, opcode);
}

static const char *
since(const struct name *n)
{
    const struct writer *w = n != NULL ? find_writer(n->from_version) : NULL;

    return w != NULL ? w->first : NULL;
}

const char *
rdb_type_name(int version, unsigned type)
{
    const struct name *n = find_type(version, type);

    return n != NULL ? n->text : NULL;
}

const char *
rdb_opcode_name(int version, unsigned opcode)
{
    const struct name *n = find_opcode(version, opcode);

    return n != NULL ? n->text : NULL;
}

const char *
rdb_type_since(int version, unsigned type)
{
    return since(find_type(version, type));
}

const char *
rdb_opcode_since(int version, unsigned opcode)
{
    return since(find_opcode(version, opcode));
}

static const struct {
    const char *plural, *remedy;
} findings[RDB_FINDINGS] = {
#define FINDING(name, plural, remedy) [RDB_FINDING_##name] = {plural, remedy},
#include "snapshot/rdb/rdb_finding.def"
#undef FINDING
};

const char *
rdb_finding_plural(enum rdb_finding_kind kind)
{
    return findings[kind].plural;
}

const char *
rdb_finding_remedy(enum rdb_finding_kind kind)
{
    return findings[kind].remedy;
}

const struct rdb_aux *
rdb_aux_of(struct slice name)
{
    static const struct rdb_aux known[] = {
#define AUX(name, fate, about) {name, about, RDB_AUX_##fate},
#include "snapshot/rdb/rdb_aux.def"
#undef AUX
    };
    static const struct rdb_aux unknown = {.fate = RDB_AUX_CARRIED};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_is(name, known[i].name))
            return &known[i];
    return &unknown;
}

static bool
is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* name_in: what is behind name= in the word that begins at p, quoted or not; empty: it is another
 * word. */
static struct slice
name_in(const char *p, const char *end)
{
    static const char key[] = "name=";
    struct slice name = {p, 0};

    p += p < end && is_quote(*p);
    if ((size_t)(end - p) < sizeof key - 1 || strncasecmp(p, key, sizeof key - 1) != 0)
        return name;
    p += sizeof key - 1;
    p += p < end && is_quote(*p);
    name.ptr = p;
    while (name.ptr + name.len < end && (unsigned char)name.ptr[name.len] > ' ' &&
           !is_quote(name.ptr[name.len]))
        name.len++;
    return name;
}

struct slice
rdb_library_name(struct slice code)
{
    const char *end = memchr(code.ptr, '\n', code.len);
    struct slice name = {code.ptr, 0};

    if (end == NULL)
        end = code.ptr + code.len;
    if (end - code.ptr < 2 || memcmp(code.ptr, "#!", 2) != 0)
        return name;
    for (const char *p = code.ptr + 2; p < end && name.len == 0; p++)
        if ((unsigned char)*p <= ' ')
            name = name_in(p + 1, end);
    return name;
}

/* A module's number: nine characters of six bits, the first one highest, then ten bits: the
 * version. */
unsigned
rdb_module_name(uint64_t id, char ret[RDB_MODULE_NAME_BYTES])
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (int i = 0; i < RDB_MODULE_NAME_BYTES - 1; i++)
        ret[i] = set[id >> (58 - 6 * i) & 63];
    ret[RDB_MODULE_NAME_BYTES - 1] = '\0';
    return (unsigned)(id & 1023);
}
