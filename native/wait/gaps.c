/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/gaps.h"

/* So many gaps are remembered before they are halved: few enough to follow a change within a second at 1,000 a second,
 * and enough to tell the spread. */
enum { REMEMBERED = 256 };

static uint32_t bin_of(uint64_t ns)
{
	return histogram_bucket(ns) / GAPS_BUCKETS_A_BIN;
}

static uint64_t start_of(uint32_t bin)
{
	return histogram_bucket_start(bin * GAPS_BUCKETS_A_BIN);
}

static void forget_half(struct gaps *gaps)
{
	gaps->total = 0;
	for (uint32_t bin = 0; bin < GAPS_BINS; bin++)
		gaps->total += gaps->counts[bin] /= 2;
}

void gaps_learn(struct gaps *gaps, uint64_t gap_ns)
{
	gaps->counts[bin_of(gap_ns)]++;
	if (++gaps->total >= REMEMBERED)
		forget_half(gaps);
}

/* The first bin for which a timer can wake a worker that goes to sleep now. */
static uint32_t soonest(uint64_t now_ns, uint64_t lead_ns)
{
	const uint32_t bin = bin_of(now_ns + lead_ns) + 1;

	return bin < GAPS_BINS ? bin : GAPS_BINS;
}

/* Values are in ns of spinning, summed over all gaps remembered. A worker that sleeps until a packet wakes it gets 0. */
void gaps_plan(struct gaps *gaps, uint64_t worth_ns, uint64_t lead_ns)
{
	double asleep[GAPS_BINS + 1]; /* value of sleeping now and waking for this bin, or for a later one, or never */
	double awake = 0;             /* value of being awake at the start of the bin */
	double open = 0;              /* gaps that are not over then */

	gaps->lead_ns = lead_ns;
	asleep[GAPS_BINS] = 0;
	gaps->wakes[GAPS_BINS] = GAPS_BINS;
	for (uint32_t bin = GAPS_BINS; bin-- > 0;) {
		const double ended = gaps->counts[bin];
		const double width_ns = (double)(histogram_bucket_start((bin + 1) * GAPS_BUCKETS_A_BIN) - start_of(bin));
		const double spin = ended * (double)worth_ns - (open + ended / 2) * width_ns + awake;
		const double sleep = asleep[soonest(start_of(bin), lead_ns)];
		double woken;

		gaps->spins[bin] = spin > sleep;
		awake = gaps->spins[bin] ? spin : sleep;
		open += ended;
		woken = awake - open * (double)lead_ns;
		gaps->wakes[bin] = woken > asleep[bin + 1] ? (uint16_t)bin : gaps->wakes[bin + 1];
		asleep[bin] = woken > asleep[bin + 1] ? woken : asleep[bin + 1];
	}
}

int64_t gaps_sleep(const struct gaps *gaps, uint64_t since_ns)
{
	const uint32_t bin = bin_of(since_ns);
	uint32_t wake;
	int64_t sleep_ns;

	if (gaps->spins[bin])
		return 0;
	/* The plan is that of the start of the bin. Within it, it may be too late for the timer. */
	wake = gaps->wakes[soonest(start_of(bin), gaps->lead_ns)];
	if (wake == GAPS_BINS)
		return GAPS_FOREVER;
	sleep_ns = (int64_t)(start_of(wake) - gaps->lead_ns) - (int64_t)since_ns;
	return sleep_ns > 0 ? sleep_ns : 0;
}
