/* tool/look/info_report.c - stillframe-rdb info: print what was counted. */
#include <string.h>
#include <time.h>

#include "snapshot/rdb/rdb.h"
#include "tool/look/info.h"

const char *const info_crc_names[] = {[RDB_CRC_NONE] = "none: the format had none then",
                                      [RDB_CRC_ZERO] = "none: written without",
                                      [RDB_CRC_UNCHECKED] = "not looked at",
                                      [RDB_CRC_GOOD] = "good",
                                      [RDB_CRC_FRAME] = "the packed form's: good"};

static void
print_libraries(const struct info *f)
{
    uint64_t count = f->counts.functions;

    printf("  %-12s %s librar%s:", "functions", tool_count(count), count == 1 ? "y" : "ies");
    for (unsigned i = 0; i < INFO_LIBRARIES && i < count; i++)
        printf(" %s", f->library[i][0] != '\0' ? f->library[i] : "(without a name)");
    printf("%s\n", count > INFO_LIBRARIES ? " ..." : "");
}

/* print_sample: what is wrong with numbers that come from a sample. */
static void
print_sample(const struct info *f, const struct info_counts *c)
{
    double share = selection_share(f->selection);

    if (share == 1)
        return;
    printf(
        "  %-12s %g %% of the keys, numbers are scaled up; standard error: %s keys, %s of values\n",
        "sample", share * 100, tool_count((uint64_t)(c->keys_error + 0.5)),
        tool_size((uint64_t)(c->bytes_error + 0.5)));
}

/* print_size: of a pipe it is known behind its end only, as what was in it. */
static void
print_size(const struct tool_run *run)
{
    uint64_t bytes = run->size_bytes > 0 ? run->size_bytes : run->rdb_bytes;

    printf("  %-12s %s (%s bytes)%s\n", "size", tool_size(bytes), tool_count(bytes),
           run->size_bytes == 0 && run->is_packed ? " unpacked" : "");
    if (run->is_packed && run->size_bytes > 0)
        printf("  %-12s %s: %s of RDB, %.2f times as much\n", "compressed", run->form,
               tool_size(run->rdb_bytes), (double)run->rdb_bytes / (double)run->size_bytes);
    else if (run->is_packed)
        printf("  %-12s %s\n", "compressed", run->form);
}

static void
print_speed(const struct tool_run *run, double elapsed_s)
{
    uint64_t bytes = run->size_bytes > 0 ? run->size_bytes : run->rdb_bytes;

    printf("  %-12s %s (%s/s)\n", "read in", tool_seconds(elapsed_s),
           tool_size((uint64_t)((double)bytes / (elapsed_s > 1e-6 ? elapsed_s : 1e-6))));
}

static void
print_head(const struct info *f)
{
    const struct tool_run *run = &f->walk.run;
    int version = f->walk.version;

    printf("%s\n", strcmp(run->path, "-") == 0 ? "standard input" : run->path);
    printf("  %-12s %s%0*d\n", "format", version < RDB_VERSION_VALKEY ? "REDIS" : "VALKEY",
           version < RDB_VERSION_VALKEY ? 4 : 3, version);
    print_size(run);
    printf("  %-12s %s\n", "checksum", info_crc_names[f->crc]);
    print_speed(run, f->elapsed_s);
    if (f->counts.functions > 0)
        print_libraries(f);
    if (f->counts.unknown > 0)
        printf("  %-12s %s\n", "read over", tool_count(f->counts.unknown));
    print_sample(f, &f->counts);
}

/* print_when: a time in words, after the seconds since 1970. */
static void
print_when(int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char text[64];

    if (gmtime_r(&s, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
        printf("  (%s)", text);
}

static void
print_aux(const struct info *f)
{
    int width = 12;

    for (unsigned i = 0; i < f->aux_count; i++)
        if ((int)strlen(f->aux[i][0]) > width)
            width = (int)strlen(f->aux[i][0]);
    if (f->aux_count > 0)
        printf("\n  Auxiliary fields\n");
    for (unsigned i = 0; i < f->aux_count; i++) {
        printf("    %-*s  %s", width, f->aux[i][0], f->aux[i][1]);
        if (strcmp(f->aux[i][0], "ctime") == 0 && f->walk.has_ctime)
            print_when(f->walk.counted_from_ms);
        printf("\n");
    }
    if (f->aux_left_out > 0)
        printf("    and %s more\n", tool_count(f->aux_left_out));
}

static void
print_sums(const char *name, const struct info_sums *s)
{
    printf("    %-12s %14s %14s %12s %12s\n", name, tool_count(s->keys), tool_count(s->expires),
           tool_size(s->key_bytes), tool_size(s->value_bytes));
}

static void
print_databases(const struct info_counts *c)
{
    char name[24];

    printf("\n  %-14s %14s %14s %12s %12s\n", "Databases", "keys", "with expiry", "key bytes",
           "value bytes");
    for (unsigned i = 0; i < c->database_count; i++) {
        snprintf(name, sizeof name, "%llu", (unsigned long long)c->database[i].db);
        print_sums(name, &c->database[i].sums);
    }
    if (c->others.sums.keys > 0)
        print_sums("others", &c->others.sums);
    if (c->database_count != 1)
        print_sums("all", &c->total);
}

static void
print_types(const struct info_counts *c)
{
    if (c->total.keys == 0)
        return;
    printf("\n  %-43s %14s %12s\n", "Types", "keys", "value bytes");
    for (unsigned type = 0; type < INFO_TYPES; type++)
        for (unsigned form = 0; form < INFO_FORMS; form++) {
            const struct info_sums *s = &c->by_form[type][form];

            if (s->keys > 0)
                printf("    %-30s %-10s %14s %12s\n", info_type_name(type), info_form_names[form],
                       tool_count(s->keys), tool_size(s->value_bytes));
        }
}

static uint64_t
most_of(const uint64_t *counts, unsigned n)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < n; i++)
        if (counts[i] > most)
            most = counts[i];
    return most;
}

