/* server/scripts/function_load.c - a function library is made of its text: its first line is read,
 * the rest compiled and run, which registers functions. */
#include <lauxlib.h>
#include <lua.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "server/scripts/function.h"
#include "server/scripts/library.h"
#include "server/scripts/scripts_impl.h"

enum {
    LOOK_INSTRUCTIONS = 100000, /* of Lua, about a millisecond, between two looks at the clock */
    HEAD_WORDS = 64
};

static const char name_text[] =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
static const char memory_text[] =
    "OOM the library needs more memory than script-memory-limit allows, or there is";

/* The library that is being loaded; library NULL: none. */
static struct {
    struct library_set *set;
    struct library *library;
    int64_t end_ns;
    bool is_clash; /* a function has the name of one of another library */
} loading;

void
library_fail(struct library_error *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
}

static bool
is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return s.len > 0;
}

/* ---- the first line ---- */

/* read_words: those of the first line, of which "#!" begins the first; *ret_name: what is behind
 * name=. */
static bool
read_words(const struct slice *words, int count, struct slice *ret_name, struct library_error *why)
{
    static const char key[] = "name=";
    struct slice engine = {words[0].ptr + 2, words[0].len - 2};
    bool has_name = false;

    for (int i = 1; i < count; i++) {
        struct slice word = words[i];
        size_t len = sizeof key - 1;

        if (word.len < len || strncasecmp(word.ptr, key, len) != 0) {
            library_fail(why, "ERR Invalid metadata value given: %.*s", slice_shown(word),
                         word.ptr);
            return false;
        }
        if (has_name) {
            library_fail(why, "ERR Invalid metadata value, name argument was given multiple times");
            return false;
        }
        has_name = true;
        *ret_name = (struct slice){word.ptr + len, word.len - len};
    }
    if (!has_name)
        library_fail(why, "ERR Library name was not given");
    else if (!is_name(*ret_name))
        library_fail(why, "ERR %s", name_text);
    else if (!slice_is_word(engine, "lua"))
        library_fail(why, "ERR Engine '%.*s' not found", slice_shown(engine), engine.ptr);
    else
        return true;
    return false;
}

/* read_head: "#!lua name=...".  room: as long as the line, for the name. */
static bool
read_head(struct slice line, char *room, struct slice *ret_name, struct library_error *why)
{
    struct slice words[HEAD_WORDS];
    int count = text_split_words(line.ptr, line.len, room, words, HEAD_WORDS);

    if (count >= 1 && words[0].len >= 2)
        return read_words(words, count, ret_name, why);
    library_fail(why, "ERR Invalid library metadata");
    return false;
}

/* ---- registering ---- */

enum { AT_NAME = 2, AT_CALLBACK, AT_DESCRIPTION, AT_FLAGS }; /* in Lua's stack */

static int
fail(lua_State *L, const char *text)
{
    api_error(L, text, false);
    return lua_error(L);
}

/* take_flags: of the table on top of the stack, which goes; the number takes its place. */
static void
take_flags(lua_State *L)
{
    unsigned flags = 0, flag = 0;

    if (!lua_istable(L, -1))
        fail(
            L,
            "ERR flags argument to redis.register_function must be a table representing function flags");
    for (int i = 1;; i++) {
        struct slice name;

        lua_rawgeti(L, -1, i);
        if (lua_isnil(L, -1))
            break;
        name.ptr = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &name.len) : NULL;
        if (name.ptr == NULL || (flag = script_flag_named(name)) == 0)
            fail(L, "ERR unknown flag given");
        flags |= flag;
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    lua_pushinteger(L, (int)flags);
}

/* take_named: one of the table's fields: its value, on top of the stack, goes where it belongs. */
static void
take_named(lua_State *L, const char *key)
{
    if (strcasecmp(key, "function_name") == 0) {
        if (!lua_isstring(L, -1))
            fail(L, "ERR function_name argument given to redis.register_function must be a string");
        lua_replace(L, AT_NAME);
    } else if (strcasecmp(key, "description") == 0) {
        if (!lua_isstring(L, -1))
            fail(L, "ERR description argument given to redis.register_function must be a string");
        lua_replace(L, AT_DESCRIPTION);
    } else if (strcasecmp(key, "callback") == 0) {
        if (!lua_isfunction(L, -1))
            fail(L, "ERR callback argument given to redis.register_function must be a function");
        lua_replace(L, AT_CALLBACK);
    } else if (strcasecmp(key, "flags") == 0) {
        take_flags(L);
        lua_replace(L, AT_FLAGS);
    } else {
        fail(L, "ERR unknown argument given to redis.register_function");
    }
}

