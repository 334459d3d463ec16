/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine and its workers (worker/engine.c, worker/ports.c).
 *
 * An engine captures from queues of one interface, or of two that it joins, with AF_XDP. Each queue has a
 * worker, and all share one UMEM. For comparison it can capture from one interface through another path (path.h):
 *
 *     open        UMEM and region made
 *     open_port   the interface's sockets bound, its XDP program loaded and attached; called in the
 *                 interface's network namespace, once for each port
 *                 If the caller passes open sockets, it needs no privilege, and attach_port follows
 *     resume      packets go to the sockets
 *     start       the workers' threads run, pinned
 *     stop        the threads end; sockets and region stay, and start may follow
 *     close       everything is freed
 *
 * To change its configuration: pause, start until its rings are empty, reconfigure, open_port, resume.
 *
 * A call that fails fills in the error, leaves nothing half-made and returns NULL or a negative errno.
 * An engine is used by one thread at a time, except for its region.
 */
#ifndef XDPLAB_INCLUDE_ENGINE_H
#define XDPLAB_INCLUDE_ENGINE_H

#include "include/attach.h"
#include "include/stream.h"
#include "include/telemetry.h"
#include "include/umem.h"

enum { XDPLAB_PORTS = 2 };
enum { XDPLAB_QUEUE_SOCKETS = 64 }; /* most workers of one queue */
enum xdplab_bind_mode { XDPLAB_BIND_AUTO, XDPLAB_BIND_COPY, XDPLAB_BIND_ZERO_COPY };

/* Whether the UMEM uses pages of 2 MiB, which the administrator reserves. */
enum xdplab_huge_pages { XDPLAB_HUGE_PAGES_NEVER, XDPLAB_HUGE_PAGES_IF_ANY, XDPLAB_HUGE_PAGES_ALWAYS };

struct xdplab_worker_config {
	uint32_t port;     /* the port it receives from */
	uint32_t queue; /* of several workers, too: each then has a socket of its own on it */
	uint32_t entry; /* in which its socket is in the XSKMAP: the queue, where the program is not the user's */
	uint32_t transmit; /* number of the worker whose socket it sends through: itself, or one of the other port */
	int32_t cpu;
	uint32_t realtime; /* 1 to 99: SCHED_FIFO at this priority; 0: like any other thread */
};

struct xdplab_wire; /* simulated interfaces: soft.h */

struct xdplab_config {
	const struct xdplab_stream_config *stream; /* of the action generate; NULL: it has nothing to send */
	const char *program; /* path of the compiled capture program */
	const struct xdplab_worker_config *workers;
	uint32_t worker_count;
	uint32_t attach_mode;
	uint32_t bind_mode;
	struct xdplab_match match;
	uint32_t takes_all; /* 1: redirects ARP and neighbour discovery too; else they stay with the stack */
	uint32_t action;    /* the first one; the control block changes it later */
	uint32_t ring_size; /* of RX, TX and completion rings; each fill ring holds twice as many */
	uint32_t frame_size;
	uint32_t headroom;   /* bytes left free before each packet */
	uint32_t huge_pages; /* enum xdplab_huge_pages */
	uint32_t delivers; /* 1: workers are no threads: callers run their turns and get the frames (capture.h) */
	uint32_t shared_umem; /* the UMEM is in a memfd, which another process may register */
	uint32_t multi_buffer; /* a packet may fill several frames */
	uint32_t users_program; /* 1: the XDP program is the user's, who attaches it; take_map follows open_port */
	uint32_t transmit_metadata; /* 1: the device can be asked to finish checksums of packets that are sent on */
	uint32_t metadata;     /* the program writes a struct frame_metadata in front of each packet */
	uint32_t unaligned;  /* frames need not be a power of two */
	uint32_t path;       /* index of the receive path; the next two fields are for paths other than AF_XDP */
	uint32_t address;       /* the interface's IPv4 address, in network byte order */
	uint64_t socket_buffer; /* bytes for packets that wait: requested as SO_RCVBUF, or size of a block ring */
	uint32_t sample_bytes;
	uint64_t publish_interval_ns;
	uint32_t queue_counts[XDPLAB_PORTS]; /* queues of each port's interface */
	uint32_t longest[XDPLAB_PORTS]; /* longest packet that each port's interface sends, in bytes; 0: unknown */
	/* Path soft only, for each port in use: its wire, to which the engine takes a reference, and the end of it. */
	struct xdplab_wire *wires[XDPLAB_PORTS];
	uint32_t ends[XDPLAB_PORTS];
};

/* Sockets that a privileged process opened in the interface's network namespace. The caller closes them. */
struct xdplab_given {
	/* One for each worker of the port, in their order, of the kind that the path takes: AF_XDP, AF_PACKET
	 * (SOCK_RAW, no protocol yet) or AF_INET (SOCK_DGRAM). None is bound. */
	const int32_t *sockets;
	uint32_t umem_registered; /* 1: the UMEM (xdplab_engine_umem) is registered with the first of them */
};

struct xdplab_engine;

