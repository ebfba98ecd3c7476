/* server/scripts/script.c - scripts that are kept: found by their SHA-1, and, for EVAL, by their
 * text, so that what is sent again costs neither the digest nor the compiler. */
#include "server/scripts/script.h"

#include <lauxlib.h>
#include <lua.h>
#include <nettle/sha1.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "mm/base/nametab.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/scripts/engine.h"
#include "server/scripts/scripts_impl.h"

enum {
    EVALS_MAX = 500 /* scripts that EVAL alone brought, as Redis 7.4 has it: texts that are made
                       anew for each call would fill the memory */
};

struct script {
    struct nametab_node by_text, by_sha; /* by_text first */
    unsigned flags;                      /* enum script_flag */
    int function;                        /* in Lua's registry */
    bool is_kept_for_good;
    struct script *newer, *older; /* of those that are not: in the order of their last EVAL */
    char sha[SCRIPT_SHA_BYTES + 1];
    size_t len;
    char text[];
};

static struct nametab texts, shas;
static struct script *newest, *oldest;
static size_t evals, evicted, cache_bytes;

const char *
script_sha(const struct script *s)
{
    return s->sha;
}

void
script_digest(struct slice text, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx ctx;

    sha1_init(&ctx);
    sha1_update(&ctx, text.len, (const uint8_t *)text.ptr);
    sha1_digest(&ctx, sizeof digest, digest);
    for (unsigned i = 0; i < sizeof digest; i++) {
        ret[2 * i] = digits[digest[i] >> 4];
        ret[2 * i + 1] = digits[digest[i] & 15];
    }
    ret[SCRIPT_SHA_BYTES] = '\0';
}

/* ---- the order of those that may go ---- */

static void
link_newest(struct script *s)
{
    s->newer = NULL;
    s->older = newest;
    *(newest != NULL ? &newest->newer : &oldest) = s;
    newest = s;
    evals++;
}

static void
unlink_eval(struct script *s)
{
    *(s->newer != NULL ? &s->newer->older : &newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &oldest) = s->newer;
    evals--;
}

static void
keep_for_good(struct script *s)
{
    if (!s->is_kept_for_good)
        unlink_eval(s);
    s->is_kept_for_good = true;
}

static void
note_use(struct script *s)
{
    if (s->is_kept_for_good || s == newest)
        return;
    unlink_eval(s);
    link_newest(s);
}

/* ---- finding ---- */

static struct script *
by_sha(struct nametab_node *n)
{
    return n == NULL ? NULL
                     : (struct script *)(void *)((char *)n - offsetof(struct script, by_sha));
}

struct script *
script_find(struct slice sha)
{
    char digits[SCRIPT_SHA_BYTES];
    struct slice name = {digits, sizeof digits};
    struct script *s;

    if (sha.len != sizeof digits)
        return NULL;
    for (size_t i = 0; i < sizeof digits; i++)
        digits[i] = (char)(sha.ptr[i] >= 'A' && sha.ptr[i] <= 'Z' ? sha.ptr[i] + 32 : sha.ptr[i]);
    s = by_sha(nametab_find(&shas, nametab_hash(name), name));
    if (s != NULL)
        note_use(s);
    return s;
}

/* ---- what a script says of itself ---- */

static const struct {
    const char *name;
    unsigned flag;
} flag_names[] = {{"no-writes", SCRIPT_NO_WRITES},
                  {"allow-oom", SCRIPT_ALLOW_OOM},
                  {"allow-stale", SCRIPT_ALLOW_STALE},
                  {"no-cluster", SCRIPT_NO_CLUSTER},
                  {"allow-cross-slot-keys", SCRIPT_ALLOW_CROSS_SLOT_KEYS}};

unsigned
script_flag_named(struct slice name)
{
    for (unsigned i = 0; i < sizeof flag_names / sizeof flag_names[0]; i++)
        if (slice_is(name, flag_names[i].name))
            return flag_names[i].flag;
    return 0;
}

const char *
script_flag_name(unsigned i, unsigned *ret_flag)
{
    if (i >= sizeof flag_names / sizeof flag_names[0])
        return NULL;
    *ret_flag = flag_names[i].flag;
    return flag_names[i].name;
}

/* next_part: what stands before the next `end` of *rest, which begins behind it then. */
static struct slice
next_part(struct slice *rest, char end)
{
    const char *p = memchr(rest->ptr, end, rest->len);
    struct slice part = {rest->ptr, p != NULL ? (size_t)(p - rest->ptr) : rest->len};
    size_t used = part.len + (p != NULL);

    *rest = (struct slice){rest->ptr + used, rest->len - used};
    return part;
}

static bool
read_flags(struct client *c, struct slice names, unsigned *flags)
{
    while (names.len > 0) {
        struct slice name = next_part(&names, ',');
        unsigned flag = script_flag_named(name);

        if (name.len > 0 && flag == 0) {
            reply_errorf(c, "ERR Unexpected flag in script shebang: %.*s", slice_shown(name),
                         name.ptr);
            return false;
        }
        *flags |= flag;
    }
    return true;
}

/* read_head: "#!lua flags=..."; *text is what follows then, from its line break on, so that lines
 * keep their numbers.  false: an error was replied. */
