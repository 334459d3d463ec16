/* SPDX-License-Identifier: Apache-2.0
 *
 * Learns the gaps between packets, and plans at which times after a packet a worker is awake for the next one.
 *
 *     last packet                                                  due, give or take the spread
 *     |                                                            |
 *     |  asleep, until a timer                 | the timer's lead  |  spins   | asleep, until a packet
 *
 * What is learned is a histogram of the last gaps, whose older half counts half. So the plan suits regular traffic (it
 * sleeps until shortly before the next packet), bursts (it spins for as long as the gaps within a burst take, and
 * sleeps between bursts) and traffic at random (it spins, or sleeps, throughout).
 *
 * The plan is the best one for that histogram, computed from the longest gap to the shortest. To see a packet at once
 * is worth `worth_ns` of spinning, and a wake-up by a timer costs `lead_ns`, which is how long one takes.
 */
#ifndef XDPLAB_GAPS_H
#define XDPLAB_GAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

/* A bin is eight buckets of a latency histogram: a 16th of its octave. */
enum { GAPS_BUCKETS_A_BIN = 8, GAPS_BINS = XDPLAB_LATENCY_BUCKETS / GAPS_BUCKETS_A_BIN };

struct gaps {
	uint32_t counts[GAPS_BINS];
	uint32_t total;
	/* The plan, by the time since the last packet. */
	uint64_t lead_ns;
	bool spins[GAPS_BINS];
	uint16_t wakes[GAPS_BINS + 1]; /* the bin for which to wake, of those from here on; GAPS_BINS: none */
};

enum { GAPS_FOREVER = -1 };

/* All zero before the first call. */
void gaps_learn(struct gaps *gaps, uint64_t gap_ns);
/* To be called before gaps_sleep, and again for what was learned since. */
void gaps_plan(struct gaps *gaps, uint64_t worth_ns, uint64_t lead_ns);
/* What the plan says so long after the last packet: 0 to spin; else how long to sleep, which ends earlier with a
 * packet; GAPS_FOREVER to sleep until a packet comes. */
int64_t gaps_sleep(const struct gaps *gaps, uint64_t since_ns);

#endif
