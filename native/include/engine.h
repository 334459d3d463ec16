/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's public API. Together with telemetry.h it is all that Python sees.
 *
 * An engine captures from queues of one interface, or of two that it joins, with AF_XDP. Each queue has a
 * worker, and all share one UMEM. Or it captures from one interface in another way, for comparison (path.h):
 *
 *     open        UMEM and region made
 *     open_port   the interface's sockets bound, its XDP program loaded and attached; called in the
 *                 interface's network namespace, once for each port
 *                 With sockets that someone else opened, it takes no privilege, and attach_port follows
 *     resume      packets go to the sockets
 *     start       the workers' threads run, pinned
 *     stop        the threads end; sockets and region stay, and start may follow
 *     close       everything is given back
 *
 * To change its configuration: pause, start until its rings are empty, reconfigure, open_port, resume.
 *
 * A call that fails fills in the error, leaves nothing half-made and returns NULL or a negative errno.
 * An engine is used by one thread at a time, except for its region.
 */
#ifndef XDPLAB_ENGINE_H
#define XDPLAB_ENGINE_H

#include "include/telemetry.h"

/* What was being done when the kernel refused; Python has the remedies. */
enum xdplab_step {
	XDPLAB_STEP_NONE,
	XDPLAB_STEP_LOAD_PROGRAM,
	XDPLAB_STEP_ATTACH_PROGRAM,
	XDPLAB_STEP_OPEN_SOCKET,
	XDPLAB_STEP_REGISTER_UMEM,
	XDPLAB_STEP_SIZE_RINGS,
	XDPLAB_STEP_BIND,
	XDPLAB_STEP_ENTER_SOCKET,
	XDPLAB_STEP_MAKE_REGION,
	XDPLAB_STEP_START_THREAD,
	XDPLAB_STEP_PREPARE_WAIT,
	XDPLAB_STEP_GENERATE,
	XDPLAB_STEP_TRACE,
	XDPLAB_STEP_MAP_HUGE_PAGES,
	XDPLAB_STEP_BIND_SOCKET,
	XDPLAB_STEP_PREPARE_PATH,
};

struct xdplab_error {
	uint32_t step;
	int32_t code; /* positive errno */
	char tried[160];
	char detail[16384]; /* the verifier's words, where it spoke */
};

enum { XDPLAB_PORTS = 2 };
enum xdplab_attach_mode { XDPLAB_ATTACH_NATIVE, XDPLAB_ATTACH_SKB };
enum xdplab_bind_mode { XDPLAB_BIND_AUTO, XDPLAB_BIND_COPY, XDPLAB_BIND_ZERO_COPY };

/* Pages of 2 MiB for the UMEM, which the administrator sets aside. */
enum xdplab_huge_pages { XDPLAB_HUGE_PAGES_NEVER, XDPLAB_HUGE_PAGES_IF_ANY, XDPLAB_HUGE_PAGES_ALWAYS };

struct xdplab_worker_config {
	uint32_t port;     /* that it receives from */
	uint32_t queue;
	uint32_t transmit; /* number of the worker through whose socket it sends: its own, or another port's */
	int32_t cpu;
	uint32_t realtime; /* 1 to 99: SCHED_FIFO at this priority; 0: like any other thread */
};

/* What the action generate sends. */
struct xdplab_stream_config {
	uint32_t size; /* of a frame, without its checksum */
	uint32_t flows;
	uint64_t interval_ps;  /* between two frames, in picoseconds; 0: as fast as it can */
	uint64_t limit_frames; /* of one start; 0: none */
	uint64_t limit_ns;     /* of one start; 0: none */
	uint8_t headers[42];   /* Ethernet, IPv4, UDP */
};

struct xdplab_wire; /* simulated interfaces: below */

