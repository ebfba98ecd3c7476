/* tool/look/info.c - stillframe-rdb info: count what is in a file, in memory that does not grow
 * with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/os.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "tool/input/run.h"
#include "tool/look/info.h"
#include "tool/look/look.h"

static int
on_start(void *ctx, int version)
{
    struct info *f = ctx;

    f->version = version;
    return 0;
}

static int
on_aux(void *ctx, struct slice key, struct slice value)
{
    struct info *f = ctx;
    int64_t ctime;

    if (slice_is(key, "ctime") && num_parse(value.ptr, value.len, &ctime) && ctime >= 0 &&
        ctime < INT64_MAX / 1000) {
        f->has_ctime = true;
        f->counted_from_ms = ctime * 1000;
    }
    if (f->aux_count == INFO_AUX) {
        f->aux_left_out++;
        return 0;
    }
    printable(f->aux[f->aux_count][0], sizeof f->aux[0][0], key.ptr, key.len);
    printable(f->aux[f->aux_count][1], sizeof f->aux[0][1], value.ptr, value.len);
    f->aux_count++;
    return 0;
}

static int
on_function(void *ctx, struct slice code)
{
    struct info *f = ctx;

    struct slice name = rdb_library_name(code);

    if (f->functions < INFO_LIBRARIES)
        printable(f->library[f->functions], sizeof f->library[0], name.ptr, name.len);
    f->functions++;
    return 0;
}

static struct info_database *
find_database(struct info *f, uint64_t db)
{
    for (unsigned i = 0; i < f->database_count; i++)
        if (f->database[i].db == db)
            return &f->database[i];
    if (f->database_count == INFO_DATABASES)
        return &f->others;
    f->database[f->database_count].db = db;
    return &f->database[f->database_count++];
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct info *f = ctx;

    if (f->at == NULL || f->at == &f->others || f->at->db != k->db)
        f->at = find_database(f, k->db);
    f->type = k->type;
    f->form = INFO_FORM_MANY;
    f->now = (struct info_big){.db = k->db, .kind = k->kind};
    printable(f->now.name, sizeof f->now.name, k->name.ptr, k->name.len);
    f->at->sums.key_bytes += k->name.len;
    f->at->sums.expires += k->expire_at_ms != -1;
    f->by_expiry[info_expiry_bucket(k->expire_at_ms, f->counted_from_ms)]++;
    must(k->type < INFO_TYPES); /* the decoder reads no other */
    return 0;
}

static int
on_form(void *ctx, enum rdb_form form)
{
    struct info *f = ctx;

    f->form = form;
    return 0;
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct info *f = ctx;

    f->now.value_bytes = len;
    return 0;
}

static int
on_list_element(void *ctx, struct slice element)
{
    struct info *f = ctx;

    f->now.fields++;
    f->now.value_bytes += element.len;
    return 0;
}

static int
on_hash_field(void *ctx, struct slice field, struct slice value)
{
    struct info *f = ctx;

    f->now.fields++;
    f->now.value_bytes += field.len + value.len;
    return 0;
}

static int
on_hash_listpack(void *ctx, struct slice lp, uint32_t fields)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct info *f = ctx;

    f->now.fields += fields;
    for (uint32_t at = lp_first(slice_bytes(lp)); at != 0; at = lp_next(slice_bytes(lp), at))
        f->now.value_bytes += lp_slice(slice_bytes(lp), at, scratch).len;
    return 0;
}

static int
on_set_member(void *ctx, struct slice member)
{
    struct info *f = ctx;

    f->now.fields++;
    f->now.value_bytes += member.len;
    return 0;
}

/* on_set_intset: counted as the text that the integers stand for. */
static int
on_set_intset(void *ctx, struct slice intset, uint32_t members)
{
    char text[NUM_MAX_BYTES];
    struct info *f = ctx;

    f->now.fields = members;
    for (uint32_t i = 0; i < members; i++)
        f->now.value_bytes += num_print(text, intset_get(slice_bytes(intset), i));
    return 0;
}

static int
on_zset_member(void *ctx, struct slice member, double score)
{
    struct info *f = ctx;

    f->now.fields++;
    f->now.value_bytes += member.len + sizeof score;
    return 0;
}

