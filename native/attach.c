/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "error.h"
#include "xdp.h"

int xdplab_attach(const struct xdplab_attach *options, struct xdplab_attachment *attachment,
		  struct xdplab_error *error)
{
	const struct xdp_options_of_port port = {
		.program = options->program,
		.interface_index = options->interface_index,
		.attach_mode = options->attach_mode,
		.queues = options->queues,
		.multi_buffer = options->multi_buffer,
		.metadata = options->metadata,
		.takes_all = options->takes_all,
		.counts = options->counts,
		.address = options->address,
	};
	struct xdp xdp;

	if (xdp_attach(&xdp, &port, error))
		return -error->code;
	/* The object's own descriptors close with it, and the program's must. */
	attachment->link = xdp.link;
	attachment->verdicts = fcntl(xdp.verdicts, F_DUPFD_CLOEXEC, 0);
	attachment->sockets = xdp.sockets < 0 ? -1 : fcntl(xdp.sockets, F_DUPFD_CLOEXEC, 0);
	xdp.operations->close(&xdp);
	if (attachment->verdicts < 0 || (xdp.sockets >= 0 && attachment->sockets < 0)) {
		close(attachment->link);
		close(attachment->verdicts);
		return fail(error, XDPLAB_STEP_ATTACH_PROGRAM, EMFILE, "pass on the maps of an XDP program");
	}
	return 0;
}
