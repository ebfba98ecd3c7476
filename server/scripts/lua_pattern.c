/* server/scripts/lua_pattern.c - string.find, match, gmatch and gsub, in the place of Lua 5.1's
 * own: those of a hostile pattern take all of the stack, or all of the time, and nothing interrupts
 * them.
 *
 * Here a pattern goes DEPTH_MAX levels down, and every LOOK_STEPS steps the hook of the state is
 * called as between two instructions, so that the script can be ended. */
#include <ctype.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/scripts/libraries.h"

enum {
    DEPTH_MAX = 1000,
    LOOK_STEPS = 1 << 20, /* some milliseconds */
    ESCAPE = '%',
    OPEN = -1,    /* a capture's length: it has not ended yet, */
    POSITION = -2 /* or it is a place */
};

struct match {
    lua_State *L;
    const char *subject, *end;
    unsigned steps, depth;
    int captures; /* begun */
    struct {
        const char *at;
        ptrdiff_t len;
    } capture[LUA_MAXCAPTURES];
};

static const char *match(struct match *m, const char *s, const char *p);

static inline void
step(struct match *m)
{
    if (++m->steps % LOOK_STEPS == 0)
        library_look(m->L);
}

/* ---- one character ---- */

/* item_end: behind the item that begins at p, its repetition left out. */
static const char *
item_end(struct match *m, const char *p)
{
    char first = *p++;

    if (first == ESCAPE) {
        if (*p == '\0')
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (first != '[')
        return p;
    p += *p == '^';
    do { /* a bracket that is the first is one of the set */
        if (*p == '\0')
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == ESCAPE && *p != '\0')
            p++;
    } while (*p != ']');
    return p + 1;
}

static bool
is_of_class(int c, int class)
{
    bool is;

    switch (tolower(class)) {
    case 'a':
        is = isalpha(c) != 0;
        break;
    case 'c':
        is = iscntrl(c) != 0;
        break;
    case 'd':
        is = isdigit(c) != 0;
        break;
    case 'l':
        is = islower(c) != 0;
        break;
    case 'p':
        is = ispunct(c) != 0;
        break;
    case 's':
        is = isspace(c) != 0;
        break;
    case 'u':
        is = isupper(c) != 0;
        break;
    case 'w':
        is = isalnum(c) != 0;
        break;
    case 'x':
        is = isxdigit(c) != 0;
        break;
    case 'z':
        is = c == 0;
        break;
    default:
        return class == c;
    }
    return isupper(class) ? !is : is;
}

/* is_in_set: [first .. last]: the brackets. */
static bool
is_in_set(int c, const char *first, const char *last)
{
    const unsigned char *p = (const unsigned char *)first + 1, *end = (const unsigned char *)last;
    bool in = true;

    if (*p == '^') {
        in = false;
        p++;
    }
    for (; p < end; p++) {
        if (*p == ESCAPE) {
            if (is_of_class(c, *++p))
                return in;
        } else if (p[1] == '-' && p + 2 < end) {
            if (p[0] <= c && c <= p[2])
                return in;
            p += 2;
        } else if (*p == c) {
            return in;
        }
    }
    return !in;
}

static bool
matches_item(const struct match *m, const char *s, const char *p, const char *p_end)
{
    int c;

    if (s >= m->end)
        return false;
    c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case ESCAPE:
        return is_of_class(c, (unsigned char)p[1]);
    case '[':
        return is_in_set(c, p, p_end - 1);
    default:
        return (unsigned char)*p == c;
    }
}

/* ---- repetitions ---- */

static const char *
match_most(struct match *m, const char *s, const char *p, const char *p_end)
{
    const char *at = s, *r;

    for (; matches_item(m, at, p, p_end); at++)
        step(m);
    for (; at >= s; at--)
        if ((r = match(m, at, p_end + 1)) != NULL)
            return r;
    return NULL;
}

static const char *
match_fewest(struct match *m, const char *s, const char *p, const char *p_end)
{
    const char *r;

    for (;; s++) {
        if ((r = match(m, s, p_end + 1)) != NULL)
            return r;
        if (!matches_item(m, s, p, p_end))
            return NULL;
    }
}

/* ---- captures ---- */

static const char *
begin_capture(struct match *m, const char *s, const char *p, int kind)
{
    const char *r;

    if (m->captures == LUA_MAXCAPTURES)
        luaL_error(m->L, "too many captures");
    m->capture[m->captures].at = s;
    m->capture[m->captures].len = kind;
    m->captures++;
    if ((r = match(m, s, p)) == NULL)
        m->captures--;
    return r;
}

