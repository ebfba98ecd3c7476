/* tool/salvage/scan.h - all of a damaged RDB: what in it is whole, and what is lost.
 *
 * The decoder reads, from the front, to the first thing that it cannot read; then it goes on at the
 * next boundary that is certain (search.h).  Between two such breaks is a section.  What was read
 * is gathered in runs: bytes that can be copied as they are.
 *
 *     section 0                      section 1              section 2
 *     |---run---|--run--|..???..XXXX|---run---|..???..XXXX  |---run---------| end mark
 *
 * An error shows later than the damage: a wrong length ends a key at a wrong place, where
 * something else may be read well before something fails.  So nothing is believed of its
 * readability alone:
 *
 * SV1  The last DOUBTED items before a break are doubtful, unless the break is known to be in step:
 *      its key says its length twice (step_is_told_twice) and is followed by a path that lives; or
 *      the file has no end mark where it should be, and the break is where it ends.
 * SV2  What reads well, but for something that the data contradicts (struct rdb_finding), is
 *      damaged: only a checksum could say that it was written so.
 * SV3  A section that does not come to the end mark may stand inside of a value whose head was
 *      destroyed.  It is believed if it has SECTION_KEYS keys, and no database then has more keys
 *      than its RESIZEDB said.  One that ends in an end mark of its own is a file in a value.
 * SV4  A section that comes to the end mark may begin inside of such a value, and the one before it
 *      may end inside of one.  If its database then has more keys than it had, so many and DOUBTED
 *      more are doubtful on both sides of the break.
 * SV5  The first DOUBTED items behind a break are doubtful, too: bytes of the damaged key may look
 *      like them (SE3).  Only the first one, into which the damage may go on, if the damaged key
 *      says by its lengths that it ends there, where a path lives.  A SELECTDB with a RESIZEDB
 *      behind it ends the doubt.  And of the first key that is believed an expiry may be lost,
 *      unless it has one, or all that its database had were found.
 * SV6  A break may have swallowed a SELECTDB.  A section that begins with a RESIZEDB lost one;
 *      elsewhere the keys stay in the last database, and the list says so where it is not sure.
 *
 * SV7  Everything may read well, and without a checksum that is no proof: a damaged length may have
 *      made one key's name of many keys.  Then a database has fewer keys than its RESIZEDB said.
 *
 * SV3, SV4, SV6, SV7 and the second half of SV5 need the sums of all: they are judge.c's.
 * Threads: one. */
#ifndef TOOL_SALVAGE_SCAN_H
#define TOOL_SALVAGE_SCAN_H

#include "snapshot/rdb/field_set.h"
#include "tool/base/tool.h"
#include "tool/salvage/records.h"
#include "tool/salvage/search.h"

enum {
    DOUBTED = CHAIN_LIVES - 2, /* less than what lives, or the path into a break would (SE4) */
    SECTION_KEYS = 16,
    SECTIONS_MOST = 10000,
    DATABASES_MOST = 1024, /* of which sums are kept */
    LOST_KEY_BYTES = 256
};

/* A database whose number was lost: this and its section's number. */
#define DB_UNKNOWN ((uint64_t)1 << 63)

/* Bytes of the file that are good, of one section and one database, and not across a RESIZEDB. */
struct run {
    uint64_t from, until;
    uint64_t db, keys, expires;
    uint32_t section;
    bool is_head;      /* the first key of a section, whose expiry may be lost: SV5 */
    bool is_inherited; /* no SELECTDB stands between the section's beginning and it */
};

enum section_end { SECTION_BROKEN, SECTION_CUT, SECTION_ENDED_EARLY, SECTION_END };
struct section {
    uint64_t from, until;
    unsigned head;    /* SV5: so many items are still doubtful */
    uint64_t gap;     /* bytes between it and what was read well before */
    uint64_t db;      /* that it begins in: the one before it, or DB_UNKNOWN */
    uint64_t last_db; /* selected before it; UINT64_MAX: none */
    uint64_t next_db; /* of its first SELECTDB; UINT64_MAX: it has none */
    uint64_t keys, inherited;
    uint64_t due; /* keys of its first database that were not yet seen; UINT64_MAX: not known */
    enum section_end end;
    /* judge.c */
    bool is_believed;
    /* SV4: what is believed of it; clipped: of the run that this is in the middle of, keys before
     * believed_from, and before believed_until */
    uint64_t believed_from, believed_until;
    uint64_t clipped_keys, clipped_expires, clipped_until_keys, clipped_until_expires;
    uint64_t real_db; /* SV6: that DB_UNKNOWN is taken for */
};