struct xdplab_engine *xdplab_engine_open(const struct xdplab_config *config, struct xdplab_error *error);
/* `given` may be NULL. With given sockets, or on the user's program, it returns 1 if a program must be attached and
 * passed to attach_port, or to take_map. */
int xdplab_engine_open_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			    const struct xdplab_given *given, struct xdplab_error *error);
/* For a port that was given its sockets: takes the attached program. If this fails, the port is closed. */
int xdplab_engine_attach_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			      const struct xdplab_attachment *attachment, struct xdplab_error *error);
/* For an engine on the user's program: takes its XSKMAP. If this fails, the port is closed. */
int xdplab_engine_take_map(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index, int32_t map,
			   struct xdplab_error *error);
/* To change to a program with another XSKMAP: the sockets are entered in that, too, before the user replaces the
 * program; then the engine changes to it, and takes them out of the former; or leaves it again. */
int xdplab_engine_enter_map(struct xdplab_engine *engine, uint32_t port, int32_t map, struct xdplab_error *error);
int xdplab_engine_change_map(struct xdplab_engine *engine, uint32_t port, int32_t map, struct xdplab_error *error);
void xdplab_engine_leave_map(struct xdplab_engine *engine, uint32_t port, int32_t map);
/* Lets packets go to the engine's sockets from now on. All its ports must be open. */
int xdplab_engine_resume(struct xdplab_engine *engine, struct xdplab_error *error);
/* From now on the XDP programs pass packets to the stack and count them. On return no packet is on its way to a
 * socket. Running workers drain their rings and send no more of a stream, until the engine is reconfigured. */
void xdplab_engine_pause(struct xdplab_engine *engine);
/* Describes the UMEM for its registration. 0, or -ENOENT if it has no shared one. */
int xdplab_engine_umem(const struct xdplab_engine *engine, struct xdplab_umem *umem);
/* Size in bytes of the UMEM that an engine with this configuration makes. */
uint64_t xdplab_umem_bytes(const struct xdplab_config *config);
/* Stops the engine and gives it another configuration with as many workers; the caller then opens its ports again.
 * Region, control blocks, counters and XDP programs stay. If it fails, the caller may try again or close it. */
int xdplab_engine_reconfigure(struct xdplab_engine *engine, const struct xdplab_config *config,
			      struct xdplab_error *error);
int xdplab_engine_start(struct xdplab_engine *engine, struct xdplab_error *error);
/* -EBUSY if a handler (handler.h) has not returned for seconds: its thread ends once it has. */
int xdplab_engine_stop(struct xdplab_engine *engine);
int xdplab_engine_started(const struct xdplab_engine *engine); /* and not stopped since */
/* Writes a record of each stopped worker's rings, where packets go on arriving. Running workers write their own. */
void xdplab_engine_refresh(struct xdplab_engine *engine);
/* -EBUSY if a handler does not return: the XDP programs were taken off, but thread, sockets, memory and region stay as
 * long as the process, and so must the handler. */
int xdplab_engine_close(struct xdplab_engine *engine);
/* Closes the engine that `held` points to, unless NULL, and sets the pointer to NULL. */
int xdplab_engine_give_back(struct xdplab_engine **held);
int xdplab_engine_descriptor(const struct xdplab_engine *engine); /* of the region, owned by the engine */
struct xdplab_control *xdplab_engine_control(const struct xdplab_engine *engine, uint32_t worker);
int xdplab_engine_zero_copy(const struct xdplab_engine *engine, uint32_t worker);
int xdplab_engine_huge_pages(const struct xdplab_engine *engine);
/* How many times an interface was without a program for a moment, because the attach mode was changed. */
uint32_t xdplab_engine_detachments(const struct xdplab_engine *engine);
int xdplab_engine_verdicts(const struct xdplab_engine *engine, uint32_t port, struct xdplab_verdicts *verdicts);
/* Looks whether the port's program is still attached. It takes the kernel's lock on interfaces, so no worker calls
 * it. 0, or -ENOENT where the port is closed or simulated. */
int xdplab_engine_hold(struct xdplab_engine *engine, uint32_t port, struct xdplab_hold *hold);
/* Returns a queue whose socket someone took out of the port's XSKMAP, or -1. */
int32_t xdplab_engine_unserved(struct xdplab_engine *engine, uint32_t port);

/* 0, or the errno for which the strategy can't be used by a running worker. */
int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t worker, uint32_t index);
/* NULL, or why the strategy has no effect on the worker's device, and which one to use instead. */
const char *xdplab_engine_wait_ineffective(const struct xdplab_engine *engine, uint32_t worker, uint32_t index);
/* Sets the id of the NAPI that serves the worker's queue. To be called each time between open_port and start, since
 * some drivers have a NAPI only while the port is open. */
void xdplab_engine_set_napi(struct xdplab_engine *engine, uint32_t worker, uint32_t napi);

/* Names of the wait strategies, actions and receive paths in the order of their indices; NULL past the last
 * (wait/wait.c, act/action.c, receive/path.c). */
const char *xdplab_wait_strategy(uint32_t index);
const char *xdplab_action(uint32_t index);
const char *xdplab_path(uint32_t index);
uint32_t xdplab_path_counts(uint32_t index); /* enum xdplab_counts */

#endif
