/* tool/salvage/rescue.c - what is done with a damaged RDB. */
#include "tool/salvage/rescue.h"

#include <errno.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "snapshot/rdb/rdb.h"
#include "tool/salvage/repair.h"

static void
progress_begin(struct rescue *s)
{
    if (s->run != NULL)
        tool_progress_begin(s->run, s->flat.size);
}

static void
progress_erase(struct rescue *s)
{
    if (s->run != NULL)
        tool_progress_erase(s->run);
}

int
rescue_init(struct rescue *s, int fd, uint64_t size)
{
    records_init(&s->scan.runs, sizeof(struct run));
    records_init(&s->scan.losses, sizeof(struct loss));
    return flat_init(&s->flat, fd, size);
}

void
rescue_fini(struct rescue *s)
{
    scan_fini(&s->scan);
    flat_fini(&s->flat);
}

uint64_t
rescue_keys(const struct rescue *s)
{
    return s->is_whole ? s->scan.keys : s->scan.kept_keys;
}

/* read_version: of the magic; 0: it is damaged. */
static int
read_version(struct flat *f)
{
    const uint8_t *p = flat_at(f, 0, RDB_MAGIC_BYTES);
    bool is_valkey;
    int version = 0;

    if (p == NULL)
        return 0;
    is_valkey = memcmp(p, "VALKEY", 6) == 0;
    if (!is_valkey && memcmp(p, "REDIS", 5) != 0)
        return 0;
    for (const uint8_t *d = p + (is_valkey ? 6 : 5); d < p + RDB_MAGIC_BYTES; d++) {
        if (*d < '0' || *d > '9')
            return 0;
        version = version * 10 + *d - '0';
    }
    return is_valkey ? (version == RDB_VERSION_VALKEY ? version : 0)
                     : (version <= RDB_VERSION_MAX ? version : 0);
}

