/* SPDX-License-Identifier: Apache-2.0 */
#include "soft_program.h"

#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "soft_wire.h"
#include "xdp.h"

struct attachment {
	struct soft_program *program;
	int result;
};

static void attach(struct xdplab_wire *wire, void *argument)
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

struct soft_program *soft_program_attach(const struct xdp_options_of_port *options, struct xdplab_error *error)
{
	struct soft_program *program =
		calloc(1, sizeof(*program) + options->queues * sizeof(*program->sockets));
	struct attachment attachment = { .program = program };

	if (!program) {
		fail(error, XDPLAB_STEP_LOAD_PROGRAM, ENOMEM, "allocate a program");
		return NULL;
	}
	program->wire = options->wire;
	program->end = options->end;
	program->queues = options->queues;
	program->takes_all = options->takes_all;
	soft_call(program->wire, attach, &attachment);
	if (!attachment.result)
		return program;
	fail(error, XDPLAB_STEP_ATTACH_PROGRAM, attachment.result, "attach a program to a simulated interface");
	free(program);
	return NULL;
}

static void detach(struct xdplab_wire *wire, void *argument)
{
	const struct soft_program *program = argument;

	wire->ends[program->end].program = NULL;
}

void soft_program_detach(struct soft_program *program)
{
	soft_call(program->wire, detach, program);
}

void soft_program_close(struct soft_program *program)
{
	free(program);
}

void soft_program_verdicts(const struct soft_program *program, struct xdplab_verdicts *verdicts)
{
	*verdicts = (struct xdplab_verdicts){
		.redirected = soft_read(&program->redirected),
		.passed = soft_read(&program->passed),
		.no_socket = soft_read(&program->no_socket),
	};
}
