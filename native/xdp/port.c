/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/port.h"

#include <errno.h>

#include "xdp/program.h"

void port_init(struct port *port)
{
	pthread_mutex_init(&port->lock, NULL);
}

void port_destroy(struct port *port)
{
	pthread_mutex_destroy(&port->lock);
}

static void add(struct xdplab_verdicts *sum, const struct xdplab_verdicts *more)
{
	sum->redirected += more->redirected;
	sum->passed += more->passed;
	sum->no_socket += more->no_socket;
	sum->unmatched += more->unmatched;
	sum->reconfiguring += more->reconfiguring;
	sum->bytes += more->bytes;
}

/* Sums up all verdicts. Packets that came during the present pause still count as without a socket. */
static int count_all(const struct port *port, struct xdplab_verdicts *verdicts)
{
	struct xdplab_verdicts now = { 0 };
	int result = port->open ? port->xdp.operations->verdicts(&port->xdp, &now) : 0;

	*verdicts = port->base;
	add(verdicts, &now);
	return result;
}

int port_verdicts(const struct port *port, struct xdplab_verdicts *verdicts)
{
	int result = count_all(port, verdicts);

	if (!result && port->paused) {
		verdicts->reconfiguring += verdicts->no_socket - port->paused_at;
		verdicts->no_socket = port->paused_at;
	}
	return result;
}

void port_pause(struct port *port)
{
	struct xdplab_verdicts now;

	if (port->paused || count_all(port, &now))
		return;
	port->paused = true;
	port->paused_at = now.no_socket;
}

void port_leave(const struct port *port, uint32_t queue)
{
	if (port->open)
		port->xdp.operations->leave(&port->xdp, queue);
}

void port_resume(struct port *port)
{
	struct xdplab_verdicts now;
	uint64_t meanwhile;

	if (!port->paused || port_verdicts(port, &now))
		return;
	meanwhile = now.reconfiguring - port->base.reconfiguring;
	/* The base is added to the program's own counts, which have these packets as without a socket. */
	port->base.reconfiguring += meanwhile;
	port->base.no_socket -= meanwhile;
	port->paused = false;
}

/* Keeps the counts of a detached program, once it no longer runs on any core. */
static void keep_counts(struct port *port, struct xdp *before)
{
	struct xdplab_verdicts last;

	programs_wait();
	if (!before->operations->verdicts(before, &last))
		add(&port->base, &last);
	before->operations->close(before);
}

void port_detach(struct port *port)
{
	if (!port->open)
		return;
	port->open = false;
	port->detachments++;
	port->xdp.operations->detach(&port->xdp);
	keep_counts(port, &port->xdp);
}

void port_close(struct port *port)
{
	if (!port->open)
		return;
	port->open = false;
	port->xdp.operations->detach(&port->xdp);
	port->xdp.operations->close(&port->xdp);
}

static void look(const struct port *port, struct xdplab_hold *hold)
{
	if (port->xdp.operations->look)
		port->xdp.operations->look(&port->xdp, hold);
}

/* Notes the id of the program just attached, as the engine's own. */
static void note_program(struct port *port)
{
	port->hold = (struct xdplab_hold){ .unserved = -1 };
	look(port, &port->hold);
	port->hold.loaded = port->hold.program;
}

void port_worker_ended(struct port *port, uint32_t queue)
{
	pthread_mutex_lock(&port->lock);
	port_leave(port, queue);
	port->ended++;
	if (port->open && port->ended == port->options.workers) {
		look(port, &port->hold);
		port->hold.taken_off = 1;
		if (port->xdp.operations->look)
			port->xdp.operations->detach(&port->xdp);
	}
	pthread_mutex_unlock(&port->lock);
}

int port_look(struct port *port, struct xdplab_hold *hold)
{
	if (!port->open || !port->xdp.operations->look)
		return -ENOENT;
	pthread_mutex_lock(&port->lock);
	*hold = port->hold;
	if (!hold->taken_off)
		look(port, hold);
	pthread_mutex_unlock(&port->lock);
	return 0;
}

/* Whether the program is still attached, neither detached nor replaced by others. */
static bool is_attached(struct port *port)
{
	struct xdplab_hold hold;

	return port_look(port, &hold) || (hold.interface_index && !hold.taken_off);
}

static bool is_own(struct port *port)
{
	struct xdplab_hold hold;

	return port_look(port, &hold) || hold.program == hold.loaded;
}

static bool is_kept(struct port *port, const struct program_options *options)
{
	const struct program_options *now = &port->options;

	return now->kind == options->kind && options->kind->serves(now, options) && is_attached(port) && is_own(port);
}

bool port_keeps(struct port *port, const struct program_options *options)
{
	if (port->open && !is_kept(port, options))
		port_detach(port);
	return port->open;
}

static void opened(struct port *port, const struct program_options *options)
{
	port->open = true;
	port->options = *options;
	note_program(port);
	port_pause(port);
}

int port_take(struct port *port, const struct program_options *options, const struct xdplab_attachment *attachment,
	      struct xdplab_error *error)
{
	if (xdp_take(&port->xdp, attachment, error))
		return -error->code;
	opened(port, options);
	return 0;
}

int port_take_users(struct port *port, const struct program_options *options, int sockets, struct xdplab_error *error)
{
	if (xdp_take_users(&port->xdp, sockets, error))
		return -error->code;
	opened(port, options);
	return 0;
}

static int replace(struct port *port, const struct program_options *options, struct xdplab_error *error)
{
	struct xdp before = port->xdp;

	if (port->xdp.operations->replace(&port->xdp, &options->attach, error))
		return -error->code;
	port->options = *options;
	note_program(port);
	keep_counts(port, &before);
	return 0;
}

int port_attach(struct port *port, const struct program_options *options, struct xdplab_error *error)
{
	if (port->open && is_kept(port, options))
		return 0;
	if (port->open && port->xdp.operations->replace && is_attached(port) &&
	    port->options.attach.attach_mode == options->attach.attach_mode)
		return replace(port, options, error);
	port_detach(port);
	if (options->kind->attach(&port->xdp, options, error))
		return -error->code;
	opened(port, options);
	return 0;
}
