/* tool/memory/survey.c - look at every key once. */
#include "tool/memory/survey.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/printable.h"

static const struct {
    const char *name;
    int64_t below_s;
} ttls[SURVEY_TTLS] = {{"no expiry", 0},
                       {"over", 0},
                       {"up to 1 minute", 60},
                       {"up to 1 hour", 3600},
                       {"up to 1 day", 86400},
                       {"up to 7 days", 7 * 86400},
                       {"up to 30 days", 30 * 86400},
                       {"up to 1 year", 365 * 86400},
                       {"longer", INT64_MAX}};

const char *
survey_ttl_name(unsigned i)
{
    return ttls[i].name;
}

static unsigned
ttl_of(const struct memory_survey *s, int64_t expire_at_ms)
{
    unsigned i = 2;
    int64_t ms;

    if (expire_at_ms == -1)
        return 0;
    if (__builtin_sub_overflow(expire_at_ms, s->value.walk.counted_from_ms, &ms))
        return expire_at_ms < 0 ? 1 : SURVEY_TTLS - 1;
    if (ms <= 0)
        return 1;
    while (i < SURVEY_TTLS - 1 && ms > ttls[i].below_s * 1000)
        i++;
    return i;
}

uint64_t
memory_scaled(uint64_t sum, double share)
{
    return share >= 1 ? sum : (uint64_t)((double)sum / share + 0.5);
}

/* Each key was taken or not for itself: the sum's variance is (1 - p) / p^2 times the squares. */
uint64_t
memory_error(double squares, double share)
{
    enum { DEVIATIONS_PERCENT = 196 };

    return share >= 1 ? 0
                      : (uint64_t)(sqrt((1 - share) * squares) / share * DEVIATIONS_PERCENT / 100);
}

static void
add_database(struct memory_survey *s, const struct memory_key *k)
{
    uint64_t db = k->facts->key->db;
    unsigned i = s->database_at;

    if (s->database_count == 0 || s->databases[i].db != db)
        for (i = 0; i < s->database_count && s->databases[i].db != db;)
            i++;
    if (i == SURVEY_DATABASES) {
        s->is_gathered_at_end = true;
        i--;
    } else if (i == s->database_count) {
        s->databases[s->database_count++].db = db;
    }
    s->database_at = i;
    memory_sums_add(&s->databases[i].sums, k);
}

static void
add_encoding(struct memory_survey *s, const struct memory_key *k)
{
    struct survey_encoding *e = s->encodings[k->facts->key->kind];
    unsigned i = 0;

    while (e[i].name != NULL && e[i].name != k->encoding && strcmp(e[i].name, k->encoding) != 0)
        i++;
    must(i < SURVEY_ENCODINGS - 1); /* the last one's name stays NULL */
    e[i].name = k->encoding;
    memory_sums_add(&e[i].sums, k);
}

static int
add_rest(struct memory_survey *s, const struct memory_key *k)
{
    int64_t from_ms = s->value.walk.counted_from_ms;
    struct memory_row row;
    int r;

    for (unsigned m = 0; m < MEMORY_MEASURES; m++)
        if (s->tops[m].most > 0 && (r = memory_top_add(&s->tops[m], k, from_ms)) != 0)
            return r;
    if (s->prefixes.at != NULL && (r = memory_prefixes_add(&s->prefixes, k)) != 0)
        return r;
    if (s->row == NULL)
        return 0;
    row = memory_row_of(k, from_ms);
    return s->row(s, &row);
}

static int
on_key(void *ctx, const struct memory_key *k)
{
    struct memory_survey *s = ctx;

    s->file->keys++;
    memory_sums_add(&s->total, k);
    add_encoding(s, k);
    add_database(s, k);
    memory_sums_add(&s->sizes[memory_bucket(k->memory)], k);
    memory_sums_add(&s->ttls[ttl_of(s, k->facts->key->expire_at_ms)], k);
    return add_rest(s, k);
}

static int
on_aux(void *ctx, struct slice key, struct slice value)
{
    struct memory_survey *s = ctx;
    struct survey_file *f = s->file;

    if (f->aux_count == SURVEY_AUX)
        return 0;
    printable(f->aux[f->aux_count][0], sizeof f->aux[0][0], key.ptr, key.len);
    printable(f->aux[f->aux_count++][1], sizeof f->aux[0][1], value.ptr, value.len);
    return 0;
}