struct xdplab_config {
	const struct xdplab_stream_config *stream; /* or NULL: the action generate has nothing to send */
	const char *program; /* path of the compiled capture program */
	const struct xdplab_worker_config *workers;
	uint32_t worker_count;
	uint32_t attach_mode;
	uint32_t bind_mode;
	uint32_t takes_all; /* ARP and neighbour discovery too, which a capture leaves to the stack */
	uint32_t action;    /* to begin with */
	uint32_t ring_size; /* of RX, TX and completion rings; each fill ring holds twice as many */
	uint32_t frame_size;
	uint32_t headroom;   /* bytes left free before each packet */
	uint32_t huge_pages; /* enum xdplab_huge_pages */
	uint32_t shared_umem; /* in a memfd, which someone else may register */
	uint32_t multi_buffer; /* a packet may fill several frames */
	uint32_t metadata;     /* the program puts some in front of each packet */
	uint32_t unaligned;  /* frames need not be a power of two */
	uint32_t path;       /* index of the receive path; what follows is for others than AF_XDP */
	uint32_t address;       /* the interface's IPv4 address, in network byte order */
	uint64_t socket_buffer; /* bytes for packets that wait: what SO_RCVBUF is asked for, or of a block ring */
	uint32_t sample_bytes;
	uint64_t publish_interval_ns;
	uint32_t queue_counts[XDPLAB_PORTS]; /* of each port's interface */
	uint32_t longest[XDPLAB_PORTS]; /* bytes of a packet that each port's interface sends; 0: not known */
	/* Of the path soft, for each port that is used: its wire, which the engine then holds, and which end of it. */
	struct xdplab_wire *wires[XDPLAB_PORTS];
	uint32_t ends[XDPLAB_PORTS];
};

/* Queues that an XDP program can have a socket on; more where an engine asks for a higher one. */
enum { XDPLAB_MAP_QUEUES = 256 };

/* What the XDP program of a receive path counts as being for it. */
enum xdplab_counts {
	XDPLAB_COUNTS_REDIRECTED, /* to the engine's AF_XDP socket */
	XDPLAB_COUNTS_DATAGRAMS,  /* for the engine's UDP socket; it goes to the stack like all else */
	XDPLAB_COUNTS_ALL,        /* what an AF_PACKET socket sees: everything, which goes to the stack as well */
	XDPLAB_COUNTS_DROPPED,    /* by the program itself */
};

/* What became of frames in the XDP program, summed over the cores. */
struct xdplab_verdicts {
	uint64_t redirected; /* to the engine's socket, or for another path, whatever is for that */
	uint64_t passed;     /* ARP, neighbour discovery and the like, left to the stack */
	uint64_t no_socket;  /* arrived on a queue without an engine, left to the stack */
	uint64_t reconfiguring; /* arrived while the engine had no sockets, left to the stack */
	uint64_t bytes;      /* of those redirected, on other paths than AF_XDP */
};

/* What became of a port's XDP program, which others may take off and whose interface may move or go. */
struct xdplab_hold {
	uint32_t interface_index; /* that it is attached to, in whichever namespace that is now; 0: to none */
	uint32_t program;         /* id of the program there; 0: none, or not told */
	uint32_t loaded;          /* id of the engine's own */
	int32_t unserved;         /* a queue whose socket is not in the XSKMAP any more, or -1 */
	uint32_t taken_off;       /* by the port's last worker, when it ended; the first two are from just before */
};

/* What someone with the privilege opened in the interface's network namespace. The descriptors stay the caller's. */
struct xdplab_given {
	/* One for each worker of the port, in their order: AF_XDP, AF_PACKET (SOCK_RAW, of no protocol yet) or AF_INET
	 * (SOCK_DGRAM), as the path takes them. None is bound. */
	const int32_t *sockets;
	uint32_t umem_registered; /* with the first of them, as xdplab_engine_umem says */
};
struct xdplab_umem {
	int32_t descriptor; /* of the sealed memfd with it, owned by the engine */
	uint32_t frame_size;
	uint32_t frame_count;
	uint32_t headroom;
	uint32_t unaligned;
};
struct xdplab_attachment {
	int32_t link;
	int32_t sockets; /* the XSKMAP; negative where the program has none */
	int32_t verdicts;
};

struct xdplab_engine;

struct xdplab_engine *xdplab_engine_open(const struct xdplab_config *config, struct xdplab_error *error);
/* `given` or NULL. With given sockets, 1 where a program is to be attached, which attach_port is told of. */
int xdplab_engine_open_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			    const struct xdplab_given *given, struct xdplab_error *error);
/* Of a port that was given its sockets. Where it fails, the port is closed. */
int xdplab_engine_attach_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			      const struct xdplab_attachment *attachment, struct xdplab_error *error);
/* Of an engine whose ports are open: from now on, packets go to its sockets. */
int xdplab_engine_resume(struct xdplab_engine *engine, struct xdplab_error *error);
/* From now on its XDP programs leave packets to the stack, and count them. On return none is on its way to a socket,
 * and running workers empty their rings and send no more of a stream, until the engine is reconfigured. */
