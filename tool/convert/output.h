/* tool/convert/output.h - the files that a conversion writes: one, or many that are numbered.
 *
 * Each is a whole RDB: magic, the common head (AUX fields, function libraries), its keys, trailer.
 * None has its name before all are complete and on the disk: then each gets it, one after the
 * other.  What a signal ends leaves nothing (temp.h).
 * Threads: one. */
#ifndef TOOL_CONVERT_OUTPUT_H
#define TOOL_CONVERT_OUTPUT_H

#include "tool/base/temp.h"
#include "tool/convert/hold.h"
#include "tool/convert/writer.h"

enum { PARTS_MOST = 1024 };

struct part {
    struct writer writer;
    struct sink *medium; /* [owned] NULL: complete, or not begun */
    char *path;          /* [owned] its name, when all are complete */
    struct tool_temp temp;
    bool is_open, is_complete;
    uint64_t number, keys, rdb_bytes;
    uint64_t db; /* of the keys that follow; DB_NONE: not said yet */
};
#define DB_NONE UINT64_MAX

struct output_options {
    const char *path; /* "-": standard output */
    bool is_many;     /* numbered: %d in the path, or before its suffix */
    bool at_once;     /* many are open at the same time: `expected` of them */
    unsigned expected;
    bool force;
    /* before the first part is begun: */
    bool lz4;
    int level, version;
    char *const *inputs; /* which no output may be */
    int input_count;
};

struct output {
    struct output_options o;
    struct hold head;    /* what stands in each before its keys */
    struct part **parts; /* [owned] PARTS_MOST */
    unsigned count;
    char error[512]; /* what has failed; empty: nothing has */
};

/* output_open: 0 or -ENOMEM.  output_close: what has no name yet leaves no trace. */
int output_open(struct output *out, const struct output_options *o);
void output_close(struct output *out);
/* output_part: the part of that number, begun if there is none; NULL: see `error`. */
struct part *output_part(struct output *out, uint64_t number);
/* output_finish: this one is complete: trailer, fsync.  0 or -1, see `error`. */
int output_finish(struct output *out, struct part *p);
/* output_publish: finish all, then give them their names.  0 or -1, see `error`. */
int output_publish(struct output *out);
/* output_failed: writing has failed: `error` says what. */
bool output_failed(struct output *out, struct part *p);
/* output_bytes: of the RDB put into the part so far. */
static inline uint64_t
output_bytes(const struct part *p)
{
    return p->writer.sink.put_bytes + p->writer.sink.fill;
}
/* output_name: of a part: malloc()ed, or NULL without memory. */
char *output_name(const char *path, bool is_many, uint64_t number);

#endif
