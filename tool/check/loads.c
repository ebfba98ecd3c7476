/* tool/check/loads.c - would that server take the file?  The contract is in loads.h. */
#include "tool/check/loads.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/os.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/rdb.h"
#include "tool/base/tool.h"

enum { DATABASES = 16 }; /* of each server, if its configuration does not say another number */

static bool
has(const struct loads_target *t, enum server_trait trait)
{
    return server_has(t->server, trait);
}

/* refuse: the first reason stays. */
static void __attribute__((format(printf, 2, 3)))
refuse(struct loads_target *t, const char *format, ...)
{
    va_list args;

    if (t->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(t->why, sizeof t->why, format, args);
    va_end(args);
}

/* place: of the key in hand. */
static const char *
place(const struct loads *l)
{
    static char text[192];
    char name[128];

    printable(name, sizeof name, l->name.ptr, l->name.len);
    snprintf(text, sizeof text, "byte %llu, key \"%s\"", (unsigned long long)l->offset, name);
    return text;
}

/* ---- which servers ---- */

/* add: the servers of a list with commas.  What is wrong is told. */
static int
add(struct loads *l, const char *list)
{
    for (const char *at = list;; at++) {
        struct slice name = {at, strcspn(at, ",")};
        const struct server *server = server_of(name);
        struct loads_target *grown;

        if (server == NULL) {
            server_unknown("loads-in", name);
            return TOOL_USAGE;
        }
        if ((grown = realloc(l->targets, (l->count + 1) * sizeof *grown)) == NULL) {
            fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
            return TOOL_INVALID;
        }
        l->targets = grown;
        l->targets[l->count++] = (struct loads_target){.server = server};
        at += name.len;
        if (*at == '\0')
            return TOOL_OK;
    }
}

int
loads_init(struct loads *l, const struct tool_options *o)
{
    int status = TOOL_OK;

    *l = (struct loads){.count = 0};
    for (unsigned i = 0; status == TOOL_OK && i < o->loads_in.count; i++)
        status = add(l, o->loads_in.at[i]);
    return status;
}

void
loads_fini(struct loads *l)
{
    free(l->targets);
    l->targets = NULL;
    l->count = 0;
}

/* ---- what is in the file ---- */

static bool
is_envelope(const char *form)
{
    return strstr(form, "envelope") != NULL;
}

void
loads_begin(struct loads *l)
{
    struct loads_target *targets = l->targets;
    unsigned count = l->count;

    *l = (struct loads){.targets = targets, .count = count};
    l->now_ms = (uint64_t)(os_unix_ns() / 1000000);
    for (unsigned i = 0; i < count; i++)
        l->targets[i].why[0] = '\0';
}

void
loads_form(struct loads *l, const char *form)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct loads_target *t = &l->targets[i];

        if (is_envelope(form) && (!has(t, SERVER_ENVELOPE) || strstr(form, "LZ4") == NULL))
            refuse(t, "compressed as a whole (%s), which it does not read", form);
    }
}

void
loads_version(struct loads *l, int version)
{
    l->version = version;
    for (unsigned i = 0; i < l->count; i++) {
        struct loads_target *t = &l->targets[i];
        char valkey[48] = "";

        if (version <= t->server->redis ||
            (version >= RDB_VERSION_VALKEY && version <= t->server->valkey))
            continue;
        if (t->server->valkey > 0)
            snprintf(valkey, sizeof valkey, " and VALKEY%03d%s", RDB_VERSION_VALKEY,
                     t->server->valkey > RDB_VERSION_VALKEY ? " to 081" : "");
        refuse(t, "RDB %d, which %s writes: it reads REDIS0001 to REDIS%04d%s", version,
               rdb_version_writer(version), t->server->redis, valkey);
    }
}

/* first_of_type: of each type the first key is enough. */
static void
first_of_type(struct loads *l, uint8_t type)
{
    l->types[type] = true;
    for (unsigned i = 0; i < l->count; i++) {
        struct loads_target *t = &l->targets[i];

        if (type > t->server->types)
            refuse(t, "a value of type %u (%s), which it does not know (%s)", type,
                   rdb_type_name(l->version, type), place(l));
    }
}

static void
first_of_db(struct loads *l, uint64_t db)
{
    l->highest_db = db;
    for (unsigned i = 0; i < l->count && db >= DATABASES; i++)
        refuse(&l->targets[i],
               "database %llu: it has %d, unless its configuration says otherwise (%s)",
               (unsigned long long)db, DATABASES, place(l));
}

