/* server/scripts/lua_struct.c - struct: values as the bytes of C's, by a format.
 *
 *   < >      little, big order of bytes            b B h H l L T   integers of 1, 2, 8, 8 bytes
 *   !n       alignment to a power of two          i I n           integers of n bytes, 4 if not
 *   said
 *   x        a byte of zero                       f d             floats
 *   s        a string and a zero behind it        cn              n characters; c0: so many as the
 *                                                                 number before says
 * Capital letters are unsigned. */
#include <ctype.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdint.h>
#include <string.h>

#include "server/scripts/libraries.h"

enum { INTEGER_MAX_BYTES = 32, NATURAL_ALIGNMENT = 8 };

struct format {
    const char *at; /* the next option */
    bool is_big;
    size_t alignment;
};

/* One value's place. */
struct option {
    char letter;
    size_t size;    /* 0 of s and c0: as long as what it holds */
    size_t padding; /* before it */
};

static int
take_count(lua_State *L, struct format *f, int otherwise)
{
    int n = 0;

    if (!isdigit((unsigned char)*f->at))
        return otherwise;
    for (; isdigit((unsigned char)*f->at); f->at++) {
        if (n > (INT_MAX - (*f->at - '0')) / 10)
            luaL_error(L, "integral size overflow");
        n = n * 10 + (*f->at - '0');
    }
    return n;
}

static size_t
take_size(lua_State *L, struct format *f, char letter)
{
    int n;

    switch (letter) {
    case 'b':
    case 'B':
    case 'x':
        return 1;
    case 'h':
    case 'H':
        return sizeof(short);
    case 'l':
    case 'L':
        return sizeof(long);
    case 'T':
        return sizeof(size_t);
    case 'f':
        return sizeof(float);
    case 'd':
        return sizeof(double);
    case 'c':
        return (size_t)take_count(L, f, 1);
    case 'i':
    case 'I':
        n = take_count(L, f, sizeof(int));
        if (n > INTEGER_MAX_BYTES)
            luaL_error(L, "integral size %d is larger than limit of %d", n, INTEGER_MAX_BYTES);
        return (size_t)n;
    default:
        return 0;
    }
}

/* take_control: what is no value.  false: it is one. */
static bool
take_control(lua_State *L, struct format *f, char letter)
{
    int n;

    switch (letter) {
    case ' ':
        return true;
    case '<':
        f->is_big = false;
        return true;
    case '>':
        f->is_big = true;
        return true;
    case '!':
        n = take_count(L, f, NATURAL_ALIGNMENT);
        if (n <= 0 || (n & (n - 1)) != 0)
            luaL_error(L, "alignment %d is not a power of 2", n);
        f->alignment = (size_t)n;
        return true;
    default:
        if (strchr("bBhHlLTfdcsiIx", letter) == NULL)
            luaL_argerror(L, 1, lua_pushfstring(L, "invalid format option '%c'", letter));
        return false;
    }
}

/* take_option: the next value's; `total` bytes stand before it.  false: there is none left. */
static bool
take_option(lua_State *L, struct format *f, size_t total, struct option *ret)
{
    char letter;
    size_t unit;

    do {
        if ((letter = *f->at) == '\0')
            return false;
        f->at++;
    } while (take_control(L, f, letter));
    *ret = (struct option){.letter = letter, .size = take_size(L, f, letter)};
    unit = ret->size < f->alignment ? ret->size : f->alignment;
    if (letter != 'c' && unit > 1)
        ret->padding = (unit - (total & (unit - 1))) & (unit - 1);
    return true;
}

/* ---- packing ---- */

static void
put_bytes(luaL_Buffer *b, uint64_t n, size_t size, bool is_big)
{
    char bytes[INTEGER_MAX_BYTES] = {0};

    for (size_t i = 0; i < size && i < sizeof n; i++)
        bytes[is_big ? size - 1 - i : i] = (char)(n >> (8 * i) & 0xff);
    luaL_addlstring(b, bytes, size);
}

static uint64_t
integer_argument(lua_State *L, int i)
{
    lua_Number n = luaL_checknumber(L, i);

    if (n < 0)
        return n >= -9223372036854775808.0 ? (uint64_t)(int64_t)n : (uint64_t)INT64_MIN;
    return n < 18446744073709551616.0 ? (uint64_t)n : 0;
}

static void
put_float(lua_State *L, luaL_Buffer *b, int i, size_t size, bool is_big)
{
    double wide = luaL_checknumber(L, i);
    float narrow = (float)wide;
    uint64_t bits = 0;

    if (size == sizeof narrow)
        memcpy(&bits, &narrow, size);
    else
        memcpy(&bits, &wide, size);
    put_bytes(b, bits, size, is_big);
}

/* put_string: returns its bytes. */
static size_t
put_string(lua_State *L, luaL_Buffer *b, int i, const struct option *o)
{
    size_t len, size;
    const char *s = luaL_checklstring(L, i, &len);

    size = o->size == 0 ? len : o->size;
    luaL_argcheck(L, len >= size, i + 1, "string too short"); /* counted as Redis does */
    luaL_addlstring(b, s, size);
    if (o->letter != 's')
        return size;
    luaL_addchar(b, '\0');
    return size + 1;
}

