/* server/scripts/lua_msgpack.c - cmsgpack: values of Lua as MessagePack, and back.
 *
 * Strings become str, numbers integers where they are whole and else the shorter float that holds
 * them, tables arrays where their keys are 1 to n, and else maps.  What has no form, or stands in
 * more than MAX_NESTING tables, becomes nil. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "server/scripts/libraries.h"

enum { MAX_NESTING = 16 };

/* ---- packing ---- */

/* put: a head byte and `size` bytes of a number, the highest first. */
static void
put(luaL_Buffer *b, unsigned head, uint64_t n, int size)
{
    luaL_addchar(b, (char)head);
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
        luaL_addchar(b, (char)(n >> shift & 0xff));
}

static void
pack_unsigned(luaL_Buffer *b, uint64_t n)
{
    if (n <= 0x7f)
        luaL_addchar(b, (char)n);
    else if (n <= UINT8_MAX)
        put(b, 0xcc, n, 1);
    else if (n <= UINT16_MAX)
        put(b, 0xcd, n, 2);
    else if (n <= UINT32_MAX)
        put(b, 0xce, n, 4);
    else
        put(b, 0xcf, n, 8);
}

static void
pack_negative(luaL_Buffer *b, int64_t n)
{
    if (n >= -32)
        luaL_addchar(b, (char)n);
    else if (n >= INT8_MIN)
        put(b, 0xd0, (uint64_t)n, 1);
    else if (n >= INT16_MIN)
        put(b, 0xd1, (uint64_t)n, 2);
    else if (n >= INT32_MIN)
        put(b, 0xd2, (uint64_t)n, 4);
    else
        put(b, 0xd3, (uint64_t)n, 8);
}

static void
pack_number(luaL_Buffer *b, lua_Number n)
{
    float narrow = (float)n;
    uint32_t bits32;
    uint64_t bits64;

    if (n >= -9223372036854775808.0 && n < 9223372036854775808.0 && n == floor(n)) {
        if (n >= 0)
            pack_unsigned(b, (uint64_t)n);
        else
            pack_negative(b, (int64_t)n);
    } else if ((lua_Number)narrow == n) {
        memcpy(&bits32, &narrow, sizeof bits32);
        put(b, 0xca, bits32, 4);
    } else {
        memcpy(&bits64, &n, sizeof bits64);
        put(b, 0xcb, bits64, 8);
    }
}

/* pack_head: of a collection: the short form's head and most, and those with 16 and 32 bits. */
static void
pack_head(luaL_Buffer *b, size_t count, unsigned fix, unsigned most, unsigned head16)
{
    if (count <= most)
        luaL_addchar(b, (char)(fix | count));
    else if (count <= UINT16_MAX)
        put(b, head16, count, 2);
    else
        put(b, head16 + 1, count, 4);
}

static void
pack_string(luaL_Buffer *b, lua_State *L, int i)
{
    size_t len;
    const char *s = lua_tolstring(L, i, &len);

    if (len > 31 && len <= UINT8_MAX)
        put(b, 0xd9, len, 1);
    else
        pack_head(b, len, 0xa0, 31, 0xda);
    luaL_addlstring(b, s, len);
}

/* is_array: are the keys of the table at i 1 to n?  *ret_count: how many there are. */
static bool
is_array(lua_State *L, int i, size_t *ret_count)
{
    lua_Number key, largest = 0;
    bool is = true;

    *ret_count = 0;
    for (lua_pushnil(L); lua_next(L, i) != 0; lua_pop(L, 1)) {
        ++*ret_count;
        if (lua_type(L, -2) != LUA_TNUMBER || (key = lua_tonumber(L, -2)) <= 0 || key != floor(key))
            is = false;
        else if (key > largest)
            largest = key;
    }
    return is && largest == (lua_Number)*ret_count;
}

/* A luaL_Buffer keeps what does not fit into it on the stack, so nothing else may stay there: each
 * value is packed into a string of its own, and a table's are put together. */
static void pack_value(lua_State *L, int level);