void xdplab_engine_pause(struct xdplab_engine *engine);
/* The UMEM as it is to be registered. 0, or -ENOENT where there is none that is shared. */
int xdplab_engine_umem(const struct xdplab_engine *engine, struct xdplab_umem *umem);
/* Bytes of the UMEM that an engine makes. */
uint64_t xdplab_umem_bytes(const struct xdplab_config *config);
/* Descriptor of the BPF object that a file of a BPF filesystem stands for, or a negative errno. */
int xdplab_pinned(const char *path);
/* Stops the engine and gives it another configuration with as many workers; its ports are to be opened again.
 * Region, control blocks, counters and XDP programs stay. Where it fails, the engine is good for another try, or close. */
int xdplab_engine_reconfigure(struct xdplab_engine *engine, const struct xdplab_config *config,
			      struct xdplab_error *error);
int xdplab_engine_start(struct xdplab_engine *engine, struct xdplab_error *error);
void xdplab_engine_stop(struct xdplab_engine *engine);
int xdplab_engine_started(const struct xdplab_engine *engine); /* and not stopped since */
/* Packets go on arriving at a stopped worker: writes a record of what its rings hold now. Running ones do so
 * themselves. */
void xdplab_engine_refresh(struct xdplab_engine *engine);
void xdplab_engine_close(struct xdplab_engine *engine);
int xdplab_engine_descriptor(const struct xdplab_engine *engine); /* of the region, owned by the engine */
struct xdplab_control *xdplab_engine_control(const struct xdplab_engine *engine, uint32_t worker);
int xdplab_engine_zero_copy(const struct xdplab_engine *engine);
int xdplab_engine_huge_pages(const struct xdplab_engine *engine);
/* How often it was without a program on an interface, as it takes to change the attach mode. */
uint32_t xdplab_engine_detachments(const struct xdplab_engine *engine);
int xdplab_engine_verdicts(const struct xdplab_engine *engine, uint32_t port, struct xdplab_verdicts *verdicts);
/* Looks whether the port's program is still attached, which takes the kernel's lock on interfaces: no worker asks.
 * 0, or -ENOENT where the port is closed or simulated. */
int xdplab_engine_hold(struct xdplab_engine *engine, uint32_t port, struct xdplab_hold *hold);

/* Names of the wait strategies in the order of their indices; NULL past the last. */
const char *xdplab_wait_strategy(uint32_t index);
/* 0, or the errno for which the strategy can't be used by a running worker. */
int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t worker, uint32_t index);
/* NULL, or why the strategy can do nothing on the worker's device, and what to use instead. */
const char *xdplab_engine_wait_ineffective(const struct xdplab_engine *engine, uint32_t worker, uint32_t index);
/* The id of the NAPI that serves the worker's queue, which some drivers have only once the port is open. Between
 * open_port and start, each time. */
void xdplab_engine_set_napi(struct xdplab_engine *engine, uint32_t worker, uint32_t napi);
/* Likewise the actions, and the receive paths. */
const char *xdplab_action(uint32_t index);
const char *xdplab_path(uint32_t index);
uint32_t xdplab_path_counts(uint32_t index); /* enum xdplab_counts */

/* The reading side of the region, for any process: map, read, unmap. */
struct xdplab_region;
struct xdplab_region *xdplab_region_map(int descriptor, struct xdplab_error *error);
void xdplab_region_unmap(struct xdplab_region *region);
const struct xdplab_header *xdplab_region_header(const struct xdplab_region *region);
const struct xdplab_control *xdplab_region_control(const struct xdplab_region *region, uint32_t worker);
/* A word of a control block. */
uint64_t xdplab_load(const uint64_t *word);
void xdplab_store(uint64_t *word, uint64_t value);
/* How many were ever written. */
uint64_t xdplab_history_written(const struct xdplab_region *region, uint32_t worker);
uint64_t xdplab_long_history_written(const struct xdplab_region *region, uint32_t worker);
uint64_t xdplab_samples_written(const struct xdplab_region *region, uint32_t worker);
/* Copies whole records from number `from` on, oldest first, skipping those already overwritten or not yet
 * whole. Returns how many were copied; *next is the number to go on from. */
uint32_t xdplab_read_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     struct xdplab_record *records, uint32_t limit, uint64_t *next);
uint32_t xdplab_read_long_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
				  struct xdplab_record *records, uint32_t limit, uint64_t *next);
