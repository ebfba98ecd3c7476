/* tool/salvage/step.h - from where a key or an opcode may stand to where the next one would, by its
 * lengths alone: what makes a search through damaged bytes cheap.
 *
 * SP1  What the decoder reads without an error, a step gets over, to the same place.
 * SP2  What a step gets over need not be sound: contents are not looked at.
 * Threads: one. */
#ifndef TOOL_SALVAGE_STEP_H
#define TOOL_SALVAGE_STEP_H

#include <stdbool.h>

#include "tool/salvage/flat.h"

enum step_kind {
    STEP_BAD, /* nothing begins here */
    STEP_CUT, /* what begins here is longer than the file */
    STEP_KEY, /* with its attributes, if it begins with them */
    STEP_OPCODE,
    STEP_END /* the end mark, where a file's end mark belongs */
};

struct stepper {
    struct flat *flat;
    int version;
    uint64_t work, work_most; /* strings that were stepped over, for all time; then all is BAD */
    uint64_t refused;         /* nothing begins there: the decoder said so */
    uint64_t claimed;         /* of the last CUT: bytes or elements, where the file ended */
    bool begins[256];         /* can such a byte be the first one? */
};

/* step_init: work_most: as above. */
void step_init(struct stepper *s, struct flat *flat, int version, uint64_t work_most);

/* step_over: *ret_next, but of BAD and CUT. */
enum step_kind step_over(struct stepper *s, uint64_t at, uint64_t *ret_next);
/* step_is_told_twice: a key begins there whose value is one string in a form that says its length
 * itself, and that is the string's, or one with two lengths (LZF) that go together: so the key ends
 * where it says, whatever else is wrong.
 * SOUND_END: and its last byte is the one that ends such a form, so that a damage did not go on
 * behind it. */
enum step_told { STEP_NOT_TOLD, STEP_TOLD, STEP_TOLD_SOUND_END };
enum step_told step_is_told_twice(struct stepper *s, uint64_t at);
/* step_end_at: where a whole file has its end mark. */
uint64_t step_end_at(const struct stepper *s);

#endif
