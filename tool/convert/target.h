/* tool/convert/target.h - what is written: its version, what that has a place for, and what was
 * lost because it has none.
 * Threads: [any]. */
#ifndef TOOL_CONVERT_TARGET_H
#define TOOL_CONVERT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot/rdb/rdb.h"

enum {
    TARGET_LEAST = 6,             /* Redis 2.6 */
    TARGET_AUX_FROM = 7,          /* Redis 3.2: AUX, RESIZEDB, quicklists */
    TARGET_SCORES_FROM = 8,       /* Redis 4.0: scores as doubles */
    TARGET_STREAMS_FROM = 9,      /* Redis 5.0: streams, IDLE, FREQ */
    TARGET_FIELD_EXPIRY_FROM = 12 /* Redis 7.4 */
};

/* What a version may have no place for (loss.def). */
enum loss {
#define LOSS(name, is_data, what) LOSS_##name,
#include "tool/convert/loss.def"
#undef LOSS
    LOSSES
};
struct loss_kind {
    bool is_data;
    const char *what;
};
extern const struct loss_kind loss_kinds[LOSSES];

/* target_is_version: can it be written? */
bool target_is_version(uint64_t version);
/* target_nearest: the one that is nearest to a file's. */
int target_nearest(int version);
/* target_knows: does a reader of that version know the type of a file of version `from`, with the
 * same meaning? */
bool target_knows(int version, int from, uint8_t type);
/* target_holds_all: whatever a file of version `from` has can be copied as it is. */
bool target_holds_all(int version, int from);
/* target_expiry_type: of a hash whose fields expire; -1: there is none. */
int target_expiry_type(int version);

#endif