uint32_t xdplab_read_samples(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     void *records, uint32_t limit, uint64_t *next);
/* 1, 0 where the worker never ran, or -EAGAIN where it is writing them: it may be done soon, or was killed. */
int xdplab_read_rings(const struct xdplab_region *region, uint32_t worker, struct xdplab_rings *rings);
void xdplab_read_latency(const struct xdplab_region *region, uint32_t worker, uint64_t *buckets);
/* The first nanosecond that belongs to a latency bucket. */
uint64_t xdplab_latency_bucket_start(uint32_t bucket);

/* The in-kernel generator: BPF_PROG_TEST_RUN with live frames, on a thread of its own. */
struct xdplab_traffic {
	const char *program;
	uint32_t interface_index; /* sends out of it; looked up in the caller's network namespace */
	int32_t cpu;
	uint32_t longest; /* bytes of a frame that it takes: the kernel drops longer ones without a word */
	struct xdplab_stream_config stream;
};
struct xdplab_generator;
struct xdplab_generator *xdplab_generator_open(const struct xdplab_traffic *traffic, struct xdplab_error *error);
int xdplab_generator_start(struct xdplab_generator *generator, struct xdplab_error *error);
void xdplab_generator_stop(struct xdplab_generator *generator);
void xdplab_generator_close(struct xdplab_generator *generator);
void xdplab_generator_set_interval(struct xdplab_generator *generator, uint64_t interval_ps);
void xdplab_generator_set_size(struct xdplab_generator *generator, uint32_t size);
uint64_t xdplab_generator_sent(const struct xdplab_generator *generator);
uint64_t xdplab_generator_too_long(const struct xdplab_generator *generator); /* of those: longer than `longest` */
int xdplab_generator_running(const struct xdplab_generator *generator);
int xdplab_generator_fault(const struct xdplab_generator *generator); /* errno that ended it, or 0 */

/* The soft NIC: two simulated interfaces, the ends of a wire. A thread of the wire's plays the kernel's part of
 * AF_XDP over memory for the engines that are bound to either end (path soft; open_port takes no interface index
 * then), runs its generators, and has a stack at each end that answers echo requests. Nothing of it needs any
 * privilege. An engine or generator holds its wire, so they may be closed in any order. */
enum { XDPLAB_WIRE_ENDS = 2 };

struct xdplab_wire_end {
	uint8_t mac[6];
	uint8_t ipv4[4];
	uint8_t ipv6[16];
};

struct xdplab_wire_config {
	uint32_t queues; /* of each end */
	uint32_t mtu;
	int32_t cpu; /* its thread's core; -1: any, and while it has a generator, that one's */
	uint64_t seed; /* of its jitter */
	struct xdplab_wire_end ends[XDPLAB_WIRE_ENDS];
};

/* What goes wrong, of frames that arrive at an end (bad_descriptor: that its sockets send): one in so many, or with
 * 0 none. */
struct xdplab_wire_faults {
	uint64_t jitter_ns;            /* each frame arrives later by up to so much, in order */
	uint64_t ring_full_every;      /* as if the RX ring were full */
	uint64_t no_fill_every;        /* as if the fill ring were empty */
	uint64_t bad_descriptor_every; /* as if the TX descriptor were invalid */
};

/* With the meaning that they have of a veth: an end has sent what the other has seen arrive. */
struct xdplab_link_statistics {
	uint64_t rx_packets;
	uint64_t tx_packets;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t rx_dropped;
	uint64_t tx_dropped;
};

/* By the names of veth's, "rx_queue_N_xdp_packets" and so on. What is sent has arrived at once, or is held for its
 * delay: nothing between the ends can be full, so there is no "tx_queue_N_xdp_xmit_errors". */
struct xdplab_queue_statistics {
	uint64_t rx_xdp_packets;
	uint64_t rx_xdp_bytes;
	uint64_t rx_drops; /* redirected, but the socket refused them */
	uint64_t rx_xdp_redirect;
	uint64_t tx_xdp_xmit;
};

struct xdplab_wire *xdplab_wire_open(const struct xdplab_wire_config *config, struct xdplab_error *error);
/* Cuts it, and frees it once nobody holds it. */
void xdplab_wire_close(struct xdplab_wire *wire);
/* The interfaces go away under whoever uses them: engines end with ENETDOWN, generators with ENODEV. */
void xdplab_wire_cut(struct xdplab_wire *wire);
int xdplab_wire_is_cut(const struct xdplab_wire *wire);
void xdplab_wire_set_faults(struct xdplab_wire *wire, uint32_t end, const struct xdplab_wire_faults *faults);
void xdplab_wire_link_statistics(const struct xdplab_wire *wire, uint32_t end,
				 struct xdplab_link_statistics *statistics);
