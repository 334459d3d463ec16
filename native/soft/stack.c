/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated stack behind an interface: it answers echo requests to its addresses (RFC 792, RFC 4443), and sends
 * some. It drops all other packets, which the device has counted.
 */
#include "soft/stack.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/headers.h"
#include "base/swap.h"
#include "soft/delay.h"
#include "soft/deliver.h"

enum {
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	ICMP_BYTES = 8,
	ICMP_REPLY = 0,
	ICMP_REQUEST = 8,
	ICMP6_REQUEST = 128,
	ICMP6_REPLY = 129,
	HOP_LIMIT = 64,
	LONGEST_PAYLOAD = SOFT_LONGEST - ETH_HLEN - IPV6_BYTES - ICMP_BYTES,
	NUMBERS = 1 << 16,
};

/* Destination of a request to an address beyond the wire's far end, since there is no ARP. */
static const uint8_t everyone[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct soft_ping {
	uint32_t end;
	uint32_t family;
	uint8_t target[16];
	uint16_t id;
	uint32_t count;
	uint32_t size;
	uint64_t interval_ns;
	uint64_t timeout_ns;
	uint64_t next_ns;
	uint64_t deadline_ns;
	struct soft_ping *next;
	uint32_t sent;
	uint32_t received;
	int fault;
	sem_t done;
	bool awaited[NUMBERS]; /* whether a request's answer is awaited */
};

/* An echo request or reply within a frame. */
struct echo {
	uint32_t family;
	uint32_t offset; /* of the ICMP message */
	uint32_t length; /* of the ICMP message */
	uint8_t type;
};

/* False if it is anything else, or incomplete. */
static bool find_echo(const struct soft_frame *frame, struct echo *echo)
{
	const uint8_t *ip = frame->head + ETH_HLEN;
	uint32_t header, total;
	uint16_t protocol;

	if (frame->head_length < ETH_HLEN + IPV4_BYTES + ICMP_BYTES)
		return false;
	protocol = headers_load(frame->head + 12);
	if (protocol == ETH_P_IP && ip[9] == IPPROTO_ICMP) {
		header = (ip[0] & 15u) * 4;
		total = headers_load(ip + 2);
		if (ip[0] >> 4 != 4 || header < IPV4_BYTES || headers_load(ip + 6) & 0x3fff)
			return false;
		echo->family = AF_INET;
	} else if (protocol == ETH_P_IPV6 && ip[6] == IPPROTO_ICMPV6) {
		header = IPV6_BYTES;
		total = header + headers_load(ip + 4);
		echo->family = AF_INET6;
	} else {
		return false;
	}
	if (total < header + ICMP_BYTES || ETH_HLEN + total > frame->head_length || frame->length > SOFT_LONGEST)
		return false;
	echo->offset = ETH_HLEN + header;
	echo->length = total - header;
	echo->type = ip[header];
	return true;
}

/* Offset of the source address; the destination follows it, in both families. */
static uint32_t source_of(uint32_t family)
{
	return family == AF_INET ? ETH_HLEN + 12 : ETH_HLEN + 8;
}

static uint32_t address_bytes(uint32_t family)
{
	return family == AF_INET ? 4 : 16;
}

static const uint8_t *address_of(const struct xdplab_wire *wire, uint32_t end, uint32_t family)
{
	return family == AF_INET ? wire->config.ends[end].ipv4 : wire->config.ends[end].ipv6;
}

/* The checksum of ICMPv6 covers the addresses too. */
static void write_icmp_checksum(uint8_t *frame, const struct echo *echo)
{
	uint8_t *checksum = frame + echo->offset + 2;
	uint32_t sum = 0;

	headers_store(checksum, 0);
	if (echo->family == AF_INET6) {
		const uint8_t *addresses = frame + source_of(AF_INET6);

		sum = IPPROTO_ICMPV6 + echo->length;
		for (uint32_t i = 0; i < 2 * 16; i += 2)
			sum += headers_load(addresses + i);
	}
	headers_store(checksum, headers_checksum(frame + echo->offset, echo->length, sum));
}

static void send_frame(struct xdplab_wire *wire, uint32_t end, const uint8_t *bytes, uint32_t length)
{
	const struct soft_frame frame = { .head = bytes, .head_length = length, .length = length };

	soft_arrive(wire, !end, 0, &frame, 1);
}

static void answer(struct xdplab_wire *wire, uint32_t end, const struct soft_frame *request, const struct echo *echo)
{
	const uint32_t source = source_of(echo->family), bytes = address_bytes(echo->family);
	const struct soft_delay *delay = wire->ends[!end].delay;
	uint8_t *reply = wire->answer;

	/* Making room could release a request, whose answer would need room here too, and so on without end. */
	if (delay && !soft_delay_has_room(delay, request->length)) {
		soft_add(&wire->ends[end].tx_dropped, 1);
		return;
	}
	memcpy(reply, request->head, request->head_length);
	swap_ethernet(reply, request->head_length);
	swap_bytes(reply + source, reply + source + bytes, bytes);
	reply[echo->offset] = echo->family == AF_INET ? ICMP_REPLY : ICMP6_REPLY;
	write_icmp_checksum(reply, echo);
	send_frame(wire, end, reply, request->head_length);
}

static void end_ping(struct xdplab_wire *wire, struct soft_ping *ping, int fault)
{
	struct soft_ping **place = &wire->ends[ping->end].pings;

	while (*place != ping)
		place = &(*place)->next;
	*place = ping->next;
	ping->fault = fault;
	sem_post(&ping->done); /* the last access: the caller may free it now */
}

static void take_reply(struct xdplab_wire *wire, uint32_t end, const uint8_t *frame, const struct echo *echo)
{
	const uint8_t *message = frame + echo->offset;
	const uint16_t id = headers_load(message + 4), number = headers_load(message + 6);

	for (struct soft_ping *ping = wire->ends[end].pings; ping; ping = ping->next) {
		if (ping->id != id || ping->family != echo->family || !ping->awaited[number])
			continue;
		ping->awaited[number] = false;
		if (++ping->received == ping->count)
			end_ping(wire, ping, 0);
		return;
	}
}

void soft_stack_receive(struct xdplab_wire *wire, uint32_t end, const struct soft_frame *frame)
{
	struct echo echo;
	const uint8_t *to;

	if (!find_echo(frame, &echo))
		return;
	to = frame->head + source_of(echo.family) + address_bytes(echo.family);
	if ((memcmp(frame->head, wire->config.ends[end].mac, ETH_ALEN) &&
	     memcmp(frame->head, everyone, ETH_ALEN)) ||
	    memcmp(to, address_of(wire, end, echo.family), address_bytes(echo.family)))
		return;
	if (echo.type == (echo.family == AF_INET ? ICMP_REQUEST : ICMP6_REQUEST))
		answer(wire, end, frame, &echo);
	else if (echo.type == (echo.family == AF_INET ? ICMP_REPLY : ICMP6_REPLY))
		take_reply(wire, end, frame->head, &echo);
}

static uint32_t write_request(struct xdplab_wire *wire, const struct soft_ping *ping, uint8_t *frame)
{
	const bool ipv4 = ping->family == AF_INET;
	const struct echo echo = {
		.family = ping->family,
		.offset = ETH_HLEN + (ipv4 ? IPV4_BYTES : IPV6_BYTES),
		.length = ICMP_BYTES + ping->size,
	};
	const uint32_t bytes = address_bytes(ping->family), length = echo.offset + echo.length;
	uint8_t *ip = frame + ETH_HLEN, *message = frame + echo.offset, *source = frame + source_of(ping->family);
	const bool is_far_end = !memcmp(ping->target, address_of(wire, !ping->end, ping->family), bytes);

	memset(frame, 0, length);
	memcpy(frame, is_far_end ? wire->config.ends[!ping->end].mac : everyone, ETH_ALEN);
	memcpy(frame + ETH_ALEN, wire->config.ends[ping->end].mac, ETH_ALEN);
	headers_store(frame + 12, ipv4 ? ETH_P_IP : ETH_P_IPV6);
	memcpy(source, address_of(wire, ping->end, ping->family), bytes);
	memcpy(source + bytes, ping->target, bytes);
	if (ipv4) {
		ip[0] = 0x45;
		headers_store(ip + 2, IPV4_BYTES + echo.length);
		ip[8] = HOP_LIMIT;
		ip[9] = IPPROTO_ICMP;
		headers_store(ip + 10, headers_checksum(ip, IPV4_BYTES, 0));
	} else {
		ip[0] = 0x60;
		headers_store(ip + 4, echo.length);
		ip[6] = IPPROTO_ICMPV6;
		ip[7] = HOP_LIMIT;
	}
	message[0] = ipv4 ? ICMP_REQUEST : ICMP6_REQUEST;
	headers_store(message + 4, ping->id);
	headers_store(message + 6, ping->sent);
	for (uint32_t i = 0; i < ping->size; i++)
		message[ICMP_BYTES + i] = (uint8_t)i;
	write_icmp_checksum(frame, &echo);
	return length;
}

/* True if it sent a request. This ping may have ended then, or another, by an answer that came at once or was
 * released to make room. */
static bool go_on(struct xdplab_wire *wire, struct soft_ping *ping)
{
	uint8_t frame[SOFT_LONGEST];
	uint32_t length;

	if (ping->sent == ping->count) {
		if (wire->now_ns >= ping->deadline_ns)
			end_ping(wire, ping, 0);
		else
			soft_expect(wire, ping->deadline_ns);
		return false;
	}
	if (wire->now_ns < ping->next_ns) {
		soft_expect(wire, ping->next_ns);
		return false;
	}
	length = write_request(wire, ping, frame);
	ping->next_ns = wire->now_ns + ping->interval_ns;
	ping->deadline_ns = wire->now_ns + ping->timeout_ns;
	ping->awaited[ping->sent++ % NUMBERS] = true;
	send_frame(wire, ping->end, frame, length);
	return true;
}

bool soft_ping(struct xdplab_wire *wire, uint32_t end)
{
	struct soft_ping *ping = wire->ends[end].pings, *next;

	for (; ping; ping = next) {
		next = ping->next;
		if (go_on(wire, ping))
			return true;
	}
	return false;
}

void soft_pings_end(struct xdplab_wire *wire, int fault)
{
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		while (wire->ends[end].pings)
			end_ping(wire, wire->ends[end].pings, fault);
}

static void begin(struct xdplab_wire *wire, void *argument)
{
	struct soft_ping *ping = argument;

	ping->next_ns = wire->now_ns;
	ping->next = wire->ends[ping->end].pings;
	ping->id = ping->next ? (uint16_t)(ping->next->id + 1) : 1;
	wire->ends[ping->end].pings = ping;
	if (soft_is_cut(wire))
		end_ping(wire, ping, ENETDOWN);
}

int xdplab_wire_ping(struct xdplab_wire *wire, uint32_t end, const uint8_t *target, uint32_t family, uint32_t count,
		     uint64_t interval_ns, uint32_t size, uint64_t timeout_ns, uint32_t *sent, uint32_t *received)
{
	struct soft_ping *ping;
	int fault;

	*sent = *received = 0;
	if ((family != AF_INET && family != AF_INET6) || !count || size > LONGEST_PAYLOAD)
		return -EINVAL;
	ping = calloc(1, sizeof(*ping));
	if (!ping)
		return -ENOMEM;
	ping->end = end;
	ping->family = family;
	memcpy(ping->target, target, address_bytes(family));
	ping->count = count;
	ping->size = size;
	ping->interval_ns = interval_ns;
	ping->timeout_ns = timeout_ns;
	sem_init(&ping->done, 0, 0);
	soft_call(wire, begin, ping);
	while (sem_wait(&ping->done) && errno == EINTR)
		;
	*sent = ping->sent;
	*received = ping->received;
	fault = ping->fault;
	sem_destroy(&ping->done);
	free(ping);
	return -fault;
}