static void
pack_pieces(lua_State *L, int table, bool array, size_t count, int level)
{
    int pieces = 0;

    lua_newtable(L); /* of pieces */
    if (array) {
        for (size_t k = 1; k <= count; k++) {
            lua_rawgeti(L, table, (int)k);
            pack_value(L, level);
            lua_rawseti(L, table + 1, ++pieces);
        }
        return;
    }
    for (lua_pushnil(L); lua_next(L, table) != 0;) {
        pack_value(L, level);
        lua_pushvalue(L, -2);
        pack_value(L, level);
        lua_rawseti(L, table + 1, ++pieces);
        lua_rawseti(L, table + 1, ++pieces);
    }
}

static void
pack_table(lua_State *L, int level)
{
    int table = lua_gettop(L);
    size_t count, pieces;
    luaL_Buffer b;
    bool array = is_array(L, table, &count);

    pack_pieces(L, table, array, count, level + 1);
    pieces = array ? count : 2 * count;
    luaL_buffinit(L, &b);
    pack_head(&b, count, array ? 0x90 : 0x80, 15, array ? 0xdc : 0xde);
    for (size_t k = 1; k <= pieces; k++) {
        lua_rawgeti(L, table + 1, (int)k);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    lua_replace(L, table);
    lua_settop(L, table);
}

/* pack_value: replace the value on top of the stack by what it is packed. */
static void
pack_value(lua_State *L, int level)
{
    int at = lua_gettop(L), type = lua_type(L, at);
    luaL_Buffer b;

    luaL_checkstack(L, 8, "a value in too many levels");
    if (type == LUA_TTABLE && level < MAX_NESTING) {
        pack_table(L, level);
        return;
    }
    luaL_buffinit(L, &b);
    if (type == LUA_TSTRING)
        pack_string(&b, L, at);
    else if (type == LUA_TNUMBER)
        pack_number(&b, lua_tonumber(L, at));
    else if (type == LUA_TBOOLEAN)
        luaL_addchar(&b, (char)(lua_toboolean(L, at) ? 0xc3 : 0xc2));
    else
        luaL_addchar(&b, (char)0xc0);
    luaL_pushresult(&b);
    lua_replace(L, at);
}

static int
msgpack_pack(lua_State *L)
{
    int count = lua_gettop(L);

    if (count == 0)
        return luaL_argerror(L, 0, "MessagePack pack needs input.");
    luaL_checkstack(L, count, "too many values to pack");
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, i);
        pack_value(L, 0);
    }
    lua_concat(L, count);
    return 1;
}

/* ---- unpacking ---- */

struct input {
    const uint8_t *at, *end;
};

static size_t
left(const struct input *in)
{
    return (size_t)(in->end - in->at);
}

static void
need(lua_State *L, const struct input *in, size_t bytes)
{
    if (left(in) < bytes)
        luaL_error(L, "Missing bytes in input.");
}

static uint64_t
take_number(lua_State *L, struct input *in, int size)
{
    uint64_t n = 0;

    need(L, in, (size_t)size);
    for (; size > 0; size--)
        n = n << 8 | *in->at++;
    return n;
}

static void
unpack_string(lua_State *L, struct input *in, size_t len)
{
    need(L, in, len);
    lua_pushlstring(L, (const char *)in->at, len);
    in->at += len;
}

static void unpack_value(lua_State *L, struct input *in);

/* What a header claims is no reason to take memory: each element has a byte at least. */
static void
unpack_array(lua_State *L, struct input *in, size_t count)
{
    need(L, in, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 1; i <= count; i++) {
        unpack_value(L, in);
        lua_rawseti(L, -2, (int)i);
    }
}

static void
unpack_map(lua_State *L, struct input *in, size_t count)
{
    need(L, in, 2 * count);
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        unpack_value(L, in);
        unpack_value(L, in);
        if (lua_isnil(L, -2) || (lua_type(L, -2) == LUA_TNUMBER && isnan(lua_tonumber(L, -2))))
            luaL_error(L, "Bad data format in input.");
        lua_rawset(L, -3);
    }
}

static void
unpack_float(lua_State *L, struct input *in, int size)
{
    uint64_t bits = take_number(L, in, size);
    uint32_t bits32 = (uint32_t)bits;
    float narrow;
    double wide;

    memcpy(&narrow, &bits32, sizeof narrow);
    memcpy(&wide, &bits, sizeof wide);
    lua_pushnumber(L, size == 4 ? (lua_Number)narrow : wide);
}

