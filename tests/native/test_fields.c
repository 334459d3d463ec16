/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of headers: nothing outside of a frame is touched, and what a write does to checksums that are special. What
 * fields are in which packet is tested against scapy, in Python.
 */
#include "include/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/headers.h"
#include "check.h"

enum { ETHERNET = 14, IPV4 = 20, IPV6 = 40, UDP = 8, TCP = 20, LONGEST = 160, ROUNDS = 4000 };
enum { UDP_PROTOCOL = 17, TCP_PROTOCOL = 6 };

static uint32_t dice = 1;

static uint8_t throw(void)
{
	dice = dice * 1103515245 + 12345;
	return (uint8_t)(dice >> 16);
}

static uint32_t index_of(const char *name)
{
	uint32_t index = 0;

	while (strcmp(xdplab_field_name(index), name))
		index++;
	return index;
}

static uint32_t fields(void)
{
	uint32_t count = 0;

	while (xdplab_field_name(count))
		count++;
	return count;
}

/* Headers that lead deep, with bytes at random behind: tags, IPv4 or IPv6 with extension headers, UDP or TCP. */
static void make_deep(uint8_t *frame)
{
	static const uint8_t extensions[] = { 0, 43, 44, 51, 60, TCP_PROTOCOL, UDP_PROTOCOL, 1, 58 };
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806 };
	uint32_t at = 12;

	for (uint32_t i = 0; i < LONGEST; i++)
		frame[i] = throw() % 2 ? 0 : throw() % 4 ? throw() % 8 : throw();
	while (throw() % 2 && at < 30) {
		headers_store(frame + at, throw() % 2 ? 0x8100 : 0x88a8);
		at += 4;
	}
	headers_store(frame + at, types[throw() % 3]);
	at += 2;
	frame[at] = headers_load(frame + at - 2) == 0x0800 ? 0x45 + throw() % 3 : 0x60;
	if (throw() % 2)
		headers_store(frame + at + (frame[at] == 0x60 ? 4 : 2), LONGEST);
	frame[at + (frame[at] == 0x60 ? 6 : 9)] = extensions[throw() % sizeof(extensions)];
	if (headers_load(frame + at - 2) == 0x0806)
		memcpy(frame + at, (uint8_t[]){ 0, 1, 8, 0, 6, 4, 0, 1 }, 8);
	for (at += IPV6; at < LONGEST; at += 8)
		if (throw() % 2)
			frame[at] = extensions[throw() % sizeof(extensions)];
}

