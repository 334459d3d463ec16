/* SPDX-License-Identifier: Apache-2.0
 *
 * echo: answers like a host whose UDP echo service is open (RFC 862): addresses and ports are swapped, and an
 * echo request of ICMP becomes its reply. Anything else that is no IP is dropped, as it can't be answered.
 */
#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "shared/action.h"
#include "base/swap.h"
#include "shared/worker.h"

enum { FRAGMENT_OFFSET = 0x1fff, ICMP_REQUEST = 8, ICMP6_REQUEST = 128, ICMP6_REPLY = 129 };

/* RFC 1624: the checksum of a header of which one 16-bit word became smaller or larger by `difference`. */
static void adjust_checksum(uint8_t *checksum, int32_t difference)
{
	uint16_t word;
	uint32_t sum;

	memcpy(&word, checksum, sizeof(word));
	sum = (uint16_t)~be16toh(word) + (uint32_t)(difference < 0 ? 0xffff + difference : difference);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	word = htobe16((uint16_t)~sum);
	memcpy(checksum, &word, sizeof(word));
}

/* The part behind the IP header. */
static void answer(uint8_t *message, uint32_t length, uint8_t protocol)
{
	if (protocol == IPPROTO_UDP && length >= 8) {
		swap_bytes(message, message + 2, 2);
	} else if (protocol == IPPROTO_ICMP && length >= 8 && message[0] == ICMP_REQUEST) {
		message[0] = 0;
		adjust_checksum(message + 2, -(ICMP_REQUEST << 8));
	} else if (protocol == IPPROTO_ICMPV6 && length >= 8 && message[0] == ICMP6_REQUEST) {
		message[0] = ICMP6_REPLY;
		adjust_checksum(message + 2, (ICMP6_REPLY - ICMP6_REQUEST) << 8);
	}
}

static bool turn_round(uint8_t *frame, uint32_t length)
{
	uint8_t *ip = frame + ETH_HLEN;
	uint32_t header;
	uint16_t type, fragment;

	if (length < ETH_HLEN + 20)
		return false;
	memcpy(&type, frame + 12, sizeof(type));
	if (type == htobe16(ETH_P_IP)) {
		header = (ip[0] & 15u) * 4;
		if (header < 20 || length < ETH_HLEN + header)
			return false;
		swap_bytes(ip + 12, ip + 16, 4);
		memcpy(&fragment, ip + 6, sizeof(fragment));
		/* What is behind the header of a later fragment is payload. */
		if (!(fragment & htobe16(FRAGMENT_OFFSET)))
			answer(ip + header, length - ETH_HLEN - header, ip[9]);
	} else if (type == htobe16(ETH_P_IPV6) && length >= ETH_HLEN + 40) {
		swap_bytes(ip + 8, ip + 24, 16);
		answer(ip + 40, length - ETH_HLEN - 40, ip[6]);
	} else {
		return false;
	}
	swap_ethernet(frame, length);
	return true;
}

static void answer_packet(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	/* All headers are in the first frame. */
	if (turn_round(worker->rx->area + frames->addr, frames->len))
		worker_transmit(worker, frames, count);
	else
		worker->rx->operations->recycle(worker->rx, frames, count);
}

static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	uint32_t each;

	if (path_has_long_packets(worker->rx))
		for (uint32_t i = 0; i < count; i += each)
			answer_packet(worker, frames + i, each = packet_frames(frames + i));
	else
		for (uint32_t i = 0; i < count; i++)
			answer_packet(worker, frames + i, 1);
}

const struct action action_echo = {
	.name = "echo",
	.verdict = XDPLAB_VERDICT_ECHO,
	.transmits = true,
	.run = run,
};