static void
unpack_signed(lua_State *L, struct input *in, int size)
{
    int unused = 64 - 8 * size;

    lua_pushnumber(L, (lua_Number)((int64_t)(take_number(L, in, size) << unused) >> unused));
}

/* unpack_long: the forms with a head byte of their own. */
static void
unpack_long(lua_State *L, struct input *in, unsigned head)
{
    if (head == 0xc0)
        lua_pushnil(L);
    else if (head == 0xc2 || head == 0xc3)
        lua_pushboolean(L, head == 0xc3);
    else if (head >= 0xc4 && head <= 0xc6)
        unpack_string(L, in, take_number(L, in, 1 << (head - 0xc4)));
    else if (head == 0xca || head == 0xcb)
        unpack_float(L, in, head == 0xca ? 4 : 8);
    else if (head >= 0xcc && head <= 0xcf)
        lua_pushnumber(L, (lua_Number)take_number(L, in, 1 << (head - 0xcc)));
    else if (head >= 0xd0 && head <= 0xd3)
        unpack_signed(L, in, 1 << (head - 0xd0));
    else if (head >= 0xd9 && head <= 0xdb)
        unpack_string(L, in, take_number(L, in, 1 << (head - 0xd9)));
    else if (head == 0xdc || head == 0xdd)
        unpack_array(L, in, take_number(L, in, head == 0xdc ? 2 : 4));
    else if (head == 0xde || head == 0xdf)
        unpack_map(L, in, take_number(L, in, head == 0xde ? 2 : 4));
    else
        luaL_error(L, "Bad data format in input.");
}

static void
unpack_value(lua_State *L, struct input *in)
{
    unsigned head;

    luaL_checkstack(L, 4, "data in too many levels");
    need(L, in, 1);
    head = *in->at++;
    if (head <= 0x7f)
        lua_pushnumber(L, head);
    else if (head >= 0xe0)
        lua_pushnumber(L, (lua_Number)head - 256);
    else if ((head & 0xe0) == 0xa0)
        unpack_string(L, in, head & 31);
    else if ((head & 0xf0) == 0x90)
        unpack_array(L, in, head & 15);
    else if ((head & 0xf0) == 0x80)
        unpack_map(L, in, head & 15);
    else
        unpack_long(L, in, head);
}

/* unpack_some: at most `limit` values from the offset on; 0: all of them.  With a limit, where to
 * go on comes first, or -1. */
static int
unpack_some(lua_State *L, int limit, int offset)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    struct input in;
    int count = 0, first;

    if (offset < 0 || limit < 0)
        return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", offset,
                          (int)len);
    if ((size_t)offset > len)
        return luaL_error(L, "Start offset %d greater than input length %d.", offset, (int)len);
    in = (struct input){(const uint8_t *)s + offset, (const uint8_t *)s + len};
    lua_settop(L, 1);
    first = lua_gettop(L) + 1;
    for (; left(&in) > 0 && (limit == 0 || count < limit); count++)
        unpack_value(L, &in);
    if (limit == 0)
        return count;
    luaL_checkstack(L, 1, "too many values");
    lua_pushinteger(L, left(&in) == 0 ? -1 : (lua_Integer)(len - left(&in)));
    lua_insert(L, first);
    return count + 1;
}

static int
msgpack_unpack(lua_State *L)
{
    return unpack_some(L, 0, 0);
}

static int
msgpack_unpack_one(lua_State *L)
{
    return unpack_some(L, 1, luaL_optint(L, 2, 0));
}

static int
msgpack_unpack_limit(lua_State *L)
{
    return unpack_some(L, luaL_checkint(L, 2), luaL_optint(L, 3, 0));
}

void
library_msgpack(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pack", msgpack_pack},
                                         {"unpack", msgpack_unpack},
                                         {"unpack_one", msgpack_unpack_one},
                                         {"unpack_limit", msgpack_unpack_limit},
                                         {NULL, NULL}};

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushliteral(L, "cmsgpack");
    lua_setfield(L, -2, "_NAME");
    lua_pushliteral(L, "lua-cmsgpack 0.4.0");
    lua_setfield(L, -2, "_VERSION");
    lua_pushliteral(L, "MessagePack for Lua");
    lua_setfield(L, -2, "_DESCRIPTION");
}