static int
wrong(const char *option, const char *what, const char *example)
{
    fprintf(stderr, "stillframe-rdb: --%s: %s\nTry: --%s=%s\n", option, what, option, example);
    return TOOL_USAGE;
}

static int
init_prefixes(struct memory_survey *s, const struct tool_options *o)
{
    struct slice separator = slice_of(o->separator, strlen(o->separator));
    int r;

    if (o->depth < 1 || o->depth > MEMORY_DEPTH_MOST)
        return wrong("depth", "not a number from 1 to 16", "2");
    if (separator.len < 1 || separator.len > MEMORY_PREFIX_BYTES_MOST)
        return wrong("separator", "not a text of 1 to 256 bytes", "/");
    r = memory_prefixes_init(&s->prefixes, separator, (uint32_t)o->depth, MEMORY_PREFIXES_MOST);
    if (r == 0 && o->pattern != NULL && memory_prefixes_pattern(&s->prefixes, o->pattern) != 0)
        return wrong("pattern", "not an extended regular expression", "'^([a-z]+):'");
    return r;
}

int
survey_init(struct memory_survey *s, const struct tool_options *o, const struct survey_wish *wish)
{
    int r = TOOL_OK;

    *s = (struct memory_survey){.options = o, .row = wish->row};
    memory_value_init(&s->value, o, on_key);
    if ((s->selection = selection_new(o)) == NULL)
        return TOOL_USAGE;
    for (unsigned m = 0; m < MEMORY_MEASURES && r == 0; m++)
        if (wish->top[m] > 0)
            r = memory_top_init(&s->tops[m], m, wish->top[m]);
    if (r == 0 && wish->prefixes)
        r = init_prefixes(s, o);
    if (r >= 0)
        return r;
    fprintf(stderr, "stillframe-rdb: %s\n", strerror(-r));
    return TOOL_INVALID;
}

void
survey_fini(struct memory_survey *s)
{
    walk_fini(&s->value.walk);
    selection_free(s->selection);
    for (unsigned m = 0; m < MEMORY_MEASURES; m++)
        memory_top_fini(&s->tops[m]);
    memory_prefixes_fini(&s->prefixes);
    free(s->files);
}

static int
by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct survey_database *)a)->db,
             y = ((const struct survey_database *)b)->db;

    return x < y ? -1 : x > y;
}

static void
put_in_order(struct memory_survey *s)
{
    qsort(s->databases, s->database_count - s->is_gathered_at_end, sizeof *s->databases, by_number);
    for (unsigned m = 0; m < MEMORY_MEASURES; m++)
        if (s->tops[m].most > 0)
            memory_top_end(&s->tops[m]);
    if (s->prefixes.at != NULL)
        memory_prefixes_end(&s->prefixes);
    s->share = selection_share(s->selection);
}

int
survey_read(struct memory_survey *s, int count, char **files)
{
    struct walk_events events = {.rdb = memory_value_events()};
    struct walk *walk = &s->value.walk;
    int status = TOOL_OK, r;

    events.rdb.aux = on_aux;
    if ((s->files = calloc((size_t)count + 1, sizeof *s->files)) == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        return TOOL_INVALID;
    }
    for (int i = 0; i < count && !(i > 0 && walk_is_over(walk)); i++) {
        s->file = &s->files[s->file_count++];
        s->file->path = files[i];
        if ((r = walk_file(walk, files[i], &events, s->selection, s->options)) != TOOL_OK)
            status = r;
        s->file->version = walk->version;
        s->file->size_bytes = walk->run.size_bytes;
        s->file->written_ms = walk->has_ctime ? walk->counted_from_ms : 0;
    }
    put_in_order(s);
    return status;
}

uint64_t
survey_tables(const struct memory_survey *s)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < s->database_count; i++)
        bytes += memory_tables(&s->value.rules, memory_scaled(s->databases[i].sums.keys, s->share),
                               memory_scaled(s->databases[i].sums.expiring, s->share));
    return bytes;
}

void
survey_sizes(const struct memory_survey *s, unsigned *ret_from, unsigned *ret_until)
{
    unsigned from = 0, until = MEMORY_BUCKETS;

    while (from < MEMORY_BUCKETS && s->sizes[from].keys == 0)
        from++;
    while (until > from && s->sizes[until - 1].keys == 0)
        until--;
    *ret_from = from;
    *ret_until = until;
}
