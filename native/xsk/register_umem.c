/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/error.h"
#include "xsk/umem.h"

/* The kernel finds the pages by this process's mapping and pins them; the mapping is not needed afterwards. */
int xdplab_register_umem(int socket, int memory, const struct xdplab_umem *frames, struct xdplab_error *error)
{
	struct umem umem = {
		.size = (uint64_t)frames->frame_size * frames->frame_count,
		.frame_size = frames->frame_size,
		.frame_count = frames->frame_count,
		.headroom = frames->headroom,
		.unaligned = frames->unaligned,
		.transmit_metadata = frames->transmit_metadata,
		.descriptor = -1, /* the caller keeps its own */
	};
	int result;

	umem.area = mmap(NULL, umem.size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (umem.area == MAP_FAILED)
		return fail(error, XDPLAB_STEP_REGISTER_UMEM, errno, "map a UMEM of %llu bytes",
			    (unsigned long long)umem.size);
	result = umem_register(&umem, socket, error);
	umem_free(&umem);
	return result;
}