void
loads_key(struct loads *l, const struct rdb_key *k)
{
    if (l->count == 0)
        return;
    l->name = k->name;
    l->offset = k->offset;
    if (k->expire_at_ms != -1 && k->expire_at_ms < (int64_t)l->now_ms)
        l->past++;
    if (!l->types[k->type])
        first_of_type(l, k->type);
    if (k->db > l->highest_db)
        first_of_db(l, k->db);
}

void
loads_function(struct loads *l, struct slice code)
{
    struct slice name = rdb_library_name(code);
    bool is_lua = code.len >= 6 && strncasecmp(code.ptr, "#!lua", 5) == 0 &&
                  (unsigned char)code.ptr[5] <= ' ';
    char shown[64];

    printable(shown, sizeof shown, name.ptr, name.len);
    for (unsigned i = 0; i < l->count; i++) {
        struct loads_target *t = &l->targets[i];

        if (!has(t, SERVER_FUNCTIONS))
            refuse(t, "the function library \"%s\": functions came with Redis 7.0", shown);
        else if (!has(t, SERVER_OURS) && !is_lua)
            refuse(t, "the function library \"%s\", which is not in Lua", shown);
    }
}

void
loads_aux(struct loads *l, struct slice name)
{
    if (slice_is(name, "lua"))
        l->scripts++;
}

void
loads_unknown(struct loads *l, const struct rdb_key *key, const char *what)
{
    bool is_members = strstr(what, "AUX field keydb-") != NULL;

    if (key != NULL) {
        l->name = key->name;
        l->offset = key->offset;
    }
    l->members += is_members;
    for (unsigned i = 0; i < l->count; i++) {
        struct loads_target *t = &l->targets[i];

        if (is_members && !has(t, SERVER_OURS))
            continue;
        refuse(t, "%s%s%s%s%s", what,
               has(t, SERVER_OURS) ? ", which it does not read"
                                   : ", which the module must be loaded for",
               key == NULL ? "" : " (", key == NULL ? "" : place(l), key == NULL ? "" : ")");
    }
}

/* ---- what comes of it ---- */

/* add_left_out: to v->why. */
static void __attribute__((format(printf, 2, 3)))
add_left_out(struct loads_verdict *v, const char *format, ...)
{
    size_t len = strlen(v->why);
    va_list args;

    if (len > 0)
        len += (size_t)snprintf(v->why + len, sizeof v->why - len, "; ");
    va_start(args, format);
    vsnprintf(v->why + len, sizeof v->why - len, format, args);
    va_end(args);
}

/* left_out: what a server that takes the file does not keep of it. */
static void
left_out(const struct loads *l, const struct loads_target *t, const char *form,
         struct loads_verdict *v)
{
    if (strcmp(form, "plain") != 0 && !is_envelope(form))
        add_left_out(v, "unpack it first (%s)", form);
    if (l->past > 0)
        add_left_out(v, "%s key%s whose time is over %s left out", tool_count(l->past),
                     l->past == 1 ? "" : "s", l->past == 1 ? "is" : "are");
    if (l->scripts > 0 && !has(t, SERVER_SCRIPTS))
        add_left_out(v, "%s script%s for EVALSHA %s passed over", tool_count(l->scripts),
                     l->scripts == 1 ? "" : "s", l->scripts == 1 ? "is" : "are");
    if (l->members > 0 && !has(t, SERVER_MEMBERS) && !has(t, SERVER_OURS))
        add_left_out(v, "members that expire on their own (KeyDB) never do");
}

struct loads_verdict
loads_verdict(const struct loads *l, unsigned i, const char *form, bool is_whole)
{
    const struct loads_target *t = &l->targets[i];
    struct loads_verdict v = {.server = t->server->name, .why = ""};

    if (t->why[0] != '\0') {
        v.word = "no";
        snprintf(v.why, sizeof v.why, "%s", t->why);
    } else if (!is_whole) {
        v.word = "not known";
        snprintf(v.why, sizeof v.why, "it was not read to its end");
    } else {
        v.word = "yes";
        v.is_yes = true;
        left_out(l, t, form, &v);
    }
    return v;
}

bool
loads_all(const struct loads *l, bool is_whole)
{
    for (unsigned i = 0; i < l->count; i++)
        if (!is_whole || l->targets[i].why[0] != '\0')
            return false;
    return true;
}
