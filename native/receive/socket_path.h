/* SPDX-License-Identifier: Apache-2.0
 *
 * Common code of receive paths over an ordinary socket: slots that packets are copied into, a queue of the packets
 * fetched and not yet handed to the worker, and the socket itself.
 *
 *     socket's buffer ── fetched by a system call of `wait` ──▶ slots ── receive ──▶ worker ── recycle
 */
#ifndef XDPLAB_SOCKET_PATH_H
#define XDPLAB_SOCKET_PATH_H

#include <string.h>

#include "shared/path.h"

/* A slot holds the 4096 bytes that a sample keeps at most, read by whole words; a longer packet is cut but has its true
 * length. The size is no power of two: otherwise the beginnings of all slots would share a few cache sets. */
enum { SOCKET_SLOTS = 1024, SOCKET_SLOT_SIZE = 4096 + 128 };
/* Empty packets that may be fetched in addition: the slot after the last stands for them. */
enum { SOCKET_EMPTY = 2 };

struct socket_path {
	struct path path;
	uint32_t interface_index;
	uint32_t next;    /* index in `fetched` of the worker's next packet */
	uint32_t count;   /* packets in `fetched` */
	uint64_t fetches; /* packets ever fetched */
	uint64_t drops;   /* packets that the kernel dropped because there was no room */
	uint32_t kernel_drops; /* its own count, which wraps */
	uint64_t packets; /* AF_PACKET: packets that the kernel counted, drops included */
	bool blocks;      /* the worker sleeps in a receive */
	struct xdp_desc fetched[SOCKET_SLOTS + SOCKET_EMPTY];
};

/* Makes a path of `size` bytes that begins with a struct socket_path, with slots of its own if `area` is NULL. It owns
 * the descriptor from then on, even if it fails. */
struct path *socket_path_make(size_t size, const struct path_operations *operations, int descriptor,
			      const struct path_place *place, void *area, struct xdplab_error *error);
/* Opens a UDP socket on the port of xdplab's generators, or an AF_PACKET socket for packets that arrive on the
 * interface, not bound yet. -1 if that fails. */
int socket_path_open_udp(const struct path_place *place, struct xdplab_error *error);
int socket_path_open_packet(const struct path_place *place, struct xdplab_error *error);
int socket_path_bind_packet(int descriptor, const struct path_place *place, struct xdplab_error *error);
/* Limits the sleep of a blocking receive to a part of the publish interval, so that records are not much late. */
int socket_path_limit_sleep(int descriptor, const struct path_place *place, struct xdplab_error *error);

static inline struct socket_path *socket_path_of(struct path *path)
{
	return (struct socket_path *)path;
}

static inline uint8_t *socket_path_slot(const struct socket_path *self, uint32_t slot)
{
	return self->path.area + (uint64_t)slot * SOCKET_SLOT_SIZE;
}

/* To be called when no fetched packet is left. */
static inline void socket_path_begin_fetch(struct socket_path *self)
{
	self->next = self->count = 0;
}

/* Else this makes room after the packets that are left. */
static inline void socket_path_compact(struct socket_path *self)
{
	self->count -= self->next;
	memmove(self->fetched, self->fetched + self->next, self->count * sizeof(*self->fetched));
	self->next = 0;
}

static inline void socket_path_fetched(struct socket_path *self, uint32_t slot, uint32_t length)
{
	self->fetched[self->count++] =
		(struct xdp_desc){ .addr = (uint64_t)slot * SOCKET_SLOT_SIZE, .len = length };
	self->fetches++;
}

/* Whether fetched packets are left to hand out, so that it must not wait. */
static inline bool socket_path_has_some(const struct socket_path *self)
{
	return self->next < self->count;
}

/* Most packets to fetch at once. */
uint32_t socket_path_batch(const struct worker *worker);

/* For struct path_operations. */
uint32_t socket_path_receive(struct path *path, struct xdp_desc *frames, uint32_t limit);
void socket_path_recycle(struct path *path, const struct xdp_desc *frames, uint32_t count);
bool socket_path_wait_blocking(struct path *path, struct worker *worker, uint64_t timeout_ns);
void socket_path_publish_udp(struct path *path, const struct xdplab_counters *base, struct xdplab_counters *counters);
void socket_path_publish_packet(struct path *path, const struct xdplab_counters *base,
				struct xdplab_counters *counters);
int socket_path_fault(struct path *path);
void socket_path_close(struct path *path);

#endif