static void swap_all(uint8_t *area, uint64_t size, const struct xdplab_frame *frame)
{
	static const char *const ends[][2] = {
		{ "eth.src", "eth.dst" }, { "ipv4.src", "ipv4.dst" }, { "ipv6.src", "ipv6.dst" },
		{ "udp.sport", "udp.dport" }, { "tcp.sport", "tcp.dport" },
	};

	for (uint32_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		xdplab_field_swap(index_of(ends[i][0]), index_of(ends[i][1]), area, size, frame, 1);
}

/* AddressSanitizer sees a read or write past the area, which ends where the frame does; and one before. */
static void no_byte_outside_of_a_frame_is_touched(void)
{
	const uint32_t count = fields();
	uint64_t there = 0;

	for (uint32_t round = 0; round < ROUNDS / SLOWNESS; round++) {
		const uint32_t length = throw() % (LONGEST + 1);
		const struct xdplab_frame frame = { .length = length };
		uint8_t whole[LONGEST], *area = malloc(length ? length : 1), values[16], masked;

		make_deep(whole);
		for (uint32_t field = 0; field < count; field++) {
			memcpy(area, whole, length);
			memset(values, 0xff, sizeof(values));
			there += (uint64_t)xdplab_field_read(field, area, length, &frame, 1, values, &masked);
			CHECK(!memcmp(area, whole, length), "field %u", field);
			masked = 0;
			xdplab_field_write(field, area, length, &frame, 1, values, &masked);
		}
		memcpy(area, whole, length);
		swap_all(area, length, &frame);
		free(area);
	}
	CHECK(there > ROUNDS / SLOWNESS, "%llu", (unsigned long long)there);
}

static void a_write_stays_within_its_frame(void)
{
	enum { GAP = 8 };
	const uint32_t count = fields();

	for (uint32_t round = 0; round < ROUNDS / SLOWNESS; round++) {
		const uint32_t length = throw() % (LONGEST + 1);
		const struct xdplab_frame frame = { .address = GAP, .length = length };
		uint8_t area[GAP + LONGEST + GAP], before[sizeof(area)], values[16];
		const uint8_t masked = 0;

		make_deep(area + GAP);
		memcpy(before, area, sizeof(area));
		for (uint32_t field = 0; field < count; field++) {
			memset(values, throw(), sizeof(values));
			xdplab_field_write(field, area, sizeof(area), &frame, 1, values, &masked);
		}
		swap_all(area, sizeof(area), &frame);
		CHECK(!memcmp(area, before, GAP), "before, length %u", length);
		CHECK(!memcmp(area + GAP + length, before + GAP + length, sizeof(area) - GAP - length),
		      "behind, length %u", length);
	}
}

static void a_frame_that_is_not_within_the_area_is_refused_before_any_is_written(void)
{
	static const struct xdplab_frame bad[] = {
		{ .address = 1, .length = LONGEST },
		{ .address = LONGEST + 1, .length = 0 },
		{ .address = UINT64_MAX, .length = 2 },
		{ .address = 0, .length = UINT32_MAX },
	};
	uint8_t area[LONGEST] = { 0 }, masked[3] = { 0 };
	uint64_t values[3] = { 1, 1, 1 };

	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct xdplab_frame frames[3] = { { .length = LONGEST }, { .length = LONGEST }, bad[i] };
		const int64_t read = xdplab_field_read(0, area, sizeof(area), frames, 3, values, masked);
		const int64_t wrote = xdplab_field_write(0, area, sizeof(area), frames, 3, values, masked);

		CHECK(read == -3 && wrote == -3, "%lld and %lld", (long long)read, (long long)wrote);
		CHECK(xdplab_field_swap(0, 1, area, sizeof(area), frames, 3) == -3, "frame 2 of %u", i);
		CHECK(!area[5], "frame 0 was written");
	}
}

static uint32_t make_udp(uint8_t *frame, uint32_t payload)
{
	const uint32_t length = ETHERNET + IPV4 + UDP + payload;

	memset(frame, 0, length);
	frame[ETHERNET] = 0x45;
	frame[ETHERNET + 9] = UDP_PROTOCOL;
	headers_store(frame + 12, 0x0800);
	headers_store(frame + ETHERNET + 12, 0xc612);
	headers_store(frame + ETHERNET + 16, 0xc613);
	headers_set_size(frame, length);
	return length;
}

static uint32_t pseudo_sum(const uint8_t *frame)
{
	uint32_t sum = UDP_PROTOCOL + headers_load(frame + ETHERNET + IPV4 + 4);

	for (uint32_t at = ETHERNET + 12; at < ETHERNET + IPV4; at += 2)
		sum += headers_load(frame + at);
	return (sum & 0xffff) + (sum >> 16);
}

/* 0 if the UDP checksum is right. */
static uint16_t sum_left(const uint8_t *frame, uint32_t length)
{
	return headers_checksum(frame + ETHERNET + IPV4, length - ETHERNET - IPV4, pseudo_sum(frame));
}

static void write_number(const char *name, uint8_t *frame, uint32_t length, uint64_t value)
{
	const struct xdplab_frame place = { .length = length };
	const uint8_t masked = 0;
	uint8_t bytes[8];
	int64_t wrote;

	memcpy(bytes, &value, sizeof(bytes)); /* little-endian, as are the machines that it runs on */
	wrote = xdplab_field_write(index_of(name), frame, length, &place, 1, bytes, &masked);
	CHECK(wrote == 1, "%s: %lld", name, (long long)wrote);
}