static int
struct_pack(lua_State *L)
{
    struct format f = {.at = luaL_checkstring(L, 1), .alignment = 1};
    struct option o;
    size_t total = 0, size;
    luaL_Buffer b;
    int arg = 2;

    lua_pushnil(L); /* arguments and the buffer's pieces stay apart */
    luaL_buffinit(L, &b);
    for (; take_option(L, &f, total, &o); total += o.padding + size) {
        for (size_t i = 0; i < o.padding; i++)
            luaL_addchar(&b, '\0');
        size = o.size;
        if (o.letter == 'x')
            luaL_addchar(&b, '\0');
        else if (o.letter == 'f' || o.letter == 'd')
            put_float(L, &b, arg++, size, f.is_big);
        else if (o.letter == 'c' || o.letter == 's')
            size = put_string(L, &b, arg++, &o);
        else
            put_bytes(&b, integer_argument(L, arg++), size, f.is_big);
    }
    luaL_pushresult(&b);
    return 1;
}

/* ---- unpacking ---- */

static uint64_t
get_bytes(const char *s, size_t size, bool is_big)
{
    uint64_t n = 0;

    for (size_t i = 0; i < size && i < sizeof n; i++)
        n |= (uint64_t)(unsigned char)s[is_big ? size - 1 - i : i] << (8 * i);
    return n;
}

static void
push_integer(lua_State *L, uint64_t n, size_t size, bool is_signed)
{
    int unused = size < sizeof n ? (int)(64 - 8 * size) : 0;

    if (!is_signed || size == 0)
        lua_pushnumber(L, (lua_Number)n);
    else
        lua_pushnumber(L, (lua_Number)((int64_t)(n << unused) >> unused));
}

static void
push_float(lua_State *L, const char *s, size_t size, bool is_big)
{
    uint64_t bits = get_bytes(s, size, is_big);
    float narrow;
    double wide;

    memcpy(&narrow, &bits, sizeof narrow);
    memcpy(&wide, &bits, sizeof wide);
    lua_pushnumber(L, size == sizeof narrow ? (lua_Number)narrow : wide);
}

static void
check_room(lua_State *L, size_t len, size_t at, size_t size)
{
    luaL_argcheck(L, size <= len && at <= len - size, 2, "data string too short");
}

/* counted_size: of c0: the value before says it, and goes. */
static size_t
counted_size(lua_State *L, int *count)
{
    lua_Number n;

    if (*count == 0 || !lua_isnumber(L, -1))
        luaL_error(L, "format 'c0' needs a previous size");
    n = lua_tonumber(L, -1);
    lua_pop(L, 1);
    --*count;
    return n >= 0 && n < (lua_Number)INT_MAX ? (size_t)n : SIZE_MAX;
}

/* get_string: push it; returns its bytes. */
static size_t
get_string(lua_State *L, const char *s, size_t len, size_t at, const struct option *o, int *count)
{
    size_t size = o->size;
    const char *end;

    if (o->letter == 's') {
        end = memchr(s + at, '\0', len - at);
        if (end == NULL)
            luaL_error(L, "unfinished string in data");
        lua_pushlstring(L, s + at, (size_t)(end - (s + at)));
        return (size_t)(end - (s + at)) + 1;
    }
    if (size == 0) {
        size = counted_size(L, count);
        check_room(L, len, at, size);
    }
    lua_pushlstring(L, s + at, size);
    return size;
}

static int
struct_unpack(lua_State *L)
{
    struct format f = {.at = luaL_checkstring(L, 1), .alignment = 1};
    struct option o;
    size_t len, at, size;
    const char *s = luaL_checklstring(L, 2, &len);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    int count = 0;

    luaL_argcheck(L, from != 0, 3, "offset must be 1 or greater");
    at = (size_t)from - 1; /* below zero: beyond all that there is */
    for (; take_option(L, &f, at, &o); at += size) {
        at += o.padding;
        check_room(L, len, at, o.size);
        luaL_checkstack(L, 2, "too many results");
        size = o.size;
        if (o.letter == 'x')
            continue;
        if (o.letter == 'f' || o.letter == 'd')
            push_float(L, s + at, size, f.is_big);
        else if (o.letter == 'c' || o.letter == 's')
            size = get_string(L, s, len, at, &o, &count);
        else
            push_integer(L, get_bytes(s + at, size, f.is_big), size,
                         islower((unsigned char)o.letter) != 0);
        count++;
    }
    lua_pushinteger(L, (lua_Integer)at + 1);
    return count + 1;
}

static int
struct_size(lua_State *L)
{
    struct format f = {.at = luaL_checkstring(L, 1), .alignment = 1};
    struct option o;
    size_t total = 0;

    while (take_option(L, &f, total, &o)) {
        if (o.letter == 's')
            luaL_argerror(L, 1, "option 's' has no fixed size");
        if (o.letter == 'c' && o.size == 0)
            luaL_argerror(L, 1, "option 'c0' has no fixed size");
        total += o.padding + o.size;
    }
    lua_pushinteger(L, (lua_Integer)total);
    return 1;
}

void
library_struct(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"pack", struct_pack}, {"unpack", struct_unpack}, {"size", struct_size}, {NULL, NULL}};

    lua_newtable(L);
    luaL_register(L, NULL, functions);
}
