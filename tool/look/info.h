/* tool/look/info.h - what `stillframe-rdb info` counts.  info.c fills it, info_counts.c adds it up,
 * info_report.c and info_json.c print it.
 * Threads: one. */
#ifndef TOOL_LOOK_INFO_H
#define TOOL_LOOK_INFO_H

#include "tool/base/out.h"
#include "tool/keys/walk.h"

enum {
    INFO_DATABASES = 4096,  /* counted one by one; any more are counted together */
    INFO_AUX = 64,          /* AUX fields kept */
    INFO_LIBRARIES = 32,    /* names of function libraries kept */
    INFO_SIZE_BUCKETS = 65, /* 0, then one for each power of two */
    INFO_EXPIRY_BUCKETS = 9,
    INFO_FORMS = 4, /* of a value in the file: enum rdb_form, and "many strings" */
    INFO_FORM_MANY = 3,
    INFO_TYPES = 64, /* type numbers of Redis; from INFO_TYPES_VALKEY on, of Valkey */
    INFO_TYPES_VALKEY = 32,
    INFO_NAME_BYTES = 1024 /* kept of a name */
};

struct info_sums {
    uint64_t keys, expires, key_bytes, value_bytes;
};

struct info_database {
    uint64_t db;
    struct info_sums sums;
};

struct info_big {
    uint64_t db, value_bytes, elements, record_bytes;
    int64_t expire_at_ms; /* as in struct rdb_key */
    enum rdb_value_kind kind;
    const char *encoding;
    const char *path;
    char *name; /* [owned] its first INFO_NAME_BYTES */
    size_t name_bytes;
};

/* What can be added up over files. */
struct info_counts {
    struct info_database database[INFO_DATABASES]; /* in the order of their first appearance */
    unsigned database_count;
    struct info_database others;
    struct info_sums total;
    struct info_sums by_form[INFO_TYPES][INFO_FORMS];
    uint64_t by_size[INFO_SIZE_BUCKETS];
    uint64_t by_expiry[INFO_EXPIRY_BUCKETS];
    uint64_t functions;
    uint64_t unknown;         /* read over with --skip-unknown */
    struct info_big *biggest; /* [owned, biggest_most] biggest first */
    unsigned biggest_count, biggest_most;
    double squares; /* of the values' bytes: for the error of a sample's sum */
    double keys_error, bytes_error;
};

struct info {
    struct walk walk; /* first */
    const struct tool_options *options;
    struct selection *selection;
    struct info_counts counts, total; /* of a file; of all of them */
    struct info_database *at;         /* of the key before */
    unsigned files;                   /* that were counted */
    /* of the file */
    enum rdb_crc crc;
    char aux[INFO_AUX][2][64]; /* printable */
    unsigned aux_count, aux_left_out;
    char library[INFO_LIBRARIES][64]; /* printable: their names */
    double elapsed_s;
    struct tool_out *out; /* JSON goes there; NULL: tables to standard output */
};

/* info_counts.c. */
bool info_counts_init(struct info_counts *c, unsigned biggest_most); /* false: no memory */
void info_counts_fini(struct info_counts *c);
/* info_counts_clear: as after info_counts_init(). */
void info_counts_clear(struct info_counts *c);
struct info_database *info_find_database(struct info_counts *c, uint64_t db);
/* info_keep_big: into the list of the biggest, if it is one of them. */
void info_keep_big(struct info_counts *c, const struct key_facts *f, const char *path);
/* info_finish: all of a file was counted: databases in order, and their sum. */
void info_finish(struct info_counts *c);
/* info_add: more, which is finished, to sum, which is not. */
void info_add(struct info_counts *sum, const struct info_counts *more);
/* info_scale: from a sample to all. */
void info_scale(struct info_counts *c, const struct selection *s);

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

/* info_type_name: of a row of by_form: "hash listpack".  info_form_names: of its columns. */
const char *info_type_name(unsigned type);
extern const char *const info_form_names[INFO_FORMS];
extern const char *const info_crc_names[];

/* info_report.c: print a file's, which was read; and the sums of several. */
void info_print(const struct info *f);
void info_print_total(const struct info *f);
/* info_json.c: the same for programs: begin, file*, end. */
void info_json_begin(struct tool_out *out);
void info_json_file(struct tool_out *out, const struct info *f);
void info_json_end(struct tool_out *out, const struct info *f);

#endif