static int
on_stream_node(void *ctx, struct stream_id id, struct slice lp, const struct stream_node_sum *sum)
{
    struct info *f = ctx;

    (void)id;
    f->now.fields += sum->live;
    f->now.value_bytes += lp.len;
    return 0;
}

/* keep_if_big: into the list of the biggest, if it is one of them. */
static void
keep_if_big(struct info *f)
{
    unsigned most = f->options->biggest, i;

    if (most == 0 ||
        (f->biggest_count == most && f->now.value_bytes <= f->biggest[most - 1].value_bytes))
        return;
    if (f->biggest_count < most)
        f->biggest_count++;
    for (i = f->biggest_count - 1; i > 0 && f->biggest[i - 1].value_bytes < f->now.value_bytes; i--)
        f->biggest[i] = f->biggest[i - 1];
    f->biggest[i] = f->now;
}

static int
on_value_end(void *ctx)
{
    struct info *f = ctx;
    struct info_sums *form = &f->by_form[f->type][f->form];

    form->keys++;
    form->value_bytes += f->now.value_bytes;
    f->at->sums.keys++;
    f->at->sums.value_bytes += f->now.value_bytes;
    f->by_size[info_size_bucket(f->now.value_bytes)]++;
    keep_if_big(f);
    return 0;
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    struct info *f = ctx;

    f->crc = crc;
    return 0;
}

static const struct rdb_events events = {.no_values = true,
                                         .start = on_start,
                                         .aux = on_aux,
                                         .function = on_function,
                                         .key = on_key,
                                         .form = on_form,
                                         .string_begin = on_string_begin,
                                         .list_element = on_list_element,
                                         .list_listpack = on_hash_listpack,
                                         .hash_field = on_hash_field,
                                         .hash_listpack = on_hash_listpack,
                                         .set_member = on_set_member,
                                         .set_intset = on_set_intset,
                                         .set_listpack = on_hash_listpack,
                                         .zset_member = on_zset_member,
                                         .zset_listpack = on_hash_listpack,
                                         .stream_node = on_stream_node,
                                         .value_end = on_value_end,
                                         .end = on_end};

static int
by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct info_database *)a)->db, y = ((const struct info_database *)b)->db;

    return x < y ? -1 : x > y;
}

static void
add_up(struct info *f)
{
    qsort(f->database, f->database_count, sizeof *f->database, by_number);
    f->total = f->others.sums;
    for (unsigned i = 0; i < f->database_count; i++) {
        f->total.keys += f->database[i].sums.keys;
        f->total.expires += f->database[i].sums.expires;
        f->total.key_bytes += f->database[i].sums.key_bytes;
        f->total.value_bytes += f->database[i].sums.value_bytes;
    }
}

static int
info_file(const char *path, const struct tool_options *o)
{
    struct info *f = calloc(1, sizeof *f);
    int status = TOOL_INVALID;

    if (f == NULL || (f->biggest = calloc(o->biggest + 1, sizeof *f->biggest)) == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        goto free_all;
    }
    f->options = o;
    f->run.relaxed = o->relaxed;
    f->run.quiet = o->quiet;
    f->counted_from_ms = (int64_t)time(NULL) * 1000;
    status = tool_decode(path, events, &f->run);
    if (status == TOOL_OK) {
        add_up(f);
        info_print(f, (double)(os_monotonic_us() - f->run.start_us) / 1e6);
    }
free_all:
    if (f != NULL)
        free(f->biggest);
    free(f);
    return status;
}

int
tool_info(int count, char **files, const struct tool_options *o)
{
    enum { BIGGEST_MOST = 1000 };
    int status = TOOL_OK;

    if (o->biggest > BIGGEST_MOST) {
        fprintf(
            stderr,
            "stillframe-rdb: --biggest: not a number from 0 to %d\nTry: stillframe-rdb info --help\n",
            BIGGEST_MOST);
        return TOOL_USAGE;
    }
    for (int i = 0; i < count; i++)
        if (info_file(files[i], o) != TOOL_OK)
            status = TOOL_INVALID;
    return status;
}
