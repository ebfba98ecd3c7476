/* tool/look/info_report.c - stillframe-rdb info: print what was counted. */
#include <string.h>
#include <time.h>

#include "snapshot/rdb/rdb.h"
#include "tool/look/info.h"

static void
print_libraries(const struct info *f)
{
    printf("  %-12s %s librar%s:", "functions", tool_count(f->functions),
           f->functions == 1 ? "y" : "ies");
    for (unsigned i = 0; i < INFO_LIBRARIES && i < f->functions; i++)
        printf(" %s", f->library[i][0] != '\0' ? f->library[i] : "(without a name)");
    printf("%s\n", f->functions > INFO_LIBRARIES ? " ..." : "");
}

static void
print_head(const struct info *f, double elapsed_s)
{
    static const char *const crc_text[] = {[RDB_CRC_NONE] = "none: the format had none then",
                                           [RDB_CRC_ZERO] = "none: written without",
                                           [RDB_CRC_UNCHECKED] = "not looked at",
                                           [RDB_CRC_GOOD] = "good",
                                           [RDB_CRC_FRAME] = "the packed form's: good"};

    printf("%s\n", f->run.path);
    printf("  %-12s %s%0*d\n", "format", f->version < RDB_VERSION_VALKEY ? "REDIS" : "VALKEY",
           f->version < RDB_VERSION_VALKEY ? 4 : 3, f->version);
    printf("  %-12s %s (%s bytes)\n", "size", tool_size(f->run.size_bytes),
           tool_count(f->run.size_bytes));
    if (f->run.is_packed)
        printf("  %-12s %s: %s of RDB, %.2f times as much\n", "compressed", f->run.form,
               tool_size(f->run.rdb_bytes), (double)f->run.rdb_bytes / (double)f->run.size_bytes);
    printf("  %-12s %s\n", "checksum", crc_text[f->crc]);
    printf(
        "  %-12s %s (%s/s)\n", "read in", tool_seconds(elapsed_s),
        tool_size((uint64_t)((double)f->run.size_bytes / (elapsed_s > 1e-6 ? elapsed_s : 1e-6))));
    if (f->functions > 0)
        print_libraries(f);
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
        if (strcmp(f->aux[i][0], "ctime") == 0 && f->has_ctime)
            print_when(f->counted_from_ms);
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
print_databases(const struct info *f)
{
    char name[24];

    printf("\n  %-14s %14s %14s %12s %12s\n", "Databases", "keys", "with expiry", "key bytes",
           "value bytes");
    for (unsigned i = 0; i < f->database_count; i++) {
        snprintf(name, sizeof name, "%llu", (unsigned long long)f->database[i].db);
        print_sums(name, &f->database[i].sums);
    }
    if (f->others.sums.keys > 0)
        print_sums("others", &f->others.sums);
    if (f->database_count != 1)
        print_sums("all", &f->total);
}

static void
print_types(const struct info *f)
{
    static const char *const forms[INFO_FORMS] = {[RDB_FORM_INT] = "integer",
                                                  [RDB_FORM_PLAIN] = "plain",
                                                  [RDB_FORM_LZF] = "LZF",
                                                  [INFO_FORM_MANY] = "fields"};

    if (f->total.keys == 0)
        return;
    printf("\n  %-29s %14s %12s\n", "Types", "keys", "value bytes");
    for (unsigned type = 0; type < INFO_TYPES; type++)
        for (unsigned form = 0; form < INFO_FORMS; form++) {
            const struct info_sums *s = &f->by_form[type][form];

            if (s->keys > 0)
                printf("    %-16s %-10s %14s %12s\n", rdb_type_name(f->version, type), forms[form],
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
print_chart_of_sizes(const struct info *f)
{
    uint64_t most = most_of(f->by_size, INFO_SIZE_BUCKETS);
    unsigned first = 0, last = INFO_SIZE_BUCKETS - 1;
    char name[64];

    if (most == 0)
        return;
    while (f->by_size[first] == 0)
        first++;
    while (f->by_size[last] == 0)
        last--;
    printf("\n  %-18s %14s\n", "Sizes of values", "keys");
    for (unsigned b = first; b <= last; b++) {
        if (b == 0)
            snprintf(name, sizeof name, "empty");
        else
            snprintf(name, sizeof name, "from %s", tool_size(info_size_from(b)));
        print_bar(name, f->by_size[b], most);
    }
}

static void
print_chart_of_expiry(const struct info *f)
{
    uint64_t most = most_of(f->by_expiry, INFO_EXPIRY_BUCKETS);

    if (f->total.expires == 0)
        return;
    printf("\n  %-18s %14s  after %s\n", "Expiry", "keys",
           f->has_ctime ? "the file was written" : "now");
    for (unsigned b = 0; b < INFO_EXPIRY_BUCKETS; b++)
        print_bar(info_expiries[b].name, f->by_expiry[b], most);
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
        snprintf(ret, room, "%s, %s %s", words[b->kind].type, tool_count(b->fields),
                 b->fields == 1 ? words[b->kind].one : words[b->kind].many);
}

static void
print_biggest(const struct info *f)
{
    char what[48];

    if (f->biggest_count == 0)
        return;
    printf("\n  Biggest values\n");
    for (unsigned i = 0; i < f->biggest_count; i++) {
        const struct info_big *b = &f->biggest[i];

        print_what(what, sizeof what, b);
        printf("    %10s  db %-3llu %-26s \"%s\"\n", tool_size(b->value_bytes),
               (unsigned long long)b->db, what, b->name);
    }
}

void
info_print(const struct info *f, double elapsed_s)
{
    print_head(f, elapsed_s);
    print_aux(f);
    print_databases(f);
    print_types(f);
    print_chart_of_sizes(f);
    print_chart_of_expiry(f);
    print_biggest(f);
    printf("\n");
}