struct db_sum {
    uint64_t db;
    uint64_t keys, expires; /* that were read */
    uint64_t doubtful, doubtful_expires;
    uint64_t said_keys, said_expires; /* by RESIZEDB */
    unsigned said;                    /* how often: only 1 says something */
    uint64_t kept_keys, kept_expires; /* judge.c */
};

enum loss_kind {
    LOSS_DAMAGED,  /* a key that is not sound */
    LOSS_DOUBTFUL, /* keys that read well, and may be wrong all the same */
    LOSS_BYTES,    /* bytes of which nothing could be made */
    LOSS_CUT,      /* the file ends */
    LOSS_DATABASE, /* keys are kept, but may be of another database */
    LOSS_CHECKSUM, /* everything reads well, and something is wrong */
    LOSS_COUNT,    /* ... and a database does not have as many keys as it had: SV7 */
    LOSS_REPAIRED, /* nothing is lost */
    LOSS_KINDS
};
struct loss {
    uint64_t from, until, db;
    uint64_t keys; /* how many are known to be in it */
    enum loss_kind kind;
    bool is_kept; /* it is in the output all the same */
    bool has_key; /* key_len bytes of its name, or, is_key_cut, so many of a longer one */
    bool is_key_cut;
    uint16_t key_len;
    char key[LOST_KEY_BYTES];
    char reason[256];
};

/* What is read one after the other, while it is not yet believed. */
struct item {
    uint64_t from, until;
    enum { ITEM_OTHER, ITEM_KEY, ITEM_SELECTDB, ITEM_RESIZEDB } kind;
    uint64_t a, b;  /* SELECTDB: the database; RESIZEDB: keys and expiry times */
    bool is_paired; /* RESIZEDB: it stands behind a SELECTDB, as in what servers write */
    bool has_expiry, has_finding, has_name, is_name_cut;
    uint64_t library; /* of a function library: a hash of its name; else 0 */
    uint16_t name_len;
    char name[LOST_KEY_BYTES];
    char finding[256];
};

struct scan {
    /* the caller's, before scan_run() */
    struct tool_run *run; /* for its progress */
    struct flat *flat;
    int version;
    bool is_version_unknown; /* `version` is the highest one; what was needed is noted */
    bool keep_doubtful, no_search;
    bool stop_at_damage; /* the first one ends it: is_damaged, section 0 is not complete */
    /* results */
    struct records runs, losses;
    struct section *sections; /* [owned] */
    unsigned section_count;
    struct db_sum *dbs; /* [owned] DATABASES_MOST */
    unsigned db_count;
    uint64_t keys;        /* read, doubtful ones included */
    uint64_t losses_kept; /* of the losses: how many are in the output */
    bool is_damaged;
    bool has_findings;
    uint64_t damage_at; /* of the first one: where reading failed */
    uint64_t crc;       /* of all that stands before the checksum, if !is_damaged */
    uint8_t highest_type;
    int opcodes_version;  /* if is_version_unknown: the lowest that has all opcodes */
    uint64_t looked_back; /* bytes before breaks that were searched */
    bool is_out_of_work;  /* a search was given up */
    uint64_t kept_keys;   /* judge.c */
    /* its own */
    struct stepper stepper;
    struct search search;
    struct item ring[DOUBTED + 1]; /* [first, first + count), then the one in hand */
    unsigned first, count;
    bool has_item;
    struct run current;
    bool has_run, head_is_due, has_db;
    uint64_t db, nameless_db, last_drawn;
    bool has_nameless;          /* a key without a name was seen, in the database in hand */
    struct field_set libraries; /* that are kept: no server loads one twice */
    struct rdb_error error;
    int failed; /* of a list: -errno */
};

/* scan_init: 0 or -ENOMEM.  scan_run: from where the magic is over, or, from 0, a file without one:
 * 0, or -errno: reading or memory failed. */
int scan_init(struct scan *s);
void scan_fini(struct scan *s);
int scan_run(struct scan *s, uint64_t from);
/* scan_lose: one more of the losses. */
void scan_lose(struct scan *s, const struct loss *l);
/* scan_db: the sums of a database; NULL: too many. */
struct db_sum *scan_db(struct scan *s, uint64_t db);

/* judge.c: judge: SV3 to SV6, after the scan: 0 or -errno.  judge_keeps: does this run go into the
 * output?  It becomes what of it does, in its real database. */
int judge(struct scan *s);
bool judge_keeps(struct scan *s, struct run *r);
/* judge_counts: SV7, of a file that was read to its end: true: a database has another number of
 * keys than its RESIZEDB said.  tell: they are among the losses. */
bool judge_counts(struct scan *s, bool tell);

#endif
