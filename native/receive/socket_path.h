/* SPDX-License-Identifier: Apache-2.0
 *
 * What receive paths over an ordinary socket have in common: slots that packets are copied into, a queue of those
 * that were fetched and not yet handed to the worker, and the socket itself.
 *
 *     socket's buffer ── fetched by a system call of `wait` ──▶ slots ── receive ──▶ worker ── recycle
 */
#ifndef XDPLAB_SOCKET_PATH_H
#define XDPLAB_SOCKET_PATH_H

#include <string.h>

#include "shared/path.h"

/* A slot holds the 4096 bytes that a sample keeps at most, which is read by whole words; a longer packet has its
 * true length and is cut. No power of two, or the beginnings of all would share a few cache lines. */
enum { SOCKET_SLOTS = 1024, SOCKET_SLOT_SIZE = 4096 + 128 };
/* Packets that may be fetched on top, without a byte: the slot behind the last stands for them. */
enum { SOCKET_EMPTY = 2 };

struct socket_path {
	struct path path;
	uint32_t interface_index;
	uint32_t next;    /* of `fetched`, that the worker takes next */
	uint32_t count;   /* of `fetched` */
	uint64_t fetches; /* packets that were ever fetched */
	uint64_t drops;   /* that the kernel counted for want of room */
	uint32_t kernel_drops; /* its own count, which wraps */
	uint64_t packets; /* AF_PACKET: that the kernel counted, drops included */
	bool blocks;      /* the worker sleeps in a receive */
	struct xdp_desc fetched[SOCKET_SLOTS + SOCKET_EMPTY];
};

/* Makes a path of `size` bytes that begins with a struct socket_path, with slots of its own where `area` is NULL.
 * Takes the descriptor over, also where it fails. */
struct path *socket_path_make(size_t size, const struct path_operations *operations, int descriptor,
			      const struct path_place *place, void *area, struct xdplab_error *error);
/* A UDP socket on the port that our generators send to; or an AF_PACKET one that sees what arrives on the
 * interface, and is not bound yet. -1 where that fails. */
int socket_path_open_udp(const struct path_place *place, struct xdplab_error *error);
int socket_path_open_packet(const struct path_place *place, struct xdplab_error *error);
int socket_path_bind_packet(int descriptor, const struct path_place *place, struct xdplab_error *error);
/* How long a blocking receive sleeps: a part of the publish interval, so that a record comes little late. */
int socket_path_limit_sleep(int descriptor, const struct path_place *place, struct xdplab_error *error);

static inline struct socket_path *socket_path_of(struct path *path)
{
	return (struct socket_path *)path;
}

static inline uint8_t *socket_path_slot(const struct socket_path *self, uint32_t slot)
{
	return self->path.area + (uint64_t)slot * SOCKET_SLOT_SIZE;
}

/* To be called where none is left of what was fetched before. */
static inline void socket_path_begin_fetch(struct socket_path *self)
{
	self->next = self->count = 0;
}

/* Makes room behind what is left of it instead. */
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

/* Whether it has packets to hand out before it is worth waiting. */
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