void xdplab_wire_queue_statistics(const struct xdplab_wire *wire, uint32_t end, uint32_t queue,
				  struct xdplab_queue_statistics *statistics);
/* Echo requests from the end's stack to `target`, of 4 or 16 bytes by `family` (AF_INET, AF_INET6), with `size` bytes
 * of payload, of which those answered until `timeout_ns` after the last are counted. Returns when all are
 * answered or the time is up; 0 or a negative errno. */
int xdplab_wire_ping(struct xdplab_wire *wire, uint32_t end, const uint8_t *target, uint32_t family, uint32_t count,
		     uint64_t interval_ns, uint32_t size, uint64_t timeout_ns, uint32_t *sent, uint32_t *received);

/* Frames of a capture file; copied. */
struct xdplab_replay {
	const uint8_t *frames; /* one behind the other */
	const uint32_t *lengths;
	const uint64_t *times_ns; /* when each was captured */
	uint32_t count;
	uint32_t repeat; /* how often they are sent in one start; 0: until it is stopped */
};

/* A generator at an end of a wire, as struct xdplab_generator else; of the traffic, program and interface index are
 * not looked at. Frames arrive on the queue (core modulo queues). A replay's are sent at the distances that they were
 * captured at while the interval is 0. */
struct xdplab_soft_generator;
struct xdplab_soft_generator *xdplab_soft_generator_open(struct xdplab_wire *wire, uint32_t end,
							 const struct xdplab_traffic *traffic,
							 const struct xdplab_replay *replay, /* or NULL */
							 struct xdplab_error *error);
int xdplab_soft_generator_start(struct xdplab_soft_generator *generator, struct xdplab_error *error);
void xdplab_soft_generator_stop(struct xdplab_soft_generator *generator);
void xdplab_soft_generator_close(struct xdplab_soft_generator *generator);
void xdplab_soft_generator_set_interval(struct xdplab_soft_generator *generator, uint64_t interval_ps);
void xdplab_soft_generator_set_size(struct xdplab_soft_generator *generator, uint32_t size);
uint64_t xdplab_soft_generator_sent(const struct xdplab_soft_generator *generator);
uint64_t xdplab_soft_generator_too_long(const struct xdplab_soft_generator *generator);
int xdplab_soft_generator_running(const struct xdplab_soft_generator *generator);
int xdplab_soft_generator_fault(const struct xdplab_soft_generator *generator);

/* Time in the network softirqs, core by core, from the kernel's own tracepoints. */
struct xdplab_softirq;
struct xdplab_softirq *xdplab_softirq_open(const char *program, struct xdplab_error *error);
uint64_t xdplab_softirq_ns(const struct xdplab_softirq *softirq, uint32_t cpu);
/* The same by the program's map, where someone else loaded it. */
uint64_t xdplab_softirq_map_ns(int map, uint32_t cpu);
void xdplab_softirq_close(struct xdplab_softirq *softirq);

/* A UDP socket's own way to answer, beside which the engine's is measured: a pinned thread that sends each
 * datagram back to its sender. The socket is the caller's, blocking and bound, and is of no use after stop. */
enum xdplab_udp_echo_mode { XDPLAB_UDP_ECHO_BLOCKING, XDPLAB_UDP_ECHO_EPOLL };
struct xdplab_udp_echo;
struct xdplab_udp_echo *xdplab_udp_echo_start(int descriptor, uint32_t mode, int32_t cpu,
					      struct xdplab_error *error);
void xdplab_udp_echo_stop(struct xdplab_udp_echo *echo); /* ends the thread and frees it */
uint64_t xdplab_udp_echo_answered(const struct xdplab_udp_echo *echo);
uint64_t xdplab_udp_echo_refused(const struct xdplab_udp_echo *echo); /* answers that the stack did not take */
int xdplab_udp_echo_fault(const struct xdplab_udp_echo *echo); /* errno that ended it, or 0 */

/* Of the calling thread; Python has these from 3.12 on. 0 or a negative errno. */
int xdplab_setns(int descriptor);
int xdplab_unshare_network(void);

/* Closes what `held` points to, if anything, and sets that to NULL. */
void xdplab_engine_give_back(struct xdplab_engine **held);
void xdplab_generator_give_back(struct xdplab_generator **held);
void xdplab_soft_generator_give_back(struct xdplab_soft_generator **held);
void xdplab_wire_give_back(struct xdplab_wire **held);
void xdplab_softirq_give_back(struct xdplab_softirq **held);

#include "include/broker.h"

#endif
