/* SPDX-License-Identifier: Apache-2.0 */
#include "soft/program.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/packet_filter.h"
#include "soft/wire.h"

struct attachment {
	struct soft_program *program;
	int result;
};

static void enter(struct xdplab_wire *wire, void *argument)
{
	struct attachment *attachment = argument;
	struct soft_end *end = wire->ends + attachment->program->end;

	if (soft_is_cut(wire))
		attachment->result = ENODEV;
	else if (end->program)
		attachment->result = EBUSY;
	else
		end->program = attachment->program;
}

struct place {
	struct soft_program *program;
	uint32_t queue;
};

static void leave_queue(struct xdplab_wire *wire, void *argument)
{
	const struct place *place = argument;

	(void)wire;
	if (place->queue < place->program->queues)
		place->program->sockets[place->queue] = NULL;
}

static void leave(const struct xdp *xdp, uint32_t queue)
{
	struct place place = { .program = xdp->other, .queue = queue };

	soft_call(place.program->wire, leave_queue, &place);
}

static void leave_end(struct xdplab_wire *wire, void *argument)
{
	const struct soft_program *program = argument;

	wire->ends[program->end].program = NULL;
}

static void detach(struct xdp *xdp)
{
	const struct soft_program *program = xdp->other;

	soft_call(program->wire, leave_end, xdp->other);
}

static void free_program(struct xdp *xdp)
{
	struct soft_program *program = xdp->other;

	soft_release(program->wire);
	free(program->match);
	free(program);
}

static int read_verdicts(const struct xdp *xdp, struct xdplab_verdicts *verdicts)
{
	const struct soft_program *program = xdp->other;

	*verdicts = (struct xdplab_verdicts){
		.redirected = soft_read(&program->redirected),
		.passed = soft_read(&program->passed),
		.no_socket = soft_read(&program->no_socket),
		.unmatched = soft_read(&program->unmatched),
	};
	return 0;
}

static const struct xdp_operations operations = {
	.leave = leave,
	.detach = detach,
	.close = free_program,
	.verdicts = read_verdicts,
};

static int attach(struct xdp *xdp, const struct program_options *options, struct xdplab_error *error)
{
	const uint32_t queues = options->wire->config.queues;
	struct soft_program *program = calloc(1, sizeof(*program) + queues * sizeof(*program->sockets));
	struct attachment attachment = { .program = program };
	const struct xdplab_match *match = &options->attach.match;

	if (!program)
		return fail(error, XDPLAB_STEP_LOAD_PROGRAM, ENOMEM, "allocate a program");
	program->wire = options->wire;
	program->end = options->end;
	program->queues = queues;
	program->takes_all = options->attach.takes_all;
	if (match->count) {
		program->match = packet_filter_create((const struct sock_filter *)match->instructions, match->count);
		if (!program->match) {
			free(program);
			return fail(error, XDPLAB_STEP_LOAD_PROGRAM, EINVAL, "keep the packet filter of match");
		}
	}
	soft_call(program->wire, enter, &attachment);
	if (attachment.result) {
		free(program->match);
		free(program);
		return fail(error, XDPLAB_STEP_ATTACH_PROGRAM, attachment.result,
			    "attach a program to a simulated interface");
	}
	soft_hold(program->wire); /* the program outlives the sockets of a configuration */
	*xdp = (struct xdp){ .operations = &operations, .other = program };
	return 0;
}

/* One program serves all options of an engine. */
static bool serves(const struct program_options *now, const struct program_options *wanted)
{
	return now->wire == wanted->wire && now->end == wanted->end &&
	       now->attach.match.version == wanted->attach.match.version;
}

const struct xdp_kind xdp_soft = { .attach = attach, .serves = serves };
