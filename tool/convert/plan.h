/* tool/convert/plan.h - what the command line wants of a conversion.
 * Threads: one. */
#ifndef TOOL_CONVERT_PLAN_H
#define TOOL_CONVERT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "tool/base/options.h"

enum split { SPLIT_NOT, SPLIT_SLOT, SPLIT_DB, SPLIT_SIZE };
enum merge_rule { MERGE_REFUSE, MERGE_FIRST, MERGE_LAST };
/* COMPRESS_KEEP: strings as they stand, and as a whole if the first file is
 * and the server of --for reads that. */
enum compress { COMPRESS_KEEP, COMPRESS_NONE, COMPRESS_LZF, COMPRESS_LZ4 };
enum { DB_MAPS_MOST = 256, SLOTS = 16384 };

struct db_map {
    uint64_t from, to;
};

struct plan {
    int version; /* 0: that of the file, the highest of several */
    enum compress compress;
    int level;
    bool no_envelope; /* it is for a server that reads none */
    enum split split;
    uint64_t split_by; /* how many files, or bytes of each */
    enum merge_rule rule;
    struct db_map map[DB_MAPS_MOST];
    unsigned maps;
    bool lossy;
};

/* plan_make: TOOL_OK, or TOOL_USAGE, reported. */
int plan_make(struct plan *p, const struct tool_options *o);
/* plan_db: where keys of that database go. */
uint64_t plan_db(const struct plan *p, uint64_t db);
/* plan_slot: the hash slot of a key, as a cluster has it.
 * With SPLIT_SLOT: plan_slot_first: the first slot of a part, as `redis-cli --cluster create` cuts
 * them; plan_slot_part: a slot's part. */
unsigned plan_slot(struct slice key);
unsigned plan_slot_first(const struct plan *p, unsigned part);
unsigned plan_slot_part(const struct plan *p, unsigned slot);

#endif
