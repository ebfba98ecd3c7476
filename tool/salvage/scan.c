/* tool/salvage/scan.c - reading a damaged RDB: the decoder's events, from one break to the next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb.h"
#include "tool/salvage/scan_impl.h"

enum {
    SCAN_STOP = 1 << 22, /* an event's: what was read cannot be */
    WORK_BYTES = 2,      /* the stepper's work: so much a byte of the file */
};
static const uint64_t work_least = 100000000; /* ... and this: about 2 s */

int
scan_init(struct scan *s)
{
    records_init(&s->runs, sizeof(struct run));
    records_init(&s->losses, sizeof(struct loss));
    field_set_init(&s->libraries);
    step_init(&s->stepper, s->flat, s->version, work_least + WORK_BYTES * s->flat->size);
    s->dbs = calloc(DATABASES_MOST, sizeof *s->dbs);
    if (s->dbs != NULL && search_init(&s->search, &s->stepper) == 0)
        return 0;
    scan_fini(s);
    return -ENOMEM;
}

void
scan_fini(struct scan *s)
{
    records_fini(&s->runs);
    records_fini(&s->losses);
    field_set_fini(&s->libraries);
    search_fini(&s->search);
    free(s->sections);
    free(s->dbs);
    s->sections = NULL;
    s->dbs = NULL;
}

/* note_opcode: what begins there, in a file whose version is not known. */
static void
note_opcode(struct scan *s, uint64_t at)
{
    const uint8_t *first = flat_at(s->flat, at, 1);
    int version = first == NULL                ? 0
                  : *first == RDB_OP_SLOT_INFO ? RDB_SLOT_INFO_FROM_VERSION
                  : *first == RDB_OP_FUNCTION2 ? RDB_FUNCTIONS_FROM_VERSION
                                               : 0;

    if (version > s->opcodes_version)
        s->opcodes_version = version;
}

static int
on_item(void *ctx, uint64_t offset)
{
    struct scan *s = ctx;
    struct item *it;

    if (s->is_version_unknown)
        note_opcode(s, offset);

    if (s->has_item) {
        in_hand(s)->until = offset;
        if (++s->count > DOUBTED)
            settle_first(s);
    }
    it = in_hand(s);
    it->from = it->until = offset;
    it->kind = ITEM_OTHER;
    it->has_name = it->has_finding = it->is_name_cut = false;
    it->library = 0;
    s->has_item = true;
    return s->failed;
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct scan *s = ctx;
    struct item *it = in_hand(s);
    size_t len = k->name.len < sizeof it->name ? k->name.len : sizeof it->name;

    it->kind = ITEM_KEY;
    it->has_expiry = k->expire_at_ms != -1;
    it->has_name = true;
    it->is_name_cut = len < k->name.len;
    it->name_len = (uint16_t)len;
    memcpy(it->name, k->name.ptr, len);
    if (k->type > s->highest_type)
        s->highest_type = k->type;
    if (len > 0)
        return 0;
    if (!s->has_nameless) {
        s->has_nameless = true;
        return 0;
    }
    snprintf(s->error.text, sizeof s->error.text, "a second key without a name in one database");
    return SCAN_STOP;
}

static int
on_plain_string(void *ctx, const struct rdb_key *k, struct slice value)
{
    (void)value;
    return on_key(ctx, k);
}

static int
on_unknown(void *ctx, const struct rdb_key *k, const char *what)
{
    struct scan *s = ctx;

    (void)what;
    return k == NULL || in_hand(s)->kind == ITEM_KEY ? 0 : on_key(ctx, k);
}

static int
on_function(void *ctx, struct slice code)
{
    struct slice name = rdb_library_name(code);
    struct scan *s = ctx;

    if (name.len > 0)
        in_hand(s)->library = field_mark_of(&s->libraries, 0, name.ptr, name.len).low | 1;
    return 0;
}

static int
on_selectdb(void *ctx, uint64_t db)
{
    struct scan *s = ctx;
    struct item *it = in_hand(s);

    it->kind = ITEM_SELECTDB;
    it->a = db;
    s->has_nameless = false;
    if (db < DB_UNKNOWN)
        return 0;
    snprintf(s->error.text, sizeof s->error.text, "a database of number %llu",
             (unsigned long long)db);
    return SCAN_STOP;
}