static bool
read_head(struct client *c, struct slice *text, unsigned *flags)
{
    static const struct slice key = {"flags=", 6};
    struct slice head, word;

    *flags = SCRIPT_PLAIN;
    if (text->len < 2 || memcmp(text->ptr, "#!", 2) != 0)
        return true;
    *flags = 0;
    if (memchr(text->ptr, '\n', text->len) == NULL) {
        reply_error(c, "ERR Invalid script shebang");
        return false;
    }
    head = next_part(text, '\n');
    *text = (struct slice){text->ptr - 1, text->len + 1};
    word = next_part(&head, ' ');
    if (!slice_is(word, "#!lua")) {
        reply_errorf(c, "ERR Unexpected engine in script shebang: %.*s", slice_shown(word),
                     word.ptr);
        return false;
    }
    while (head.len > 0) {
        word = next_part(&head, ' ');
        if (word.len >= key.len && memcmp(word.ptr, key.ptr, key.len) == 0) {
            word = (struct slice){word.ptr + key.len, word.len - key.len};
            if (!read_flags(c, word, flags))
                return false;
        } else if (word.len > 0) {
            reply_errorf(c, "ERR Unknown lua shebang option: %.*s", slice_shown(word), word.ptr);
            return false;
        }
    }
    return true;
}

/* ---- keeping ---- */

/* What compile_text() gets, and gives. */
struct compiling {
    struct client *client;
    struct slice text;
    int function; /* LUA_NOREF: an error was replied */
};

/* compile_text: all that may fail for want of memory, which lua_cpcall() catches. */
static int
compile_text(lua_State *L)
{
    struct compiling *this = lua_touserdata(L, 1);

    if (sandbox_compile(L, this->text, "@user_script") == 0)
        this->function = luaL_ref(L, LUA_REGISTRYINDEX);
    else
        reply_errorf(this->client, "ERR Error compiling script (new function): %s",
                     lua_tostring(L, -1));
    return 0;
}

/* compile: *ret_function in Lua's registry; false: an error was replied. */
static bool
compile(struct client *c, struct slice text, int *ret_function)
{
    struct compiling this = {.client = c, .text = text, .function = LUA_NOREF};
    lua_State *L = engine_get(ENGINE_SCRIPTS);

    if (L == NULL) {
        reply_error(c, "OOM no memory for Lua");
        return false;
    }
    if (lua_cpcall(L, compile_text, &this) != 0)
        reply_error(c, "ERR Error compiling script (new function): not enough memory");
    lua_settop(L, 0);
    *ret_function = this.function;
    return this.function != LUA_NOREF;
}

static size_t
script_bytes(const struct script *s)
{
    return sizeof *s + s->len;
}

static void
drop(struct script *s)
{
    nametab_remove(&texts, &s->by_text);
    nametab_remove(&shas, &s->by_sha);
    if (!s->is_kept_for_good)
        unlink_eval(s);
    cache_bytes -= script_bytes(s);
    free(s);
}

static void
evict(struct script *s)
{
    engine_unref(ENGINE_SCRIPTS, s->function);
    drop(s);
    evicted++;
}

/* make: not in the tables yet.  NULL: no memory. */
static struct script *
make(struct slice text, uint64_t hash, unsigned flags)
{
    struct script *s;

    if (fault_point(FAULT_script_alloc) || (s = malloc(sizeof *s + text.len)) == NULL)
        return NULL;
    *s = (struct script){.flags = flags, .len = text.len};
    memcpy(s->text, text.ptr, text.len);
    script_digest(text, s->sha);
    s->by_text.name = (struct slice){s->text, s->len};
    s->by_text.hash = hash;
    s->by_sha.name = (struct slice){s->sha, SCRIPT_SHA_BYTES};
    s->by_sha.hash = nametab_hash(s->by_sha.name);
    return s;
}

static bool
add_to_tables(struct script *s)
{
    if (!nametab_add(&texts, &s->by_text))
        return false;
    if (nametab_add(&shas, &s->by_sha))
        return true;
    nametab_remove(&texts, &s->by_text);
    return false;
}

static struct script *
add(struct client *c, struct slice text, uint64_t hash)
{
    struct slice body = text;
    struct script *s;
    unsigned flags;
    int function;

    if (!read_head(c, &body, &flags) || !compile(c, body, &function))
        return NULL;
    if ((s = make(text, hash, flags)) == NULL || !add_to_tables(s)) {
        free(s);
        engine_unref(ENGINE_SCRIPTS, function);
        reply_error(c, "OOM no memory to keep the script");
        return NULL;
    }
    s->function = function;
    cache_bytes += script_bytes(s);
    if (evals == EVALS_MAX)
        evict(oldest);
    link_newest(s);
    return s;
}

struct script *
script_keep(struct client *c, struct slice text, bool for_good)
{
    uint64_t hash = nametab_hash(text);
    struct script *s = (struct script *)(void *)nametab_find(&texts, hash, text);

    if (s != NULL)
        note_use(s);
    else if ((s = add(c, text, hash)) == NULL)
        return NULL;
    if (for_good)
        keep_for_good(s);
    return s;
}

void
script_run(struct client *c, const struct script *s, int key_count, bool readonly)
{
    const struct run_task task = {.engine = ENGINE_SCRIPTS,
                                  .name = s->sha,
                                  .flags = s->flags,
                                  .function = s->function,
                                  .key_count = key_count,
                                  .readonly = readonly};

    run_task(c, &task);
}

static void
drop_each(void *ctx, struct nametab_node *n)
{
    (void)ctx;
    drop((struct script *)(void *)n);
}

void
script_flush(void)
{
    nametab_each(&texts, drop_each, NULL);
    must(texts.count == 0 && shas.count == 0 && evals == 0 && cache_bytes == 0);
    engine_close(ENGINE_SCRIPTS);
}

void
script_figures(struct script_figures *ret)
{
    *ret = (struct script_figures){.vm_bytes = engine_bytes(ENGINE_SCRIPTS),
                                   .cache_bytes =
                                       cache_bytes + nametab_bytes(&texts) + nametab_bytes(&shas),
                                   .count = (size_t)texts.count,
                                   .evicted = evicted};
}