static const char *
end_capture(struct match *m, const char *s, const char *p)
{
    int i = m->captures - 1;
    const char *r;

    while (i >= 0 && m->capture[i].len != OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->capture[i].len = s - m->capture[i].at;
    if ((r = match(m, s, p)) == NULL)
        m->capture[i].len = OPEN;
    return r;
}

/* match_again: what a capture holds. */
static const char *
match_again(struct match *m, const char *s, int digit)
{
    int i = digit - '1';
    size_t len;

    if (i < 0 || i >= m->captures || m->capture[i].len == OPEN)
        luaL_error(m->L, "invalid capture index");
    must(m->capture[i].at != NULL);
    len = (size_t)m->capture[i].len;
    if (m->capture[i].len < 0 || (size_t)(m->end - s) < len ||
        memcmp(m->capture[i].at, s, len) != 0)
        return NULL;
    return s + len;
}

static const char *
match_balance(struct match *m, const char *s, const char *p)
{
    int depth = 1;

    if (p[0] == '\0' || p[1] == '\0')
        luaL_error(m->L, "unbalanced pattern");
    if (s >= m->end || *s != p[0])
        return NULL;
    while (++s < m->end) {
        step(m);
        if (*s == p[1]) {
            if (--depth == 0)
                return s + 1;
        } else if (*s == p[0]) {
            depth++;
        }
    }
    return NULL;
}

/* is_frontier: between a character that is not of the set at p, and one that is. */
static bool
is_frontier(struct match *m, const char *s, const char *p, const char **ret_end)
{
    int before = s == m->subject ? '\0' : (unsigned char)s[-1];
    int after = s < m->end ? (unsigned char)*s : '\0';

    if (*p != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    *ret_end = item_end(m, p);
    return !is_in_set(before, p, *ret_end - 1) && is_in_set(after, p, *ret_end - 1);
}

/* ---- the whole ---- */

/* match_escape: the three escapes that are no class.  false: it is one; otherwise *s is where it
 * goes on, or NULL. */
static bool
match_escape(struct match *m, const char **s, const char **p)
{
    const char *end;

    if ((*p)[1] == 'b') {
        *s = match_balance(m, *s, *p + 2);
        *p += 4;
    } else if ((*p)[1] == 'f') {
        if (!is_frontier(m, *s, *p + 2, &end))
            *s = NULL;
        *p = end;
    } else if (isdigit((unsigned char)(*p)[1])) {
        *s = match_again(m, *s, (*p)[1]);
        *p += 2;
    } else {
        return false;
    }
    return true;
}

/* match_on: the pattern from p on, at s: where it ends, or NULL.  What needs no way back is done
 * without going down a level. */
static const char *
match_on(struct match *m, const char *s, const char *p)
{
    const char *end, *r;

    while (s != NULL && *p != '\0') {
        step(m);
        if (*p == '(')
            return p[1] == ')' ? begin_capture(m, s, p + 2, POSITION)
                               : begin_capture(m, s, p + 1, OPEN);
        if (*p == ')')
            return end_capture(m, s, p + 1);
        if (*p == '$' && p[1] == '\0')
            return s == m->end ? s : NULL;
        if (*p == ESCAPE && match_escape(m, &s, &p))
            continue;
        end = item_end(m, p);
        if (*end == '*')
            return match_most(m, s, p, end);
        if (*end == '-')
            return match_fewest(m, s, p, end);
        if (*end == '?') {
            if (matches_item(m, s, p, end) && (r = match(m, s + 1, end + 1)) != NULL)
                return r;
            p = end + 1;
            continue;
        }
        if (!matches_item(m, s, p, end))
            return NULL;
        if (*end == '+')
            return match_most(m, s + 1, p, end);
        s++;
        p = end;
    }
    return s;
}

static const char *
match(struct match *m, const char *s, const char *p)
{
    const char *r;

    if (++m->depth > DEPTH_MAX)
        luaL_error(m->L, "pattern too complex");
    r = match_on(m, s, p);
    m->depth--;
    return r;
}

/* try_at: of which nothing is known yet. */
static const char *
try_at(struct match *m, const char *s, const char *p)
{
    m->captures = 0;
    return match(m, s, p);
}

/* ---- what is found ---- */

/* push_capture: number i; of a pattern without any the first is all of [s, e). */
static void
push_capture(struct match *m, int i, const char *s, const char *e)
{
    if (i >= m->captures) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index");
        lua_pushlstring(m->L, s, (size_t)(e - s));
    } else if (m->capture[i].len == OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else if (m->capture[i].len == POSITION) {
        lua_pushinteger(m->L, m->capture[i].at - m->subject + 1);
    } else {
        lua_pushlstring(m->L, m->capture[i].at, (size_t)m->capture[i].len);
    }
}

static int
push_captures(struct match *m, const char *s, const char *e)
{
    int count = m->captures == 0 && s != NULL ? 1 : m->captures;

    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        push_capture(m, i, s, e);
    return count;
}

static void
begin(lua_State *L, struct match *m)
{
    size_t len;

    *m = (struct match){.L = L, .subject = luaL_checklstring(L, 1, &len)};
    m->end = m->subject + len;
}

static int
find_text(lua_State *L, const struct match *m, const char *from, struct slice text)
{
    const char *at = memmem(from, (size_t)(m->end - from), text.ptr, text.len);

    if (at == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - m->subject + 1);
    lua_pushinteger(L, at - m->subject + (ptrdiff_t)text.len);
    return 2;
}

/* start_of: the third argument: from where on; below zero it counts from the end. */
static const char *
start_of(lua_State *L, const struct match *m)
{
    ptrdiff_t len = m->end - m->subject, at = luaL_optinteger(L, 3, 1);

    at = at < 0 ? len + at : at - 1;
    return m->subject + (at < 0 ? 0 : at > len ? len : at);
}

static int
find(lua_State *L, bool is_find)
{
    struct match m;
    struct slice text;
    const char *p, *s, *e;
    bool is_anchored;

    begin(L, &m);
    text.ptr = p = luaL_checklstring(L, 2, &text.len);
    s = start_of(L, &m);
    if (is_find && (lua_toboolean(L, 4) || strpbrk(p, "^$*+?.([%-") == NULL))
        return find_text(L, &m, s, text);
    is_anchored = *p == '^';
    p += is_anchored;
    do {
        if ((e = try_at(&m, s, p)) == NULL)
            continue;
        if (!is_find)
            return push_captures(&m, s, e);
        lua_pushinteger(L, s - m.subject + 1);
        lua_pushinteger(L, e - m.subject);
        return push_captures(&m, NULL, NULL) + 2;
    } while (s++ < m.end && !is_anchored);
    lua_pushnil(L);
    return 1;
}

static int
pattern_find(lua_State *L)
{
    return find(L, true);
}

static int
pattern_match(lua_State *L)
{
    return find(L, false);
}

/* gmatch_next: upvalues: the subject, the pattern, from where on. */
static int
gmatch_next(lua_State *L)
{
    struct match m = {.L = L};
    const char *p = lua_tostring(L, lua_upvalueindex(2)), *e;
    ptrdiff_t from = lua_tointeger(L, lua_upvalueindex(3));
    size_t len;

    m.subject = lua_tolstring(L, lua_upvalueindex(1), &len);
    m.end = m.subject + len;
    if (from > (ptrdiff_t)len)
        return 0;
    for (const char *s = m.subject + from; s <= m.end; s++) {
        if ((e = try_at(&m, s, p)) == NULL)
            continue;
        lua_pushinteger(L, e - m.subject + (e == s)); /* past what is empty */
        lua_replace(L, lua_upvalueindex(3));
        return push_captures(&m, s, e);
    }
    return 0;
}

static int
pattern_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

/* ---- gsub ---- */

/* add_text: the replacement, with what its escapes name. */
static void
add_text(struct match *m, luaL_Buffer *b, const char *s, const char *e)
{
    size_t len;
    const char *text = lua_tolstring(m->L, 3, &len);

    for (size_t i = 0; i < len; i++) {
        if (text[i] != ESCAPE) {
            luaL_addchar(b, text[i]);
        } else if (!isdigit((unsigned char)text[++i])) { /* behind the last is a zero */
            luaL_addchar(b, text[i]);
        } else if (text[i] == '0') {
            luaL_addlstring(b, s, (size_t)(e - s));
        } else {
            push_capture(m, text[i] - '1', s, e);
            luaL_addvalue(b);
        }
    }
}

static void
add_replacement(struct match *m, luaL_Buffer *b, const char *s, const char *e)
{
    lua_State *L = m->L;
    int type = lua_type(L, 3);

    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        add_text(m, b, s, e);
        return;
    }
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e), 1);
    } else {
        push_capture(m, 0, s, e);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, s, (size_t)(e - s));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(b);
}