static int
on_resizedb(void *ctx, uint64_t keys, uint64_t expires)
{
    struct scan *s = ctx;
    struct item *it = in_hand(s);

    it->kind = ITEM_RESIZEDB;
    it->is_paired = s->count > 0 && ring_at(s, s->count - 1)->kind == ITEM_SELECTDB;
    it->a = keys;
    it->b = expires;
    return 0;
}

/* says_damage: at first a finding is only counted: a right checksum may show that it was written
 * so. */
static bool
says_damage(struct scan *s, const struct rdb_finding *f)
{
    if (f->kind == RDB_FINDING_IDLE || f->kind == RDB_FINDING_VERSION)
        return false;
    /* a SELECTDB that has become an AUX field: one of the server's has a name that can be read */
    return f->kind != RDB_FINDING_LATE_AUX ||
           (s->keys + s->count > 0 && strstr(f->text, "\\x") != NULL);
}

static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct scan *s = ctx;
    struct item *it = in_hand(s);

    if (!says_damage(s, f))
        return 0;
    s->has_findings = true;
    if (s->stop_at_damage)
        return 0;
    if (step_is_told_twice(&s->stepper, it->from) == STEP_TOLD_SOUND_END) {
        it->has_finding = true;
        snprintf(it->finding, sizeof it->finding, "%s", f->text);
        return 0;
    }
    snprintf(s->error.text, sizeof s->error.text, "%s", f->text);
    s->error.offset = f->offset;
    return SCAN_STOP;
}

/* on_field: without it such hashes would be refused. */
static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)ctx;
    (void)field;
    (void)value;
    (void)expire_at_ms;
    return 0;
}

static int
on_progress(void *ctx, uint64_t consumed)
{
    struct scan *s = ctx;

    if (s->run != NULL)
        tool_progress_draw(s->run, consumed);
    return 0;
}

static void
on_searched(void *ctx, uint64_t at)
{
    (void)on_progress(ctx, at);
}

static const struct rdb_events events = {.no_values = true,
                                         .any_version = true,
                                         .skip_unknown = true,
                                         .item = on_item,
                                         .key = on_key,
                                         .plain_string = on_plain_string,
                                         .unknown = on_unknown,
                                         .selectdb = on_selectdb,
                                         .function = on_function,
                                         .resizedb = on_resizedb,
                                         .finding = on_finding,
                                         .hash_field_expiring = on_field,
                                         .progress = on_progress};

/* read_on: from there to where it fails.  0: the end; 1: damaged, s->error says how; or -errno. */
static int
read_on(struct scan *s, uint64_t at)
{
    struct rdb_place place = {
        .version = s->version, .db = s->db < DB_UNKNOWN ? s->db : 0, .offset = at};
    struct rdb_source *src;
    int r;

    s->has_item = false;
    s->error = (struct rdb_error){.within = ""};
    in_hand(s)->from = at;
    if ((r = flat_source(s->flat, at, s->is_damaged ? NULL : &s->crc, &src)) < 0)
        return r;
    r = rdb_decode_items(src, &place, &events, s, &s->error);
    rdb_source_close(src);
    if (s->failed < 0 || s->flat->error < 0)
        return s->failed < 0 ? s->failed : s->flat->error;
    if (r == 0) {
        s->has_item = false; /* the end mark */
        return 0;
    }
    return r == SCAN_STOP || r == -EINVAL || r == -ENOTSUP ? 1 : r > 0 ? -EIO : r;
}
/* find_first: a file without a magic: 1: *at; 0: nothing in it is certain; or -errno. */
static int
find_first(struct scan *s, uint64_t *at)
{
    struct item *it = in_hand(s);

    s->is_damaged = true;
    *it = (struct item){.from = 0};
    snprintf(s->error.text, sizeof s->error.text, "no RDB begins here");
    return search_on(s, at);
}

int
scan_run(struct scan *s, uint64_t from)
{
    uint64_t at = from;
    int r = begin_section(s, from, 0, 0);

    s->search.progress = on_searched;
    s->search.ctx = s;
    if (r == 0 && from == 0 && (r = find_first(s, &at)) == 0)
        return s->failed;
    while (r >= 0) {
        if ((r = read_on(s, at)) < 0)
            break;
        if (r == 0) {
            settle_all(s);
            section_in_hand(s)->until = step_end_at(&s->stepper);
            section_in_hand(s)->end = SECTION_END;
            break;
        }
        if (!s->is_damaged)
            s->damage_at = s->error.offset;
        s->is_damaged = true;
        if (s->stop_at_damage || (r = go_past(s, &at)) == 0)
            break;
    }
    return r < 0 ? r : s->failed;
}
