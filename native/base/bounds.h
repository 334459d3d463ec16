/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_BOUNDS_H
#define XDPLAB_BOUNDS_H

#include <stdint.h>

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint32_t clamp(uint64_t value, uint32_t smallest, uint32_t largest)
{
	return value < smallest ? smallest : value > largest ? largest : (uint32_t)value;
}

#endif
