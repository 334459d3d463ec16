/* SPDX-License-Identifier: Apache-2.0
 *
 * An XDP program of the user's: its link is the user's to close and to replace, and nobody counts its verdicts here.
 * The engine knows only the XSKMAP, in which its sockets are.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "xdp/xdp.h"

static void leave(const struct xdp *xdp, uint32_t queue)
{
	bpf_map_delete_elem(xdp->sockets, &queue);
}

static void detach(struct xdp *xdp)
{
	(void)xdp;
}

static void close_map(struct xdp *xdp)
{
	close(xdp->sockets);
}

static int no_verdicts(const struct xdp *xdp, struct xdplab_verdicts *verdicts)
{
	(void)xdp;
	*verdicts = (struct xdplab_verdicts){ 0 };
	return 0;
}

static const struct xdp_operations operations = {
	.leave = leave,
	.detach = detach,
	.close = close_map,
	.verdicts = no_verdicts,
};

int xdp_take_users(struct xdp *xdp, int sockets, struct xdplab_error *error)
{
	*xdp = (struct xdp){
		.operations = &operations,
		.link = -1,
		.sockets = fcntl(sockets, F_DUPFD_CLOEXEC, 0),
		.verdicts = -1,
	};
	return xdp->sockets < 0 ? fail(error, XDPLAB_STEP_ATTACH_PROGRAM, errno, "hold the program's XSKMAP") : 0;
}

/* It is attached by others, and through reconfigurations. */
static bool serves(const struct program_options *now, const struct program_options *wanted)
{
	(void)now;
	(void)wanted;
	return true;
}

const struct xdp_kind xdp_users = { .serves = serves };