/* is_of_later_version: a magic, and of none that is read. */
static bool
is_of_later_version(struct flat *f)
{
    const uint8_t *p = flat_at(f, 0, RDB_MAGIC_BYTES);
    size_t letters = p != NULL && memcmp(p, "VALKEY", 6) == 0 ? 6 : 5;

    if (p == NULL || (letters == 5 && memcmp(p, "REDIS", 5) != 0))
        return false;
    for (size_t i = letters; i < RDB_MAGIC_BYTES; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return read_version(f) == 0;
}

/* looks_like_magic: enough of it is left to know that it is one: then it is known where the rest
 * begins. */
static bool
looks_like_magic(struct flat *f)
{
    enum { ENOUGH = 6 };
    const uint8_t *p = flat_at(f, 0, RDB_MAGIC_BYTES);
    unsigned redis = 0, valkey = 0;

    for (int i = 0; p != NULL && i < RDB_MAGIC_BYTES; i++) {
        redis += p[i] == (uint8_t) "REDIS0010"[i];
        valkey += p[i] == (uint8_t) "VALKEY080"[i];
    }
    return redis >= ENOUGH || valkey >= ENOUGH;
}

/* start_crc: of the magic, which the scan leaves out. */
static uint64_t
start_crc(struct flat *f)
{
    const uint8_t *p = flat_at(f, 0, RDB_MAGIC_BYTES);

    return p == NULL ? 0 : crc64(0, p, RDB_MAGIC_BYTES);
}

/* scan: from the front, by what the magic says; without one by the highest version, from where
 * something is found. */
static int
scan(struct rescue *s, bool stop_at_damage)
{
    int r;

    scan_fini(&s->scan);
    s->version = read_version(&s->flat);
    s->scan = (struct scan){.run = s->run,
                            .flat = &s->flat,
                            .version = s->version == 0 ? RDB_VERSION_MAX : s->version,
                            .is_version_unknown = s->version == 0,
                            .keep_doubtful = s->keep_doubtful,
                            .no_search = s->no_search,
                            .stop_at_damage = stop_at_damage,
                            .crc = start_crc(&s->flat)};
    if ((r = scan_init(&s->scan)) < 0)
        return r;
    progress_begin(s);
    if (s->version == 0 && stop_at_damage)
        s->scan.is_damaged = true;
    else
        r = scan_run(&s->scan, s->version != 0 || looks_like_magic(&s->flat) ? RDB_MAGIC_BYTES : 0);
    s->scan.is_damaged |= s->version == 0;
    progress_erase(s);
    return r;
}

/* has_right_crc: of a file that was read to its end; *ret_is_proof: by a checksum that is there. */
static bool
has_right_crc(struct rescue *s, bool *ret_is_proof)
{
    const uint8_t *p;
    uint64_t has;

    *ret_is_proof = false;
    if (s->version < RDB_CRC_FROM_VERSION ||
        (p = flat_at(&s->flat, s->flat.size - RDB_CRC_BYTES, RDB_CRC_BYTES)) == NULL)
        return true;
    has = le_load(p, RDB_CRC_BYTES);
    *ret_is_proof = has != 0 && has == s->scan.crc;
    return has == 0 || *ret_is_proof;
}

/* is_sound: nothing is wrong with the file. */
static bool
is_sound(struct rescue *s)
{
    bool is_proof, is_right;

    if (s->scan.is_damaged || s->packing.text[0] != '\0')
        return false;
    is_right = has_right_crc(s, &is_proof);
    return is_right && (is_proof || ((!s->scan.has_findings || s->is_packed) &&
                                     !judge_counts(&s->scan, false)));
}

/* may_be_whole: in length: then its checksum is where it belongs.  Its last bytes look so, or they
 * are where reading failed. */
static bool
may_be_whole(struct rescue *s)
{
    enum { TAIL_BYTES = 1 + RDB_CRC_BYTES, NEAR_BYTES = 16 };
    const uint8_t *p;

    if (s->packing.text[0] != '\0' || s->flat.size < RDB_MAGIC_BYTES + TAIL_BYTES)
        return false;
    p = flat_at(&s->flat, s->flat.size - TAIL_BYTES, 1);
    return p != NULL &&
           (*p == RDB_OP_EOF || s->scan.damage_at + TAIL_BYTES + NEAR_BYTES > s->flat.size);
}

static void
on_repair(void *ctx, uint64_t done)
{
    if (ctx != NULL)
        tool_progress_draw(ctx, done);
}

static void
note_repaired(struct rescue *s)
{
    struct loss l = {.from = s->patch.at,
                     .until = s->patch.at + s->patch.len,
                     .db = DB_UNKNOWN,
                     .kind = LOSS_REPAIRED,
                     .is_kept = true};

    snprintf(l.reason, sizeof l.reason, "%u byte%s put right, by the checksum", s->patch.len,
             s->patch.len == 1 ? "" : "s");
    scan_lose(&s->scan, &l);
}

/* repair: if the checksum says where the damage is.  0: s->is_whole says whether it is mended; or
 * -errno. */
static int
repair(struct rescue *s)
{
    int r;

    progress_begin(s);
    r = repair_find(&s->flat, on_repair, s->run, &s->patch);
    progress_erase(s);
    if (r != REPAIR_FOUND)
        return r < 0 ? r : 0;
    flat_patch(&s->flat, &s->patch);
    if ((r = scan(s, true)) < 0)
        return r;
    s->is_whole = is_sound(s);
    if (s->is_whole) {
        note_repaired(s);
        return 0;
    }
    flat_patch(&s->flat, &(struct flat_patch){.len = 0});
    return scan(s, true);
}

static void
note_checksum(struct rescue *s)
{
    struct loss l = {
        .until = s->flat.size, .db = DB_UNKNOWN, .kind = LOSS_CHECKSUM, .is_kept = true};

    snprintf(l.reason, sizeof l.reason,
             "the checksum is wrong: a value may be, too, and nobody can tell which");
    scan_lose(&s->scan, &l);
}

static void
note_magic(struct rescue *s)
{
    struct loss l = {.until = RDB_MAGIC_BYTES, .db = DB_UNKNOWN, .kind = LOSS_BYTES};

    snprintf(l.reason, sizeof l.reason,
             "the file's first bytes, which say its version, are damaged");
    if (s->version == 0 && looks_like_magic(&s->flat))
        scan_lose(&s->scan, &l);
}

static void
note_packing(struct rescue *s)
{
    struct loss l = {
        .from = s->flat.size, .until = s->flat.size, .db = DB_UNKNOWN, .kind = LOSS_CUT};

    if (s->packing.text[0] == '\0')
        return;
    snprintf(l.reason, sizeof l.reason, "nothing is unpacked from byte %llu of the file on: %.150s",
             (unsigned long long)s->packing.offset, s->packing.text);
    scan_lose(&s->scan, &l);
}

int
rescue_look(struct rescue *s)
{
    bool is_proof;
    int r;

    if ((r = scan(s, true)) < 0)
        return r;
    s->is_whole = is_sound(s);
    if (!s->is_whole && may_be_whole(s) && (r = repair(s)) < 0)
        return r;
    if (s->is_whole)
        return 0;
    if (is_of_later_version(&s->flat))
        return -ENOTSUP;
    if ((s->scan.is_damaged || s->scan.has_findings) && (r = scan(s, false)) < 0)
        return r;
    if (!s->scan.is_damaged) {
        if (!has_right_crc(s, &is_proof))
            note_checksum(s);
        else if (!is_proof)
            (void)judge_counts(&s->scan, true);
    }
    note_magic(s);
    note_packing(s);
    return judge(&s->scan);
}

/* lowest_version: that has all the types and opcodes that were read, where the file's own is not
 * known. */
static int
lowest_version(const struct scan *s)
{
    uint8_t type = s->highest_type;
    int version = type > RDB_TYPE_STREAM_3   ? RDB_VERSION_MAX
                  : type > RDB_TYPE_STREAM_2 ? RDB_SET_LISTPACK_FROM_VERSION
                  : type > RDB_TYPE_STREAM   ? RDB_LISTPACKS_FROM_VERSION
                                             : RDB_VERSION_MIN;

    return version > s->opcodes_version ? version : s->opcodes_version;
}

int
rescue_write(struct rescue *s, const struct write_to *to)
{
    int version = s->version != 0 ? s->version : lowest_version(&s->scan), r;

    progress_begin(s);
    if (s->is_whole || (!s->scan.is_damaged && !s->scan.has_findings))
        r = write_whole(&s->flat, version, s->run, to);
    else
        r = write_kept(&s->scan, version, to);
    progress_erase(s);
    return r;
}
