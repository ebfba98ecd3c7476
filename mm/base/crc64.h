/* mm/base/crc64.h - CRC-64/Jones, reflected, polynomial 0xad93d23594c935a9, as the RDB trailer has
 * it.  crc64(0, "123456789", 9) == 0xe9c6d914c4b8d9ca.
 * Cost: about 0.1 ns a byte where the processor multiplies without carry (PCLMULQDQ), 0.5 ns
 * elsewhere.
 * Threads: [any]. */
#ifndef MM_BASE_CRC64_H
#define MM_BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* crc64: continue crc over len bytes; start with 0. */
uint64_t crc64(uint64_t crc, const void *bytes, size_t len);
/* crc64_joined: of bytes with checksum `first`, followed by len bytes with checksum `second`, both
 * started with 0.
 * Cost: 0.1 us for each bit of len that is set. */
uint64_t crc64_joined(uint64_t first, uint64_t second, uint64_t len);
/* crc64_by_table: the same by tables alone, on any processor.  crc64() uses it for what is
 * short. */
uint64_t crc64_by_table(uint64_t crc, const void *bytes, size_t len);

#endif
