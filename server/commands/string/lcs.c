/* server/commands/string/lcs.c - LCS: the longest common subsequence of two strings, by dynamic
 * programming. */
#include <stdlib.h>

#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/string/string.def"

struct lcs {
    struct client *client;
    struct slice a, b;
    bool len_only, indexes, with_lengths;
    int64_t min_match;
    /* [(a.len + 1) * (b.len + 1)]: the length of the LCS of the first i and j bytes */
    uint32_t *table;
};

static uint32_t *
cell(const struct lcs *l, size_t i, size_t j)
{
    return &l->table[i * (l->b.len + 1) + j];
}

static bool
parse(struct client *c, struct lcs *l)
{
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "IDX")) {
            l->indexes = true;
        } else if (arg_is(c, i, "LEN")) {
            l->len_only = true;
        } else if (arg_is(c, i, "WITHMATCHLEN")) {
            l->with_lengths = true;
        } else if (arg_is(c, i, "MINMATCHLEN") && i + 1 < c->argc) {
            if (!arg_int(c, ++i, &l->min_match))
                return false;
            if (l->min_match < 0)
                l->min_match = 0;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    if (!(l->indexes && l->len_only))
        return true;
    reply_error(c, "ERR If you want both the length and indexes, please just use IDX.");
    return false;
}

/* The first row and column are zeros, as the table comes. */
static void
fill(struct lcs *l)
{
    for (size_t i = 1; i <= l->a.len; i++)
        for (size_t j = 1; j <= l->b.len; j++) {
            uint32_t up = *cell(l, i - 1, j), left = *cell(l, i, j - 1);
            if (l->a.ptr[i - 1] == l->b.ptr[j - 1])
                *cell(l, i, j) = *cell(l, i - 1, j - 1) + 1;
            else
                *cell(l, i, j) = up > left ? up : left;
        }
}

/* A run of bytes that both have: it ends before a_end and b_end. */
struct run {
    size_t a_end, b_end, len;
};

static size_t
reply_run(const struct lcs *l, const struct run *r)
{
    struct client *c = l->client;

    if (r->len == 0 || (int64_t)r->len < l->min_match)
        return 0;
    reply_array(c, l->with_lengths ? 3 : 2);
    reply_array(c, 2);
    reply_int(c, (int64_t)(r->a_end - r->len));
    reply_int(c, (int64_t)r->a_end - 1);
    reply_array(c, 2);
    reply_int(c, (int64_t)(r->b_end - r->len));
    reply_int(c, (int64_t)r->b_end - 1);
    if (l->with_lengths)
        reply_int(c, (int64_t)r->len);
    return 1;
}

/* Back from the table's last cell: the bytes into `bytes` (may be NULL), the runs, last first, into
 * the reply.  Returns the number of runs. */
static size_t
walk_back(const struct lcs *l, char *bytes)
{
    size_t i = l->a.len, j = l->b.len, at = *cell(l, i, j), runs = 0;
    struct run run = {.len = 0};

    while (i > 0 && j > 0) {
        if (l->a.ptr[i - 1] == l->b.ptr[j - 1]) {
            if (run.len == 0)
                run = (struct run){.a_end = i, .b_end = j};
            run.len++;
            i--;
            j--;
            at--;
            if (bytes != NULL)
                bytes[at] = l->a.ptr[i];
            continue;
        }
        if (l->indexes)
            runs += reply_run(l, &run);
        run.len = 0;
        if (*cell(l, i - 1, j) > *cell(l, i, j - 1))
            i--;
        else
            j--;
    }
    return l->indexes ? runs + reply_run(l, &run) : 0;
}

static void
reply_indexes(const struct lcs *l)
{
    struct client *c = l->client;
    size_t token;

    reply_map(c, 2);
    reply_bulk_text(c, "matches");
    token = reply_array_deferred(c);
    reply_array_close(c, token, walk_back(l, NULL));
    reply_bulk_text(c, "len");
    reply_int(c, *cell(l, l->a.len, l->b.len));
}

static void
reply_lcs(const struct lcs *l)
{
    size_t len = *cell(l, l->a.len, l->b.len);
    char *bytes;

    if (l->indexes) {
        reply_indexes(l);
    } else if (l->len_only) {
        reply_int(l->client, (int64_t)len);
    } else if ((bytes = malloc(len + 1)) == NULL) {
        reply_no_memory(l->client);
    } else {
        walk_back(l, bytes);
        reply_bulk(l->client, bytes, len);
        free(bytes);
    }
}

static bool
take_string(struct client *c, const struct record *r, char scratch[NUM_MAX_BYTES],
            struct slice *ret)
{
    *ret = (struct slice){"", 0};
    if (r == NULL)
        return true;
    if (record_type(r) != TYPE_STRING) {
        reply_error(c, "ERR The specified keys must contain string values");
        return false;
    }
    *ret = record_text(r, scratch);
    return true;
}

/* LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN] -> the bytes, their number, or where
 * they are. */
void
cmd_lcs(struct client *c)
{
    /* Both are looked up, and found expired, before either one's type is an error. */
    const struct record *a = db_find_read(c->db, c->argv[1]), *b = db_find_read(c->db, c->argv[2]);
    struct lcs l = {.client = c};
    char scratch[2][NUM_MAX_BYTES];
    size_t cells;

    if (!take_string(c, a, scratch[0], &l.a) || !take_string(c, b, scratch[1], &l.b) ||
        !parse(c, &l))
        return;
    if (l.a.len >= UINT32_MAX - 1 || l.b.len >= UINT32_MAX - 1) {
        reply_error(c, "ERR String too long for LCS");
        return;
    }
    cells = (l.a.len + 1) * (l.b.len + 1);
    if (cells > config.proto_max_bulk_len / sizeof *l.table) {
        reply_error(c,
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return;
    }
    if ((l.table = calloc(cells, sizeof *l.table)) == NULL) {
        reply_error(c, "ERR Insufficient memory, failed allocating transient memory for LCS");
        return;
    }
    fill(&l);
    reply_lcs(&l);
    free(l.table);
}