static void a_udp_checksum_that_becomes_0_is_written_as_ffff(void)
{
	uint8_t frame[LONGEST];
	const uint32_t length = make_udp(frame, 0);
	uint32_t became = 0;

	headers_store(frame + ETHERNET + IPV4 + 6, sum_left(frame, length));
	for (uint32_t port = 0; port <= 0xffff; port++) {
		write_number("udp.dport", frame, length, port);
		CHECK(!sum_left(frame, length), "port %u", port);
		CHECK(headers_load(frame + ETHERNET + IPV4 + 6), "port %u: none", port);
		became += headers_load(frame + ETHERNET + IPV4 + 6) == 0xffff;
	}
	CHECK(became, "never");
}

static void a_udp_checksum_of_0_stays(void)
{
	uint8_t frame[LONGEST];
	const uint32_t length = make_udp(frame, 5);

	write_number("udp.dport", frame, length, 1234);
	write_number("ipv4.src", frame, length, 1234);
	CHECK(!headers_load(frame + ETHERNET + IPV4 + 6), "%x", headers_load(frame + ETHERNET + IPV4 + 6));
	CHECK(!headers_checksum(frame + ETHERNET, IPV4, 0), "of IPv4");
}

/* Whatever is written and however it is cut into frames: its device, or the worker, can still finish it. */
static void an_unfinished_checksum_stays_unfinished(void)
{
	enum { PAYLOAD = 33, FIRST = ETHERNET + IPV4 + UDP + 4 };

	for (uint32_t cut = 0; cut < 2; cut++) {
		uint8_t frame[LONGEST];
		const uint32_t length = make_udp(frame, PAYLOAD);
		const struct xdplab_frame frames[] = {
			{ .length = cut ? FIRST : length, .options = cut ? XDP_PKT_CONTD : 0 },
			{ .address = FIRST, .length = length - FIRST },
		};
		const struct xdp_desc whole = { .len = length };
		const char *const names[] = { "ipv4.dst", "udp.sport", "ipv4.ttl" };

		for (uint32_t i = 0; i < PAYLOAD; i++)
			frame[ETHERNET + IPV4 + UDP + i] = throw();
		headers_store(frame + ETHERNET + IPV4 + 6, pseudo_sum(frame));
		for (uint32_t i = 0; i < 3; i++) {
			const uint32_t value[2] = { 0x01020304 };
			const uint8_t masked[2] = { 0 };
			const int64_t wrote =
				xdplab_field_write(index_of(names[i]), frame, length, frames, 1 + cut, value, masked);

			CHECK(wrote == 1, "%s: %lld", names[i], (long long)wrote);
			CHECK(headers_load(frame + ETHERNET + IPV4 + 6) == pseudo_sum(frame), "after %s", names[i]);
		}
		CHECK(checksum_finish(frame, &whole, 1), "it is unfinished");
		CHECK(!sum_left(frame, length), "finished, it is right");
	}
}

static void a_frame_that_continues_a_packet_has_no_headers(void)
{
	uint8_t frame[LONGEST], masked[2], before[LONGEST];
	const uint32_t length = make_udp(frame, 0);
	const struct xdplab_frame frames[] = { { .length = length, .options = XDP_PKT_CONTD }, { .length = length } };
	uint16_t values[2] = { 7, 7 };
	int64_t done = xdplab_field_read(index_of("udp.dport"), frame, length, frames, 2, values, masked);

	CHECK(done == 1 && !masked[0] && masked[1], "%lld have it", (long long)done);
	memcpy(before, frame, length);
	masked[0] = 1;
	masked[1] = 0;
	done = xdplab_field_write(index_of("udp.dport"), frame, length, frames, 2, values, masked);
	CHECK(!done && !memcmp(before, frame, length), "%lld written", (long long)done);
}

int main(void)
{
	no_byte_outside_of_a_frame_is_touched();
	a_write_stays_within_its_frame();
	a_frame_that_is_not_within_the_area_is_refused_before_any_is_written();
	a_udp_checksum_that_becomes_0_is_written_as_ffff();
	a_udp_checksum_of_0_stays();
	an_unfinished_checksum_stays_unfinished();
	a_frame_that_continues_a_packet_has_no_headers();
	return 0;
}
