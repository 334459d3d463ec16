/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of an end, and its faults.
 */
#include "soft/delay.h"

struct faults_call {
	uint32_t end;
	const struct xdplab_wire_faults *faults;
	struct soft_delay *delay; /* in: one to use; out: one to free */
};

static void set_faults(struct xdplab_wire *wire, void *argument)
{
	struct faults_call *call = argument;
	struct soft_end *end = wire->ends + call->end;

	if (end->delay && call->faults->jitter_ns != end->faults.set.jitter_ns)
		soft_delay_release(wire, call->end, true);
	end->faults = (struct soft_faults){ .set = *call->faults };
	if (!end->delay != !call->faults->jitter_ns) {
		struct soft_delay *before = end->delay;

		end->delay = call->delay;
		call->delay = before;
	}
	/* If there is no memory for the delay, frames have none. */
	if (!end->delay)
		end->faults.set.jitter_ns = 0;
}

void xdplab_wire_set_faults(struct xdplab_wire *wire, uint32_t end, const struct xdplab_wire_faults *faults)
{
	struct faults_call call = {
		.end = end,
		.faults = faults,
		.delay = faults->jitter_ns ? soft_delay_create() : NULL,
	};

	soft_call(wire, set_faults, &call);
	soft_delay_free(call.delay);
}

static uint64_t sum_bytes(const struct xdplab_wire *wire, uint32_t end)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < wire->config.queues; i++)
		sum += soft_read(&wire->ends[end].queues[i].bytes);
	return sum;
}

static uint64_t sum_packets(const struct xdplab_wire *wire, uint32_t end)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < wire->config.queues; i++)
		sum += soft_read(&wire->ends[end].queues[i].packets);
	return sum;
}

void xdplab_wire_link_statistics(const struct xdplab_wire *wire, uint32_t end,
				 struct xdplab_link_statistics *statistics)
{
	const struct soft_end *self = wire->ends + end;

	*statistics = (struct xdplab_link_statistics){
		.rx_packets = sum_packets(wire, end),
		.rx_bytes = sum_bytes(wire, end),
		.tx_packets = sum_packets(wire, !end),
		.tx_bytes = sum_bytes(wire, !end),
		.tx_dropped = soft_read(&self->tx_dropped),
	};
	for (uint32_t i = 0; i < wire->config.queues; i++)
		statistics->rx_dropped += soft_read(&self->queues[i].drops);
}

void xdplab_wire_queue_statistics(const struct xdplab_wire *wire, uint32_t end, uint32_t queue,
				  struct xdplab_queue_statistics *statistics)
{
	const struct soft_queue *self = wire->ends[end].queues + queue;

	*statistics = (struct xdplab_queue_statistics){
		.rx_xdp_packets = soft_read(&self->packets),
		.rx_xdp_bytes = soft_read(&self->bytes),
		.rx_drops = soft_read(&self->drops),
		.rx_xdp_redirect = soft_read(&self->redirect),
		.tx_xdp_xmit = soft_read(&self->xmit),
	};
}
