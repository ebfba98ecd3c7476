/* mm/size_class.c - the size classes of slabs: steps of 8 bytes up to 128, then eighths of each
 * power of two up to 4 KiB (at most 12.5 % of slack), then whole fractions of a block down to a
 * half. */
#include "mm/heap_impl.h"

uint32_t size_class_bytes[SIZE_CLASS_MAX];
uint32_t size_class_slots[SIZE_CLASS_MAX];
uint64_t size_class_reciprocal[SIZE_CLASS_MAX];
unsigned size_class_count;

enum { TABLE_MAX_BYTES = 4096 };
static uint8_t class_by_eighth[TABLE_MAX_BYTES / 8 + 1]; /* (bytes + 7) / 8 -> class */

static void
add_class(uint32_t bytes)
{
    must(size_class_count < SIZE_CLASS_MAX);
    size_class_bytes[size_class_count] = bytes;
    size_class_slots[size_class_count] = MM_BLOCK_BYTES / bytes;
    size_class_reciprocal[size_class_count] = ((1ULL << 32) + bytes - 1) / bytes;
    size_class_count++;
}

void
size_class_init(void)
{
    unsigned c = 0;

    size_class_count = 0;
    for (uint32_t b = 16; b <= 128; b += 8)
        add_class(b);
    for (uint32_t power = 128; power < TABLE_MAX_BYTES; power *= 2)
        for (uint32_t eighth = 1; eighth <= 8; eighth++)
            add_class(power + power / 8 * eighth);
    for (uint32_t parts = 15; parts >= 2; parts--)
        add_class(MM_BLOCK_BYTES / parts & ~15U);
    for (size_t i = 0; i <= TABLE_MAX_BYTES / 8; i++) {
        while (size_class_bytes[c] < i * 8)
            c++;
        class_by_eighth[i] = (uint8_t)c;
    }
}

unsigned
size_class_of(size_t bytes)
{
    unsigned c;

    if (bytes <= TABLE_MAX_BYTES)
        return class_by_eighth[(bytes + 7) / 8];
    for (c = class_by_eighth[TABLE_MAX_BYTES / 8] + 1U; size_class_bytes[c] < bytes; c++)
        ;
    return c;
}

size_t
mm_size_class(size_t bytes)
{
    if (bytes <= MM_SLOT_MAX_BYTES)
        return size_class_bytes[size_class_of(bytes)];
    return (bytes + MM_BLOCK_BYTES - 1) & ~(size_t)(MM_BLOCK_BYTES - 1);
}
