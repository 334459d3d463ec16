/* SPDX-License-Identifier: Apache-2.0
 *
 * What is planned for the gaps that were learned: when to spin, when to sleep, and until when.
 */
#include "wait/gaps.h"

#include <inttypes.h>

#include "check.h"

#define US 1000ull
#define LEAD_NS (20 * US)
#define WORTH_NS (50 * US)

static struct gaps planned(const uint64_t *each, unsigned int count, unsigned int times, uint64_t worth_ns)
{
	struct gaps gaps = { 0 };

	for (unsigned int i = 0; i < count * times; i++)
		gaps_learn(&gaps, each[i % count]);
	gaps_plan(&gaps, worth_ns, LEAD_NS);
	return gaps;
}

#define PLANNED(worth_ns, times, ...) \
	planned((const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), times, worth_ns)

static void sleeps_to_the_end(const struct gaps *gaps, uint64_t from_ns)
{
	for (uint64_t ns = from_ns; ns < 1000 * 1000 * US; ns += 1 + ns / 100)
		CHECK(gaps_sleep(gaps, ns) == GAPS_FOREVER, "%" PRId64 " at %" PRIu64, gaps_sleep(gaps, ns), ns);
}

static void who_has_learned_nothing_sleeps(void)
{
	struct gaps gaps = { 0 };

	gaps_plan(&gaps, WORTH_NS, LEAD_NS);
	sleeps_to_the_end(&gaps, 0);
}

static void of_regular_packets_one_is_awake_when_the_next_is_due(void)
{
	static const uint64_t each[] = { 50 * US, 100 * US, 1000 * US };

	for (unsigned int i = 0; i < 3; i++) {
		const struct gaps gaps = planned(each + i, 1, 100, WORTH_NS);
		const int64_t sleep = gaps_sleep(&gaps, 0);
		const uint64_t awake = (uint64_t)sleep + LEAD_NS;

		/* A bin is a 16th of its octave. */
		CHECK(sleep > 0 && awake <= each[i] && awake >= each[i] - each[i] / 8, "%" PRId64 " of %" PRIu64, sleep,
		      each[i]);
		CHECK(gaps_sleep(&gaps, awake) == 0, "asleep at %" PRIu64, awake);
		CHECK(gaps_sleep(&gaps, awake - 2 * US) == 0, "a timer that was early is set again");
		sleeps_to_the_end(&gaps, each[i] + each[i] / 8);
	}
}

static void gaps_shorter_than_a_wake_up_are_spun_through(void)
{
	const struct gaps gaps = PLANNED(WORTH_NS, 100, 10 * US);

	for (uint64_t ns = 0; ns < 10 * US; ns += 100)
		CHECK(gaps_sleep(&gaps, ns) == 0, "%" PRId64 " at %" PRIu64, gaps_sleep(&gaps, ns), ns);
	sleeps_to_the_end(&gaps, 12 * US);
}

static void it_spins_within_bursts_and_sleeps_between_them(void)
{
	/* Nine packets 5 us apart, then a pause of a length that can't be foreseen. */
	const struct gaps gaps = PLANNED(WORTH_NS, 3, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 3111 * US,
					 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 9777 * US, 5 * US,
					 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 5 * US, 21313 * US);

	CHECK(gaps_sleep(&gaps, 0) == 0, "%" PRId64, gaps_sleep(&gaps, 0));
	CHECK(gaps_sleep(&gaps, 4 * US) == 0, "%" PRId64, gaps_sleep(&gaps, 4 * US));
	CHECK(gaps_sleep(&gaps, 7 * US) != 0, "spins after a burst");
}

static void pauses_of_the_same_length_are_learned_beside_bursts(void)
{
	const struct gaps gaps = PLANNED(WORTH_NS, 20, 5 * US, 5 * US, 5 * US, 5 * US, 500 * US);
	const int64_t sleep = gaps_sleep(&gaps, 10 * US);

	CHECK(gaps_sleep(&gaps, 0) == 0, "%" PRId64, gaps_sleep(&gaps, 0));
	CHECK(sleep > (int64_t)(400 * US) && sleep <= (int64_t)(500 * US - LEAD_NS), "%" PRId64, sleep);
}

static void what_a_wake_up_saved_is_worth_decides(void)
{
	const struct gaps nothing = PLANNED(0, 100, 2 * US), little = PLANNED(5 * US, 100, 10 * US);
	const struct gaps enough = PLANNED(15 * US, 100, 10 * US);

	sleeps_to_the_end(&nothing, 0);
	CHECK(gaps_sleep(&little, 0) != 0, "spins for 10 us, worth 5");
	CHECK(gaps_sleep(&enough, 0) == 0, "%" PRId64, gaps_sleep(&enough, 0));
}

static void an_older_habit_is_forgotten(void)
{
	struct gaps gaps = { 0 };

	for (unsigned int i = 0; i < 10000; i++)
		gaps_learn(&gaps, 10 * US);
	for (unsigned int i = 0; i < 1000; i++)
		gaps_learn(&gaps, 3000 * 1000 * US);
	gaps_plan(&gaps, WORTH_NS, LEAD_NS);
	CHECK(gaps_sleep(&gaps, 0) != 0, "spins for packets that come every 3 s");
	gaps_learn(&gaps, UINT64_MAX);
	CHECK(gaps.total < 1000, "%u", gaps.total);
}

int main(void)
{
	who_has_learned_nothing_sleeps();
	of_regular_packets_one_is_awake_when_the_next_is_due();
	gaps_shorter_than_a_wake_up_are_spun_through();
	it_spins_within_bursts_and_sleeps_between_them();
	pauses_of_the_same_length_are_learned_beside_bursts();
	what_a_wake_up_saved_is_worth_decides();
	an_older_habit_is_forgotten();
	return 0;
}
