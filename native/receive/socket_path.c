/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/socket_path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/compat.h"
#include "base/error.h"
#include "base/knob.h"
#include "include/traffic.h"
#include "shared/worker.h"

/* A blocking receive sleeps at most this part of the publish interval, rounded up to the kernel's ticks. */
enum { SLEEPS_AN_INTERVAL = 4 };
#define SLOTS_SIZE ((size_t)(SOCKET_SLOTS + 1) * SOCKET_SLOT_SIZE)

static int refuse(struct xdplab_error *error, int descriptor, enum xdplab_step step, const char *tried)
{
	fail(error, step, errno, "%s", tried);
	close(descriptor);
	return -1;
}

/* Exceeds the administrator's limit (net.core.rmem_max), if this process may. */
static int set_buffer(int descriptor, const struct xdplab_config *config)
{
	const int bytes = (int)config->socket_buffer;

	if (!setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		return 0;
	return errno == EPERM ? setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) : -1;
}

int socket_path_open_udp(const struct path_place *place, struct xdplab_error *error)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(TRAFFIC_PORT),
		.sin_addr.s_addr = place->config->address,
	};
	const int index = (int)place->interface_index;
	int descriptor = path_socket(place, AF_INET, SOCK_DGRAM);

	if (descriptor < 0) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open a UDP socket");
		return -1;
	}
	/* The XDP program counts the packets of this interface, so the socket must get no others. */
	if (setsockopt(descriptor, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)))
		return refuse(error, descriptor, XDPLAB_STEP_OPEN_SOCKET, "bind a UDP socket to the interface");
	if (set_buffer(descriptor, place->config))
		return refuse(error, descriptor, XDPLAB_STEP_OPEN_SOCKET, "size the socket's buffer");
	if (bind(descriptor, (const struct sockaddr *)&address, sizeof(address)))
		return refuse(error, descriptor, XDPLAB_STEP_BIND_SOCKET, "bind a UDP socket to port 9 (discard)");
	return descriptor;
}

int socket_path_open_packet(const struct path_place *place, struct xdplab_error *error)
{
	const int yes = 1;
	/* No protocol yet, so that it receives nothing before it is bound. */
	int descriptor = path_socket(place, AF_PACKET, SOCK_RAW);

	if (descriptor < 0) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open an AF_PACKET socket");
		return -1;
	}
	if (setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)))
		return refuse(error, descriptor, XDPLAB_STEP_OPEN_SOCKET, "leave out what the host sends");
	if (set_buffer(descriptor, place->config))
		return refuse(error, descriptor, XDPLAB_STEP_OPEN_SOCKET, "size the socket's buffer");
	return descriptor;
}

int socket_path_bind_packet(int descriptor, const struct path_place *place, struct xdplab_error *error)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)place->interface_index,
	};

	if (bind(descriptor, (const struct sockaddr *)&address, sizeof(address)))
		return fail(error, XDPLAB_STEP_BIND_SOCKET, errno, "bind an AF_PACKET socket to the interface");
	return 0;
}

int socket_path_limit_sleep(int descriptor, const struct path_place *place, struct xdplab_error *error)
{
	const uint64_t microseconds = place->config->publish_interval_ns / 1000 / SLEEPS_AN_INTERVAL;
	const struct timeval timeout = { .tv_usec = (suseconds_t)microseconds }; /* below a second, as intervals are */

	if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "limit how long a receive sleeps");
	return 0;
}

static void *make_slots(void)
{
	void *slots = mmap(NULL, SLOTS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return slots == MAP_FAILED ? NULL : slots;
}

struct path *socket_path_make(size_t size, const struct path_operations *operations, int descriptor,
			      const struct path_place *place, void *area, struct xdplab_error *error)
{
	struct socket_path *self = calloc(1, size);

	if (self && !area)
		area = make_slots();
	if (!self || !area) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate a receive path");
		free(self);
		close(descriptor);
		return NULL;
	}
	self->interface_index = place->interface_index;
	self->path = (struct path){
		.operations = operations,
		.area = area,
		.descriptor = descriptor,
		.packet_frames = 1,
		.only_drops = true,
	};
	return &self->path;
}

