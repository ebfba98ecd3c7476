/* tool/export/resp_names.c - --rename=FROM=TO and --db-map=N=M. */
#include "tool/export/resp_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/num.h"
#include "tool/base/tool.h"

static bool
complain(const char *option, const char *text, const char *what)
{
    fprintf(stderr, "stillframe-rdb: --%s=%.200s: %s\n", option, text, what);
    return false;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* unescape: up to `end`, which is a character or the NUL: \xHH a byte, \ and any other character
 * that one.  Returns where it ended, or NULL: it has no end. */
static const char *
unescape(const char *p, char end, char *to, size_t *ret_len)
{
    char *start = to;

    for (; *p != end && *p != '\0'; p++) {
        if (*p == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
            *to++ = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
            p += 3;
        } else {
            p += *p == '\\' && p[1] != '\0';
            *to++ = *p;
        }
    }
    *ret_len = (size_t)(to - start);
    return *p == end ? p : NULL;
}

static bool
take_rename(struct resp_names *n, const char *text)
{
    struct resp_rename *r = &n->renames[n->rename_count++];
    const char *p;

    r->from = malloc(strlen(text) + 1);
    r->to = malloc(strlen(text) + 1);
    if (r->from == NULL || r->to == NULL)
        return complain("rename", text, strerror(ENOMEM));
    if ((p = unescape(text, '=', r->from, &r->from_len)) == NULL)
        return complain("rename", text, "not FROM=TO");
    unescape(p + 1, '\0', r->to, &r->to_len);
    return true;
}

static bool
take_db_map(struct resp_names *n, const char *text)
{
    const char *sign = strchr(text, '=');
    int64_t from, to;

    if (sign == NULL || !num_parse(text, (size_t)(sign - text), &from) ||
        !num_parse(sign + 1, strlen(sign + 1), &to) || from < 0 || to < 0)
        return complain("db-map", text, "not N=M, both numbers of databases");
    n->dbs[n->db_count++] = (struct resp_db_map){(uint64_t)from, (uint64_t)to};
    return true;
}

bool
resp_names_init(struct resp_names *n, const struct tool_options *o)
{
    *n = (struct resp_names){NULL};
    n->renames = calloc(o->rename.count + 1, sizeof *n->renames);
    n->dbs = calloc(o->db_map.count + 1, sizeof *n->dbs);
    if (n->renames == NULL || n->dbs == NULL)
        return complain("rename", "", strerror(ENOMEM));
    for (unsigned i = 0; i < o->rename.count; i++)
        if (!take_rename(n, o->rename.at[i]))
            return false;
    for (unsigned i = 0; i < o->db_map.count; i++)
        if (!take_db_map(n, o->db_map.at[i]))
            return false;
    return true;
}

void
resp_names_fini(struct resp_names *n)
{
    for (unsigned i = 0; i < n->rename_count; i++) {
        free(n->renames[i].from);
        free(n->renames[i].to);
    }
    free(n->renames);
    free(n->dbs);
    text_free(&n->name);
}

struct slice
resp_names_key(struct resp_names *n, struct slice name)
{
    for (unsigned i = 0; i < n->rename_count; i++) {
        const struct resp_rename *r = &n->renames[i];

        if (name.len < r->from_len || memcmp(name.ptr, r->from, r->from_len) != 0)
            continue;
        text_clear(&n->name);
        text_add_bytes(&n->name, r->to, r->to_len);
        text_add_bytes(&n->name, name.ptr + r->from_len, name.len - r->from_len);
        return n->name.failed ? (struct slice){NULL, 0} : slice_of(text_str(&n->name), n->name.len);
    }
    return name;
}

uint64_t
resp_names_db(const struct resp_names *n, uint64_t db)
{
    for (unsigned i = 0; i < n->db_count; i++)
        if (n->dbs[i].from == db)
            return n->dbs[i].to;
    return db;
}