/* read_table: named arguments. */
static void
read_table(lua_State *L)
{
    if (!lua_istable(L, 1))
        fail(
            L,
            "ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).");
    for (lua_pushnil(L); lua_next(L, 1);) {
        if (!lua_isstring(L, -2))
            fail(L, "ERR named argument key given to redis.register_function is not a string");
        lua_pushvalue(L, -2); /* a number would become a string where lua_next() looks for it */
        lua_insert(L, -2);
        take_named(L, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    if (lua_isnil(L, AT_NAME))
        fail(L, "ERR redis.register_function must get a function name argument");
    if (lua_isnil(L, AT_CALLBACK))
        fail(L, "ERR redis.register_function must get a callback argument");
}

/* read_two: a name and a function. */
static void
read_two(lua_State *L)
{
    if (!lua_isstring(L, 1))
        fail(L, "ERR first argument to redis.register_function must be a string");
    if (!lua_isfunction(L, 2))
        fail(L, "ERR second argument to redis.register_function must be a function");
}

/* make: not in the set yet; NULL: no memory. */
static struct function *
make(lua_State *L)
{
    struct slice name, description = {.ptr = NULL};
    struct function *f;
    size_t bytes;

    name.ptr = lua_tolstring(L, AT_NAME, &name.len);
    if (!lua_isnil(L, AT_DESCRIPTION))
        description.ptr = lua_tolstring(L, AT_DESCRIPTION, &description.len);
    bytes = sizeof *f + 2 * name.len + 1 + description.len;
    if (!engine_charge(bytes))
        return NULL;
    if ((f = malloc(bytes)) == NULL) {
        engine_discharge(bytes);
        return NULL;
    }
    *f = (struct function){.library = loading.library,
                           .flags = (unsigned)lua_tointeger(L, AT_FLAGS),
                           .bytes = bytes,
                           .has_description = description.ptr != NULL};
    function_lower(f->text, name);
    memcpy(f->text + name.len, name.ptr, name.len);
    f->text[2 * name.len] = '\0';
    f->name = f->text + name.len;
    f->description = (struct slice){f->text + 2 * name.len + 1, description.len};
    if (description.ptr != NULL)
        memcpy(f->text + 2 * name.len + 1, description.ptr, description.len);
    f->by_name.name = (struct slice){f->text, name.len};
    f->by_name.hash = nametab_hash(f->by_name.name);
    return f;
}

static void
free_function(struct function *f)
{
    engine_discharge(f->bytes);
    free(f);
}

/* add: false: no memory. */
static bool
add(struct function *f)
{
    struct library *l = loading.library;

    if (!nametab_add(&loading.set->functions, &f->by_name))
        return false;
    *l->end = f;
    l->end = &f->next;
    l->count++;
    loading.set->bytes += f->bytes;
    return true;
}

/* refuse_twins: FN3, of the function just made. */
static void
refuse_twins(lua_State *L, struct slice name)
{
    const struct function *other = library_set_function(loading.set, name);

    if (other == NULL)
        return;
    if (other->library == loading.library)
        fail(L, "ERR Function already exists in the library");
    loading.is_clash = true;
    lua_pushfstring(L, "ERR Function %s already exists", name.ptr);
    fail(L, lua_tostring(L, -1));
}

/* register_one: what stands at AT_NAME and behind it. */
static int
register_one(lua_State *L)
{
    struct function *f;
    struct slice name;
    int function;

    name.ptr = lua_tolstring(L, AT_NAME, &name.len);
    if (!is_name(name)) {
        lua_pushfstring(L, "ERR %s", name_text);
        return fail(L, lua_tostring(L, -1));
    }
    if (name.len > FUNCTION_NAME_MAX) {
        lua_pushfstring(L, "ERR the name of a function may have %d characters at most",
                        FUNCTION_NAME_MAX);
        return fail(L, lua_tostring(L, -1));
    }
    refuse_twins(L, name);
    lua_pushvalue(L, AT_CALLBACK);
    function = luaL_ref(L, LUA_REGISTRYINDEX);
    if ((f = make(L)) != NULL) {
        f->function = function;
        if (add(f))
            return 0;
        free_function(f);
    }
    engine_unref(ENGINE_FUNCTIONS, function);
    return fail(L, memory_text);
}

/* redis.register_function() */
static int
register_function(lua_State *L)
{
    int count = lua_gettop(L);

    if (loading.library == NULL)
        return fail(L, "ERR redis.register_function can only be called on FUNCTION LOAD command");
    if (count < 1 || count > 2)
        return fail(L, "ERR wrong number of arguments to redis.register_function");
    if (count == 2) {
        read_two(L);
        lua_pushnil(L);
        lua_insert(L, 1); /* the two stand at AT_NAME and AT_CALLBACK */
    }
    lua_settop(L, AT_FLAGS);
    if (count == 1)
        read_table(L);
    return register_one(L);
}

void
library_open_api(lua_State *L)
{
    api_open_common(L);
    lua_pushcfunction(L, register_function);
    lua_setfield(L, -2, "register_function");
}

/* ---- loading ---- */

/* look: the engine's call, now and then, from between two instructions. */
static void
look(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (os_monotonic_ns() < loading.end_ns)
        return;
    lua_sethook(L, look, LUA_MASKCOUNT, 1);
    fail(L, "ERR FUNCTION LOAD timeout");
}

/* explain: the error on top of the stack. */
static void
explain(lua_State *L, struct library_error *why)
{
    bool is_table = lua_istable(L, -1);

    if (is_table)
        lua_getfield(L, -1, "err");
    library_fail(why, "%s%s%s", loading.is_clash ? "" : "ERR Error registering functions: ",
                 is_table ? "" : "ERR ",
                 lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
}

/* What run_text() gets. */
struct load {
    struct slice text;
    struct library_error *why;
};

/* run_text: all that may fail for want of memory, which lua_cpcall() catches. */
static int
run_text(lua_State *L)
{
    const struct load *load = lua_touserdata(L, 1);
    int r = sandbox_compile(L, load->text, "@user_function");

    if (r == LUA_ERRSYNTAX)
        library_fail(load->why, "ERR Error compiling function: %s", lua_tostring(L, -1));
    if (r == 0 && (r = sandbox_call_library(L)) != 0 && r != LUA_ERRMEM)
        explain(L, load->why);
    if (r == LUA_ERRMEM)
        library_fail(load->why, "%s", memory_text);
    return 0;
}

/* make_library: without functions, in the set. */
static struct library *
make_library(struct library_set *set, struct slice name, struct slice code,
             struct library_error *why)
{
    size_t bytes = sizeof(struct library) + name.len + 1 + code.len;
    struct library *l;

    if (library_set_find(set, name) != NULL) {
        library_fail(why, "ERR Library '%.*s' already exists", slice_shown(name), name.ptr);
        return NULL;
    }
    if (!engine_charge(bytes)) {
        library_fail(why, "%s", memory_text);
        return NULL;
    }
    if ((l = malloc(sizeof *l + name.len + 1)) == NULL)
        goto no_memory;
    *l = (struct library){.bytes = bytes, .code = code};
    l->end = &l->first;
    memcpy(l->name, name.ptr, name.len);
    l->name[name.len] = '\0';
    l->by_name.name = (struct slice){l->name, name.len};
    l->by_name.hash = nametab_hash(l->by_name.name);
    if (!nametab_add(&set->libraries, &l->by_name))
        goto no_memory;
    set->bytes += bytes;
    set->code_bytes += code.len;
    return l;
no_memory:
    free(l);
    engine_discharge(bytes);
    library_fail(why, "%s", memory_text);
    return NULL;
}

struct library *
library_begin(struct library_set *set, struct slice code, struct library_error *why)
{
    struct slice text = code, name;
    struct library *l = NULL;
    const char *end;
    char *room;

    if (code.len < 2 || memcmp(code.ptr, "#!", 2) != 0) {
        library_fail(why, "ERR Missing library metadata");
        return NULL;
    }
    if ((end = memchr(code.ptr, '\n', code.len)) == NULL) {
        library_fail(why, "ERR Invalid library metadata");
        return NULL;
    }
    if ((room = malloc((size_t)(end - code.ptr))) == NULL) {
        library_fail(why, "%s", memory_text);
        return NULL;
    }
    text.len = (size_t)(end - code.ptr);
    if (read_head(text, room, &name, why))
        l = make_library(set, name, code, why);
    free(room);
    return l;
}

/* run: what the text says behind its first line. */
static void
run(lua_State *L, struct library_set *set, struct library *l, int64_t limit_ms,
    struct library_error *why)
{
    const char *end = memchr(l->code.ptr, '\n', l->code.len);
    struct load what = {.why = why};

    must(end != NULL && loading.library == NULL);
    /* the line break is left, so that lines keep their numbers */
    what.text = (struct slice){end, l->code.len - (size_t)(end - l->code.ptr)};
    loading.set = set;
    loading.library = l;
    loading.is_clash = false;
    loading.end_ns = os_monotonic_ns() + limit_ms * 1000000;
    lua_sethook(L, look, LUA_MASKCOUNT, LOOK_INSTRUCTIONS);
    if (lua_cpcall(L, run_text, &what) != 0)
        library_fail(why, "%s", memory_text);
    lua_sethook(L, NULL, 0, 0);
    lua_settop(L, 0);
    loading.library = NULL;
}

bool
library_fill(struct library_set *set, struct library *l, int64_t limit_ms,
             struct library_error *why)
{
    lua_State *L = engine_get(ENGINE_FUNCTIONS);

    if (L == NULL)
        library_fail(why, "%s", memory_text);
    else
        run(L, set, l, limit_ms, why);
    if (why->text[0] == '\0' && l->count == 0)
        library_fail(why, "ERR No functions registered");
    if (why->text[0] == '\0')
        return true;
    library_drop(set, l);
    return false;
}

void
library_drop(struct library_set *set, struct library *l)
{
    struct function *f, *next;

    for (f = l->first; f != NULL; f = next) {
        next = f->next;
        nametab_remove(&set->functions, &f->by_name);
        engine_unref(ENGINE_FUNCTIONS, f->function);
        set->bytes -= f->bytes;
        free_function(f);
    }
    nametab_remove(&set->libraries, &l->by_name);
    set->bytes -= l->bytes;
    set->code_bytes -= l->bytes - sizeof *l - l->by_name.name.len - 1;
    engine_discharge(l->bytes);
    free(l);
}
