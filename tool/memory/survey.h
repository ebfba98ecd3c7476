/* tool/memory/survey.h - all that is known of the keys of some files when they were read: what
 * `memory` prints, and `report` draws.
 * Threads: one. */
#ifndef TOOL_MEMORY_SURVEY_H
#define TOOL_MEMORY_SURVEY_H

#include "tool/memory/prefixes.h"
#include "tool/memory/top.h"

enum {
    SURVEY_DATABASES = 1024, /* told apart; any more are the last one together */
    SURVEY_ENCODINGS = 8,    /* of a type */
    SURVEY_TTLS = 9,
    SURVEY_AUX = 16
};

struct survey_encoding {
    const char *name; /* NULL: none yet */
    struct memory_sums sums;
};
struct survey_database {
    uint64_t db;
    struct memory_sums sums;
};
/* Of a file. */
struct survey_file {
    const char *path;
    int version;
    uint64_t size_bytes, keys;
    int64_t written_ms;          /* 0: it does not say */
    char aux[SURVEY_AUX][2][64]; /* printable */
    unsigned aux_count;
};

struct memory_survey {
    struct memory_value value; /* first */
    const struct tool_options *options;
    struct selection *selection; /* [owned] */
    struct memory_sums total;
    struct survey_encoding encodings[RDB_VALUE_COUNT][SURVEY_ENCODINGS];
    struct memory_sums sizes[MEMORY_BUCKETS]; /* by a key's memory */
    struct memory_sums ttls[SURVEY_TTLS];
    struct survey_database databases[SURVEY_DATABASES];
    unsigned database_count, database_at;    /* at: of the key before */
    bool is_gathered_at_end;                 /* the last database is several */
    struct memory_top tops[MEMORY_MEASURES]; /* those with room */
    struct memory_prefixes prefixes;         /* if at != NULL */
    struct survey_file *file;                /* being read */
    struct survey_file *files;               /* [owned, file_count] */
    unsigned file_count;
    double share;                                        /* of a sample; 1: all */
    int (*row)(void *ctx, const struct memory_row *row); /* of each key; NULL: not wanted */
};

/* What is wanted beside sums. */
struct survey_wish {
    uint32_t top[MEMORY_MEASURES]; /* so many keys */
    bool prefixes;
    int (*row)(void *ctx, const struct memory_row *row); /* ctx: the survey */
};

/* survey_init: TOOL_OK; or, reported, TOOL_USAGE (an option) or TOOL_INVALID (no memory).
 * survey_read: all files; TOOL_OK or, reported, TOOL_INVALID, or what wish.row returned.  Then all
 * is in order, as said in top.h and prefixes.h, databases by number. */
int survey_init(struct memory_survey *s, const struct tool_options *o,
                const struct survey_wish *wish);
int survey_read(struct memory_survey *s, int count, char **files);
void survey_fini(struct memory_survey *s);

/* survey_ttl_name: of survey->ttls: "no expiry", "over", "1 minute" ... */
const char *survey_ttl_name(unsigned i);
/* survey_tables: what the tables of keys need beside the keys. */
uint64_t survey_tables(const struct memory_survey *s);
/* survey_sizes: [from, until) of survey->sizes: from the smallest key to the largest. */
void survey_sizes(const struct memory_survey *s, unsigned *ret_from, unsigned *ret_until);

#endif