static void
print_bar(const char *name, uint64_t count, uint64_t most)
{
    if (count > 0)
        printf("    %-16s %14s  %s\n", name, tool_count(count), tool_bar(count, most));
    else
        printf("    %-16s %14s\n", name, "-");
}

/* print_chart_of_sizes: from the smallest bucket in use to the largest. */
static void
print_chart_of_sizes(const struct info_counts *c)
{
    uint64_t most = most_of(c->by_size, INFO_SIZE_BUCKETS);
    unsigned first = 0, last = INFO_SIZE_BUCKETS - 1;
    char name[64];

    if (most == 0)
        return;
    while (c->by_size[first] == 0)
        first++;
    while (c->by_size[last] == 0)
        last--;
    printf("\n  %-18s %14s\n", "Sizes of values", "keys");
    for (unsigned b = first; b <= last; b++) {
        if (b == 0)
            snprintf(name, sizeof name, "empty");
        else
            snprintf(name, sizeof name, "from %s", tool_size(info_size_from(b)));
        print_bar(name, c->by_size[b], most);
    }
}

static void
print_chart_of_expiry(const struct info_counts *c, const char *from)
{
    uint64_t most = most_of(c->by_expiry, INFO_EXPIRY_BUCKETS);

    if (c->total.expires == 0)
        return;
    printf("\n  %-18s %14s  after %s\n", "Expiry", "keys", from);
    for (unsigned b = 0; b < INFO_EXPIRY_BUCKETS; b++)
        print_bar(info_expiries[b].name, c->by_expiry[b], most);
}

/* print_what: the type of a value, and how many things are in it. */
static void
print_what(char *ret, size_t room, const struct info_big *b)
{
    static const struct {
        const char *type, *one, *many;
    } words[] = {[RDB_VALUE_LIST] = {"list", "element", "elements"},
                 [RDB_VALUE_SET] = {"set", "member", "members"},
                 [RDB_VALUE_HASH] = {"hash", "field", "fields"},
                 [RDB_VALUE_ZSET] = {"sorted set", "member", "members"},
                 [RDB_VALUE_STREAM] = {"stream", "entry", "entries"}};
    _Static_assert(sizeof words / sizeof *words == RDB_VALUE_COUNT, "a kind without words");

    if (b->kind == RDB_VALUE_STRING)
        snprintf(ret, room, "string");
    else
        snprintf(ret, room, "%s, %s %s", words[b->kind].type, tool_count(b->elements),
                 b->elements == 1 ? words[b->kind].one : words[b->kind].many);
}

/* print_biggest: with_path: of several files. */
static void
print_biggest(const struct info_counts *c, bool with_path)
{
    char what[48];

    if (c->biggest_count == 0)
        return;
    printf("\n  Biggest values\n");
    for (unsigned i = 0; i < c->biggest_count; i++) {
        const struct info_big *b = &c->biggest[i];

        print_what(what, sizeof what, b);
        printf("    %10s  db %-3llu %-26s %s%s%s\n", tool_size(b->value_bytes),
               (unsigned long long)b->db, what,
               tool_key((struct slice){b->name, b->name_bytes < INFO_NAME_BYTES ? b->name_bytes
                                                                                : INFO_NAME_BYTES}),
               with_path ? "  " : "", with_path ? b->path : "");
    }
}

static void
print_counts(const struct info_counts *c, const char *expiry_from, bool with_path)
{
    print_databases(c);
    print_types(c);
    print_chart_of_sizes(c);
    print_chart_of_expiry(c, expiry_from);
    print_biggest(c, with_path);
    printf("\n");
}

void
info_print(const struct info *f)
{
    print_head(f);
    print_aux(f);
    print_counts(&f->counts, f->walk.has_ctime ? "the file was written" : "now", false);
}

void
info_print_total(const struct info *f)
{
    printf("All %u files\n", f->files);
    print_sample(f, &f->total);
    print_counts(&f->total, "each file was written", true);
}
