/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_CLOCK_H
#define XDPLAB_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull

/* This process's CLOCK_MONOTONIC minus the kernel's own, modulo 2^64: not 0 in a time namespace (time_namespaces(7)).
 * XDP programs use the kernel's clock, and so do the timestamps in frames of xdplab's generators, since sender and
 * receiver may be in different namespaces. Everything else uses the process's clock. */
uint64_t clock_offset_ns(void);

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND) };
}

#endif
