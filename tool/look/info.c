/* tool/look/info.c - stillframe-rdb info: count what is in files, in memory that does not grow with
 * them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/rdb.h"
#include "tool/look/info.h"
#include "tool/look/look.h"

static int
on_aux(void *ctx, struct slice key, struct slice value)
{
    struct info *f = ctx;

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
    struct slice name = rdb_library_name(code);
    struct info *f = ctx;

    if (f->counts.functions < INFO_LIBRARIES)
        printable(f->library[f->counts.functions], sizeof f->library[0], name.ptr, name.len);
    f->counts.functions++;
    return 0;
}

/* is_many: does a value of that type stand in the file as many strings, each in a form of its
 * own? */
static bool
is_many(uint8_t type)
{
    static const uint32_t whole =
        1U << RDB_TYPE_STRING | 1U << RDB_TYPE_HASH_ZIPMAP | 1U << RDB_TYPE_LIST_ZIPLIST |
        1U << RDB_TYPE_SET_INTSET | 1U << RDB_TYPE_ZSET_ZIPLIST | 1U << RDB_TYPE_HASH_ZIPLIST |
        1U << RDB_TYPE_HASH_LISTPACK | 1U << RDB_TYPE_ZSET_LISTPACK | 1U << RDB_TYPE_SET_LISTPACK |
        1U << RDB_TYPE_HASH_EXPIRES_LISTPACK_RC | 1U << RDB_TYPE_HASH_EXPIRES_LISTPACK;

    return (whole & 1U << type) == 0;
}

static struct info_sums *
sums_of_type(struct info *f, const struct key_facts *facts)
{
    unsigned type = facts->key->type,
             form = is_many(facts->key->type) ? INFO_FORM_MANY : facts->form;

    must(type < INFO_TYPES_VALKEY); /* the decoder reads no other */
    if (type >= RDB_TYPE_HASH_EXPIRES_RC && f->walk.version >= RDB_VERSION_VALKEY)
        type += INFO_TYPES_VALKEY;
    return &f->counts.by_form[type][form];
}

static int
on_facts(void *ctx, const struct key_facts *facts)
{
    const struct rdb_key *k = facts->key;
    struct info *f = ctx;
    struct info_counts *c = &f->counts;
    struct info_sums *form = sums_of_type(f, facts);

    if (f->at == NULL || f->at == &c->others || f->at->db != k->db)
        f->at = info_find_database(c, k->db);
    f->at->sums.keys++;
    f->at->sums.expires += k->expire_at_ms != -1;
    f->at->sums.key_bytes += k->name.len;
    f->at->sums.value_bytes += facts->value_bytes;
    form->keys++;
    form->value_bytes += facts->value_bytes;
    c->by_expiry[info_expiry_bucket(k->expire_at_ms, f->walk.counted_from_ms)]++;
    c->by_size[info_size_bucket(facts->value_bytes)]++;
    c->squares += (double)facts->value_bytes * (double)facts->value_bytes;
    info_keep_big(c, facts, f->walk.run.path);
    return 0;
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    struct info *f = ctx;

    f->crc = crc;
    return 0;
}

static const struct walk_events events = {
    .rdb = {.aux = on_aux, .function = on_function, .end = on_end}, .facts = on_facts};

static int
info_file(struct info *f, const char *path)
{
    info_counts_clear(&f->counts);
    f->at = NULL;
    f->crc = RDB_CRC_UNCHECKED;
    f->aux_count = f->aux_left_out = 0;
    if (walk_file(&f->walk, path, &events, f->selection, f->options) != TOOL_OK)
        return TOOL_INVALID;
    f->counts.unknown = f->walk.unknown - f->total.unknown;
    f->elapsed_s = (double)(os_monotonic_us() - f->walk.run.start_us) / 1e6;
    info_finish(&f->counts);
    info_add(&f->total, &f->counts);
    info_scale(&f->counts, f->selection);
    f->files++;
    if (f->out != NULL)
        info_json_file(f->out, f);
    else
        info_print(f);
    return TOOL_OK;
}

static void
tell_total(struct info *f)
{
    info_finish(&f->total);
    info_scale(&f->total, f->selection);
    if (f->out != NULL)
        info_json_end(f->out, f);
    else if (f->files > 1)
        info_print_total(f);
}

/* info_files: all of them; as many as --limit allows. */
static int
info_files(struct info *f, int count, char **files)
{
    int status = TOOL_OK;

    if (f->out != NULL)
        info_json_begin(f->out);
    for (int i = 0; i < count && !walk_is_over(&f->walk); i++)
        if (info_file(f, files[i]) != TOOL_OK)
            status = TOOL_INVALID;
    tell_total(f);
    walk_fini(&f->walk);
    return status;
}

static int
run(struct selection *selection, int count, char **files, const struct tool_options *o,
    struct tool_out *out)
{
    struct info *f = calloc(1, sizeof *f);
    int status = TOOL_INVALID;

    if (f != NULL && info_counts_init(&f->counts, (unsigned)o->top) &&
        info_counts_init(&f->total, (unsigned)o->top)) {
        f->options = o;
        f->selection = selection;
        f->out = out;
        status = info_files(f, count, files);
    } else {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
    }
    if (f != NULL) {
        info_counts_fini(&f->counts);
        info_counts_fini(&f->total);
    }
    free(f);
    return status;
}

static int
run_json(struct selection *selection, int count, char **files, const struct tool_options *o)
{
    struct tool_out out;
    int status;

    if (tool_out_open(&out, NULL, false) != TOOL_OK)
        return TOOL_INVALID;
    status = run(selection, count, files, o, &out);
    return tool_out_close(&out, true) == TOOL_OK ? status : TOOL_INVALID;
}

int
tool_info(int count, char **files, const struct tool_options *o)
{
    enum { BIGGEST_MOST = 1000 };
    struct selection *selection;
    int status;

    if (o->top > BIGGEST_MOST) {
        fprintf(
            stderr,
            "stillframe-rdb: --top: not a number from 0 to %d\nTry: stillframe-rdb info --help\n",
            BIGGEST_MOST);
        return TOOL_USAGE;
    }
    if (look_refuses_csv(o, "info") || (selection = selection_new(o)) == NULL)
        return TOOL_USAGE;
    status = strcmp(o->format, "json") == 0 ? run_json(selection, count, files, o)
                                            : run(selection, count, files, o, NULL);
    selection_free(selection);
    return status;
}