static int
pattern_gsub(lua_State *L)
{
    struct match m;
    const char *p, *s, *e;
    bool is_anchored;
    luaL_Buffer b;
    int type = lua_type(L, 3), most, count = 0;

    begin(L, &m);
    p = luaL_checkstring(L, 2);
    most = luaL_optint(L, 4, m.end - m.subject < INT_MAX ? (int)(m.end - m.subject) + 1 : INT_MAX);
    luaL_argcheck(L,
                  type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                      type == LUA_TTABLE,
                  3, "string/function/table expected");
    is_anchored = *p == '^';
    p += is_anchored;
    s = m.subject;
    luaL_buffinit(L, &b);
    while (count < most) {
        if ((e = try_at(&m, s, p)) != NULL) {
            count++;
            add_replacement(&m, &b, s, e);
        }
        if (e != NULL && e > s)
            s = e;
        else if (s < m.end)
            luaL_addchar(&b, *s++);
        else
            break;
        if (is_anchored)
            break;
    }
    luaL_addlstring(&b, s, (size_t)(m.end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, count);
    return 2;
}

void
library_pattern(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", pattern_find},
                                         {"match", pattern_match},
                                         {"gmatch", pattern_gmatch},
                                         {"gsub", pattern_gsub},
                                         {NULL, NULL}};

    luaL_register(L, NULL, functions);
}
