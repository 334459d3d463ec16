/* SPDX-License-Identifier: Apache-2.0
 *
 * Checksums that were left to a device: which are finished, with which value, and which are left alone.
 */
#include "base/checksum.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "base/headers.h"

enum { ETHERNET = 14, IPV6 = 40, UDP = 8, HEADERS = ETHERNET + IPV6 + UDP, PAYLOAD = 101 };
enum { LENGTH = HEADERS + PAYLOAD, FIELD = ETHERNET + IPV6 + 6, GAP = 512, ROUNDS = 200000 };

static uint32_t dice = 1;

static uint8_t throw(void)
{
	dice = dice * 1103515245 + 12345;
	return (uint8_t)(dice >> 16);
}

static void make_udp(uint8_t *frame)
{
	for (uint32_t i = 0; i < LENGTH; i++)
		frame[i] = throw();
	headers_store(frame + 12, 0x86dd);
	frame[ETHERNET] = 0x60;
	headers_store(frame + ETHERNET + 4, UDP + PAYLOAD);
	frame[ETHERNET + 6] = 17;
	headers_store(frame + ETHERNET + IPV6 + 4, UDP + PAYLOAD);
}

static uint32_t pseudo_of(const uint8_t *frame)
{
	uint32_t sum = 17 + UDP + PAYLOAD;

	for (uint32_t i = ETHERNET + 8; i < ETHERNET + IPV6; i += 2)
		sum += headers_load(frame + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint16_t right_of(const uint8_t *frame)
{
	uint8_t copy[UDP + PAYLOAD];
	uint16_t found;

	memcpy(copy, frame + ETHERNET + IPV6, sizeof(copy));
	headers_store(copy + 6, 0);
	found = headers_checksum(copy, sizeof(copy), pseudo_of(frame));
	return found ? found : 0xffff;
}

/* An odd number of bytes may come first, and a frame may be empty. */
static void a_packet_is_finished_however_it_is_cut_into_frames(void)
{
	uint8_t frame[LENGTH], area[3 * GAP];

	for (uint32_t first = HEADERS; first <= LENGTH; first++)
		for (uint32_t second = 0; second <= LENGTH - first; second++) {
			const uint32_t third = LENGTH - first - second;
			const struct xdp_desc frames[] = {
				{ .addr = 1, .len = first, .options = XDP_PKT_CONTD },
				{ .addr = GAP + 3, .len = second, .options = XDP_PKT_CONTD },
				{ .addr = 2 * GAP, .len = third },
			};
			uint16_t wanted;

			make_udp(frame);
			headers_store(frame + FIELD, pseudo_of(frame));
			wanted = right_of(frame);
			memcpy(area + 1, frame, first);
			memcpy(area + GAP + 3, frame + first, second);
			memcpy(area + 2 * GAP, frame + first + second, third);
			CHECK(checksum_is_unfinished(area, frames, 3), "cut at %u and %u", first, second);
			CHECK(checksum_finish(area, frames, 3), "cut at %u and %u", first, second);
			CHECK(headers_load(area + 1 + FIELD) == wanted, "%x, not %x, cut at %u and %u",
			      headers_load(area + 1 + FIELD), wanted, first, second);
			CHECK(!checksum_finish(area, frames, 3), "finished twice, cut at %u and %u", first, second);
		}
}

static void what_is_right_or_wrong_otherwise_stays_as_it_is(void)
{
	uint8_t frame[LENGTH], before[LENGTH];
	const struct xdp_desc frames[] = { { .len = LENGTH } };

	for (uint32_t field = 0; field <= 0xffff; field++) {
		make_udp(frame);
		if (field == pseudo_of(frame))
			continue;
		headers_store(frame + FIELD, field);
		memcpy(before, frame, LENGTH);
		CHECK(!checksum_finish(frame, frames, 1) && !memcmp(frame, before, LENGTH), "changed with %x", field);
	}
	for (uint32_t i = 0; i < 0x20000; i++) {
		make_udp(frame);
		headers_store(frame + FIELD, right_of(frame));
		memcpy(before, frame, LENGTH);
		CHECK(!checksum_finish(frame, frames, 1) && !memcmp(frame, before, LENGTH), "changed a right one");
	}
}

/* In memory of its own, so that a sanitizer sees each byte that is read beside it. */
static void any_bytes_at_all_are_survived(void)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x8100, 0x88a8 };
	static const uint8_t protocols[] = { 6, 17, 132, 4, 41, 47, 0, 43, 44, 51, 60 };

	for (uint32_t round = 0; round < ROUNDS; round++) {
		const uint32_t length = throw() % 160u;
		const struct xdp_desc frames[] = { { .len = length } };
		uint8_t *frame = malloc(length ? length : 1);

		for (uint32_t i = 0; i < length; i++)
			frame[i] = throw() % 4 ? 0 : throw();
		if (length > 50) {
			headers_store(frame + 12, types[throw() % 4u]);
			frame[14] = throw() % 2 ? 0x45 : 0x60;
			headers_store(frame + 16, throw() % length);
			headers_store(frame + 18, throw() % length);
			frame[20] = frame[23] = protocols[throw() % sizeof(protocols)];
			frame[34] = protocols[throw() % sizeof(protocols)];
		}
		checksum_finish(frame, frames, 1);
		free(frame);
	}
}

int main(void)
{
	a_packet_is_finished_however_it_is_cut_into_frames();
	what_is_right_or_wrong_otherwise_stays_as_it_is();
	any_bytes_at_all_are_survived();
	return 0;
}
