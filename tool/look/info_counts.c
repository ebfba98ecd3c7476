/* tool/look/info_counts.c - counts of one file and of several. */
#include <stdlib.h>
#include <string.h>

#include "snapshot/rdb/rdb.h"
#include "tool/look/info.h"

const char *const info_form_names[INFO_FORMS] = {[RDB_FORM_INT] = "integer",
                                                 [RDB_FORM_PLAIN] = "plain",
                                                 [RDB_FORM_LZF] = "LZF",
                                                 [INFO_FORM_MANY] = "elements"};

const char *
info_type_name(unsigned type)
{
    return type < INFO_TYPES_VALKEY ? rdb_type_name(RDB_VERSION_MAX, type)
                                    : rdb_type_name(RDB_VERSION_VALKEY, type - INFO_TYPES_VALKEY);
}

bool
info_counts_init(struct info_counts *c, unsigned biggest_most)
{
    *c = (struct info_counts){.biggest_most = biggest_most};
    c->biggest = calloc(biggest_most + 1, sizeof *c->biggest);
    return c->biggest != NULL;
}

static void
drop_biggest(struct info_counts *c)
{
    while (c->biggest_count > 0)
        free(c->biggest[--c->biggest_count].name);
}

void
info_counts_clear(struct info_counts *c)
{
    struct info_big *biggest = c->biggest;
    unsigned most = c->biggest_most;

    drop_biggest(c);
    *c = (struct info_counts){.biggest = biggest, .biggest_most = most};
}

void
info_counts_fini(struct info_counts *c)
{
    if (c->biggest != NULL)
        drop_biggest(c);
    free(c->biggest);
    c->biggest = NULL;
}

struct info_database *
info_find_database(struct info_counts *c, uint64_t db)
{
    for (unsigned i = 0; i < c->database_count; i++)
        if (c->database[i].db == db)
            return &c->database[i];
    if (c->database_count == INFO_DATABASES)
        return &c->others;
    c->database[c->database_count].db = db;
    return &c->database[c->database_count++];
}

/* is_big: does a value of so many bytes belong to the biggest? */
static bool
is_big(const struct info_counts *c, uint64_t value_bytes)
{
    return c->biggest_count < c->biggest_most ||
           (c->biggest_most > 0 && value_bytes > c->biggest[c->biggest_most - 1].value_bytes);
}

/* put_big: it is one of them; its name is the list's now. */
static void
put_big(struct info_counts *c, const struct info_big *b)
{
    unsigned i;

    if (c->biggest_count == c->biggest_most)
        free(c->biggest[--c->biggest_count].name);
    for (i = c->biggest_count++; i > 0 && c->biggest[i - 1].value_bytes < b->value_bytes; i--)
        c->biggest[i] = c->biggest[i - 1];
    c->biggest[i] = *b;
}

static char *
copy_of(const char *name, size_t len)
{
    char *copy = tool_got(malloc(len + 1));

    memcpy(copy, name, len);
    return copy;
}

static size_t
kept_bytes(size_t len)
{
    return len < INFO_NAME_BYTES ? len : INFO_NAME_BYTES;
}

void
info_keep_big(struct info_counts *c, const struct key_facts *f, const char *path)
{
    struct slice name = f->key->name;

    if (!is_big(c, f->value_bytes))
        return;
    put_big(c, &(struct info_big){.db = f->key->db,
                                  .value_bytes = f->value_bytes,
                                  .elements = f->elements,
                                  .record_bytes = f->record_bytes,
                                  .expire_at_ms = f->key->expire_at_ms,
                                  .kind = f->key->kind,
                                  .encoding = f->encoding,
                                  .path = path,
                                  .name = copy_of(name.ptr, kept_bytes(name.len)),
                                  .name_bytes = name.len});
}

static int
by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct info_database *)a)->db, y = ((const struct info_database *)b)->db;

    return x < y ? -1 : x > y;
}

static void
add_sums(struct info_sums *sum, const struct info_sums *more)
{
    sum->keys += more->keys;
    sum->expires += more->expires;
    sum->key_bytes += more->key_bytes;
    sum->value_bytes += more->value_bytes;
}

void
info_finish(struct info_counts *c)
{
    qsort(c->database, c->database_count, sizeof *c->database, by_number);
    c->total = c->others.sums;
    for (unsigned i = 0; i < c->database_count; i++)
        add_sums(&c->total, &c->database[i].sums);
}

void
info_add(struct info_counts *sum, const struct info_counts *more)
{
    for (unsigned i = 0; i < more->database_count; i++)
        add_sums(&info_find_database(sum, more->database[i].db)->sums, &more->database[i].sums);
    add_sums(&sum->others.sums, &more->others.sums);
    for (unsigned i = 0; i < INFO_TYPES; i++)
        for (unsigned form = 0; form < INFO_FORMS; form++)
            add_sums(&sum->by_form[i][form], &more->by_form[i][form]);
    for (unsigned i = 0; i < INFO_SIZE_BUCKETS; i++)
        sum->by_size[i] += more->by_size[i];
    for (unsigned i = 0; i < INFO_EXPIRY_BUCKETS; i++)
        sum->by_expiry[i] += more->by_expiry[i];
    sum->functions += more->functions;
    sum->unknown += more->unknown;
    sum->squares += more->squares;
    for (unsigned i = 0; i < more->biggest_count && is_big(sum, more->biggest[i].value_bytes);
         i++) {
        struct info_big b = more->biggest[i];

        b.name = copy_of(b.name, kept_bytes(b.name_bytes));
        put_big(sum, &b);
    }
}

static void
scale_number(uint64_t *n, double by)
{
    *n = (uint64_t)((double)*n * by + 0.5);
}

static void
scale_sums(struct info_sums *s, double by)
{
    scale_number(&s->keys, by);
    scale_number(&s->expires, by);
    scale_number(&s->key_bytes, by);
    scale_number(&s->value_bytes, by);
}

void
info_scale(struct info_counts *c, const struct selection *s)
{
    double by = 1 / selection_share(s);

    if (by == 1)
        return;
    c->keys_error = selection_error(s, (double)c->total.keys);
    c->bytes_error = selection_error(s, c->squares);
    for (unsigned i = 0; i < c->database_count; i++)
        scale_sums(&c->database[i].sums, by);
    scale_sums(&c->others.sums, by);
    scale_sums(&c->total, by);
    for (unsigned i = 0; i < INFO_TYPES; i++)
        for (unsigned form = 0; form < INFO_FORMS; form++)
            scale_sums(&c->by_form[i][form], by);
    for (unsigned i = 0; i < INFO_SIZE_BUCKETS; i++)
        scale_number(&c->by_size[i], by);
    for (unsigned i = 0; i < INFO_EXPIRY_BUCKETS; i++)
        scale_number(&c->by_expiry[i], by);
}
