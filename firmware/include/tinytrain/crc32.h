/* CRC-32 as zlib and Ethernet use it: polynomial 0x04c11db7 reflected, inverted at both ends. */
#ifndef TINYTRAIN_CRC32_H
#define TINYTRAIN_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The checksum of what `crc` stands for followed by `data`; start with 0. Equals
 * zlib.crc32(data, crc) in Python. */
uint32_t tt_crc32(uint32_t crc, const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
