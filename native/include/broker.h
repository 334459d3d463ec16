/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker needs of the kernel for its clients: XDP programs apart from an engine, whose links and maps it
 * passes on, and the means to give up power. Included by engine.h, and by nothing else.
 */
#ifndef XDPLAB_BROKER_H
#define XDPLAB_BROKER_H

/* One of our own programs on an interface. */
struct xdplab_attach {
	const char *program; /* path of the compiled program */
	uint32_t interface_index;
	uint32_t attach_mode; /* enum xdplab_attach_mode */
	uint32_t queues;
	uint32_t multi_buffer;
	uint32_t metadata;
	uint32_t takes_all;
	uint32_t counts;  /* enum xdplab_counts */
	uint32_t address; /* of a UDP socket, in network byte order */
};

/* The descriptors are the caller's to close, and hold no reference to the program but the link's. */
int xdplab_attach(const struct xdplab_attach *options, struct xdplab_attachment *attachment,
		  struct xdplab_error *error);

/* A client's own program, of which someone without any power made this description. */
struct xdplab_map {
	const char *name;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t entries;
	uint32_t flags;
	const uint8_t *initial; /* of the one entry of an array, or NULL */
	uint32_t frozen;        /* nobody may change it any more */
};
struct xdplab_program {
	const char *name;
	const char *license;
	const uint64_t *instructions; /* which refer to maps by their index among the descriptors */
	uint32_t instruction_count;
	uint32_t flags;
};

/* A descriptor, or a negative errno. */
int xdplab_map_create(const struct xdplab_map *map, struct xdplab_error *error);
/* Attached by the link whose descriptor is returned. */
int xdplab_program_attach(const struct xdplab_program *program, const int32_t *maps, uint32_t interface_index,
			  uint32_t attach_mode, struct xdplab_error *error);

/* Detaches all XDP programs from an interface of this network namespace, whoever holds their links. 0 or a negative
 * errno. Needs CAP_SYS_ADMIN. */
int xdplab_detach_programs(uint32_t interface_index);

/* Descriptor of the generator's state, owned by the generator, */
int xdplab_generator_state(const struct xdplab_generator *generator);
/* and what another process may do with it. */
struct xdplab_generator_state;
struct xdplab_generator_state *xdplab_generator_state_map(int descriptor, struct xdplab_error *error);
void xdplab_generator_state_unmap(struct xdplab_generator_state *state);
uint64_t xdplab_generator_state_sent(const struct xdplab_generator_state *state);
void xdplab_generator_state_set_interval(struct xdplab_generator_state *state, uint64_t interval_ps);

/* A descriptor of the clock's map with which it can be read and not changed, for the caller to close; or a
 * negative errno. Needs CAP_SYS_ADMIN. */
int xdplab_softirq_read_only(const struct xdplab_softirq *softirq);

/* Whose a network namespace is: the user who made the user namespace that owns it. -EINVAL where the descriptor is
 * of anything else, -EPERM where the first user namespace owns it, or one above the caller's. */
int xdplab_namespace_owner(int descriptor, uint32_t *user);

/* What a process may still ask of the kernel. */
enum xdplab_filter {
	XDPLAB_FILTER_NONE,
	XDPLAB_FILTER_SESSION, /* bpf, netlink, threads; no file is written, no program run, no namespace entered */
	XDPLAB_FILTER_PARSER,  /* read, write, memory */
	XDPLAB_FILTER_KEEPER,  /* wait for children, and kill */
};
struct xdplab_confinement {
	uint32_t user, group;  /* becomes that; no supplementary group is left */
	uint64_t capabilities; /* keeps these, by their bits; never to regain another */
	uint32_t filter;
};
/* Of the calling process, which has one thread, for good. A process that this fails in must end. */
int xdplab_confine(const struct xdplab_confinement *confinement, struct xdplab_error *error);
/* A lab process comes to be in three steps, and belongs to its client only after the last: until then its real and
 * saved user are root's, so that the client can neither signal it nor look into it.
 *
 * First, in a child: makes a user namespace that belongs to the user. Needs CAP_SETUID, CAP_SETGID and, where users may
 * not make such a namespace themselves, CAP_SYS_ADMIN. */
int xdplab_make_user_namespace(uint32_t user, uint32_t group, const uint32_t *groups, uint32_t count,
			       struct xdplab_error *error);
/* Second, in its parent: says in /proc/PROCESS who is root there. Needs CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN. */
int xdplab_map_user_namespace(int32_t process, uint32_t user, uint32_t group, struct xdplab_error *error);
/* Third, in the child: becomes root there, without a capability outside of it. */
int xdplab_enter_user_namespace(struct xdplab_error *error);
/* Orphans among what the calling process' children start become its own children; 0 or a negative errno. */
int xdplab_adopt_orphans(void);
/* Whether the map (or else the program) with an id is there. Needs CAP_SYS_ADMIN. */
int xdplab_bpf_exists(uint32_t is_map, uint32_t id);
/* A signal when the process that made this one ends; 0 or a negative errno, -ESRCH where it already has. */
int xdplab_die_with(int32_t parent, int32_t signal);

/* Pins the frames of a memfd for an AF_XDP socket, which holds them from then on. */
int xdplab_register_umem(int socket, int memory, const struct xdplab_umem *frames, struct xdplab_error *error);

#endif
