/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of several frames: a batch has them whole or not at all, whatever the RX ring ends with.
 */
#include "base/packet.h"

#include <string.h>

#include "check.h"
#include "receive/path_xsk.h"

enum { RING = 64, CHUNK = 2048, HEADROOM = 256 };

/* What the kernel and we would share. */
static _Atomic uint32_t positions[4];
static struct xdp_desc received[RING];
static uint64_t filled[RING];

static struct path_xsk self;
static struct path *const path = &self.path;
static struct xdp_desc frames[RING];

static void begin(bool unaligned)
{
	const struct umem umem = { .frame_size = CHUNK, .frame_count = RING, .unaligned = unaligned };

	memset(positions, 0, sizeof(positions));
	self.xsk = (struct xsk){
		.rx = { .producer = positions, .consumer = positions + 1, .entries = received, .size = RING,
			.mask = RING - 1 },
		.fill = { .producer = positions + 2, .consumer = positions + 3, .entries = filled, .size = RING,
			  .mask = RING - 1 },
	};
	path_xsk_begin(&self, &umem, true);
}

/* As the kernel does it. */
static void arrive(uint32_t count, bool is_whole)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t place = positions[0]++ % RING;

		received[place] = (struct xdp_desc){
			.addr = (uint64_t)place * CHUNK + HEADROOM,
			.len = 100,
			.options = i + 1 < count || !is_whole ? XDP_PKT_CONTD : 0,
		};
	}
}

static uint32_t take(uint32_t limit)
{
	return path->operations->receive(path, frames, limit);
}

static void a_batch_ends_with_a_packet(void)
{
	begin(false);
	arrive(5, true);
	arrive(1, true);
	arrive(5, true);
	CHECK(take(18) == 11, "not all of them");
	CHECK(packet_count(frames, 11) == 3, "%u packets", packet_count(frames, 11));
	CHECK(packet_frames(frames) == 5 && packet_frames(frames + 5) == 1, "cut elsewhere");
	CHECK(packet_length(frames, 5) == 500, "%u bytes", packet_length(frames, 5));
	arrive(12, true);
	arrive(12, true);
	CHECK(take(18) == 12, "a packet was cut, or both were taken");
	CHECK(take(18) == 12, "the second was lost");
	CHECK(take(18) == 0 && positions[1] == 35, "%u were released", positions[1]);
}

static void a_packet_that_is_not_all_there_waits_for_its_rest(void)
{
	begin(false);
	arrive(2, true);
	arrive(3, false);
	CHECK(take(18) == 2, "taken in part");
	CHECK(take(18) == 0, "taken in part");
	arrive(2, true);
	CHECK(take(18) == 5 && packet_frames(frames) == 5, "not joined");
}

static void a_packet_that_could_not_be_sent_goes_back_to_the_kernel(void)
{
	begin(false);
	arrive(1, true);
	arrive(PACKET_FRAMES + 1, true);
	arrive(PACKET_FRAMES, true);
	CHECK(take(PACKET_FRAMES) == 1, "the first one was not taken alone");
	CHECK(take(PACKET_FRAMES) == PACKET_FRAMES, "the last one was not taken");
	CHECK(path->too_long == 1 && positions[2] == PACKET_FRAMES + 1, "%u were given back", positions[2]);
	CHECK(filled[0] / CHUNK == 1, "another frame");
}

static void an_unaligned_address_is_where_the_packet_begins(void)
{
	begin(true);
	arrive(2, true);
	received[0].addr = (uint64_t)HEADROOM << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
	received[1].addr = CHUNK | (uint64_t)HEADROOM << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
	CHECK(take(18) == 2 && frames[1].addr == CHUNK + HEADROOM, "%llu", (unsigned long long)frames[1].addr);
	path->operations->recycle(path, frames, 2);
	CHECK(filled[0] == 0 && filled[1] == CHUNK, "%llu", (unsigned long long)filled[1]);
}

static void an_unaligned_packet_goes_back_by_its_base(void)
{
	begin(true);
	arrive(PACKET_FRAMES + 1, true);
	for (uint32_t i = 0; i <= PACKET_FRAMES; i++)
		received[i].addr = i * CHUNK | (uint64_t)HEADROOM << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
	CHECK(take(PACKET_FRAMES) == 0 && positions[2] == PACKET_FRAMES + 1, "%u were given back", positions[2]);
	CHECK(filled[PACKET_FRAMES] == PACKET_FRAMES * CHUNK, "%llu", (unsigned long long)filled[PACKET_FRAMES]);
}

int main(void)
{
	a_batch_ends_with_a_packet();
	a_packet_that_is_not_all_there_waits_for_its_rest();
	a_packet_that_could_not_be_sent_goes_back_to_the_kernel();
	an_unaligned_address_is_where_the_packet_begins();
	an_unaligned_packet_goes_back_by_its_base();
	return 0;
}
