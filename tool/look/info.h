/* tool/look/info.h - what `stillframe-rdb info` counts.  info.c fills it, info_report.c
 * prints it.
 * Threads: one. */
#ifndef TOOL_LOOK_INFO_H
#define TOOL_LOOK_INFO_H

#include "tool/base/tool.h"

enum {
    INFO_DATABASES = 4096,  /* counted one by one; any more are counted together */
    INFO_AUX = 64,          /* AUX fields kept */
    INFO_LIBRARIES = 32,    /* names of function libraries kept */
    INFO_SIZE_BUCKETS = 65, /* 0, then one for each power of two */
    INFO_EXPIRY_BUCKETS = 9,
    INFO_FORMS = 4, /* of a value in the file: enum rdb_form, and "many strings" */
    INFO_TYPES = 32,
    INFO_FORM_MANY = 3
};

struct info_sums {
    uint64_t keys, expires, key_bytes, value_bytes;
};

struct info_database {
    uint64_t db;
    struct info_sums sums;
};

struct info_big {
    uint64_t db, value_bytes, fields;
    enum rdb_value_kind kind;
    char name[64]; /* printable */
};

struct info {
    struct tool_run run; /* first: the decoder's events get it */
    const struct tool_options *options;
    int version;
    enum rdb_crc crc;
    char aux[INFO_AUX][2][64]; /* printable */
    unsigned aux_count, aux_left_out;
    bool has_ctime;
    int64_t counted_from_ms; /* expiry times are: AUX ctime, when the file was written; else now */
    uint64_t functions;
    char library[INFO_LIBRARIES][64];              /* printable: their names */
    struct info_database database[INFO_DATABASES]; /* in the order of their first appearance */
    unsigned database_count;
    struct info_database others;
    struct info_sums total;
    struct info_sums by_form[INFO_TYPES][INFO_FORMS]; /* by type number */
    uint64_t by_size[INFO_SIZE_BUCKETS];
    uint64_t by_expiry[INFO_EXPIRY_BUCKETS];
    struct info_big *biggest; /* [owned, options->biggest] biggest first */
    unsigned biggest_count;
    /* the key in hand */
    struct info_database *at;
    uint8_t type;
    unsigned form;
    struct info_big now;
};

/* info_buckets.c.  Buckets of sizes: 0, then one for each power of two. */
unsigned info_size_bucket(uint64_t bytes);
uint64_t info_size_from(unsigned bucket); /* the smallest size of a bucket */
/* Buckets of expiry times: 0 never (at_ms -1), 1 before from_ms, the others up to so many
 * milliseconds after it. */
struct info_expiry {
    const char *name;
    int64_t within_ms;
};
extern const struct info_expiry info_expiries[INFO_EXPIRY_BUCKETS];
unsigned info_expiry_bucket(int64_t at_ms, int64_t from_ms);

/* info_report.c: print f, which was read in so many seconds. */
void info_print(const struct info *f, double elapsed_s);

#endif