void socket_path_close(struct path *path)
{
	if (path->area)
		munmap(path->area, SLOTS_SIZE);
	close(path->descriptor);
	free(path);
}

uint32_t socket_path_batch(const struct worker *worker)
{
	return clamp(knob(&worker->block->control.batch), 1, SOCKET_SLOTS);
}

uint32_t socket_path_receive(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	struct socket_path *self = socket_path_of(path);
	const uint32_t left = self->count - self->next;
	const uint32_t count = left < limit ? left : limit;

	for (uint32_t i = 0; i < count; i++)
		frames[i] = self->fetched[self->next++];
	return count;
}

/* Fetched packets are handed out and recycled before more are fetched, so the slots are simply used again. */
void socket_path_recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	(void)path;
	(void)frames;
	(void)count;
}

bool socket_path_wait_blocking(struct path *path, struct worker *worker, uint64_t timeout_ns)
{
	struct socket_path *self = socket_path_of(path);
	ssize_t length;

	if (socket_path_has_some(self))
		return false;
	socket_path_begin_fetch(self);
	worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM]++;
	/* With MSG_TRUNC the result is the packet's whole length, even if it is longer than the slot. */
	length = recvfrom(path->descriptor, socket_path_slot(self, 0), SOCKET_SLOT_SIZE,
			  MSG_TRUNC | (timeout_ns ? 0 : MSG_DONTWAIT), NULL, NULL);
	if (length >= 0)
		socket_path_fetched(self, 0, (uint32_t)length);
	else if (errno == EAGAIN)
		worker->counters.timeouts += timeout_ns != 0;
	else if (errno != EINTR && errno != ENETDOWN) /* a link that is down may come up again; `fault` looks for it */
		worker->counters.fault = (uint64_t)errno;
	return false;
}

/* A receive does not report whether it slept, but the scheduler's count does. */
static void publish_wakeups(struct xdplab_counters *counters)
{
	const uint64_t others = counters->timeouts + counters->syscalls[XDPLAB_SYSCALL_PACE];

	if (counters->voluntary_switches > others + counters->wakeups)
		counters->wakeups = counters->voluntary_switches - others;
}

static void publish_positions(const struct socket_path *self, uint64_t came, const struct xdplab_counters *base,
			      struct xdplab_counters *counters)
{
	counters->rx_producer = base->rx_producer + came;
	counters->rx_consumer = base->rx_consumer + self->fetches - (self->count - self->next);
	counters->rx_ring_full = base->rx_ring_full + self->drops;
	if (self->blocks)
		publish_wakeups(counters);
}

/* The kernel does not report the number of datagrams in the socket's buffer. */
void socket_path_publish_udp(struct path *path, const struct xdplab_counters *base, struct xdplab_counters *counters)
{
	struct socket_path *self = socket_path_of(path);
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(memory);

	counters->syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	if (!getsockopt(path->descriptor, SOL_SOCKET, SO_MEMINFO, memory, &length)) {
		self->drops += memory[SK_MEMINFO_DROPS] - self->kernel_drops;
		self->kernel_drops = memory[SK_MEMINFO_DROPS];
	}
	publish_positions(self, self->fetches, base, counters);
}

/* The kernel resets these counts each time that they are read. */
void socket_path_publish_packet(struct path *path, const struct xdplab_counters *base,
				struct xdplab_counters *counters)
{
	struct socket_path *self = socket_path_of(path);
	struct tpacket_stats_v3 statistics = { 0 }; /* of which other versions fill in the first two */
	socklen_t length = sizeof(statistics);

	counters->syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	if (!getsockopt(path->descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &length)) {
		self->packets += statistics.tp_packets;
		self->drops += statistics.tp_drops;
	}
	publish_positions(self, self->packets - self->drops, base, counters);
}

int socket_path_fault(struct path *path)
{
	return path_link_fault(path->descriptor, socket_path_of(path)->interface_index);
}
