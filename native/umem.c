/* SPDX-License-Identifier: Apache-2.0 */
#include "umem.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "error.h"

int umem_allocate(struct umem *umem, uint32_t frame_size, uint32_t frame_count, struct xdplab_error *error)
{
	umem->frame_size = frame_size;
	umem->frame_count = frame_count;
	umem->size = (uint64_t)frame_size * frame_count;
	/* Populated now, so that no packet pays for a page fault. */
	umem->area = mmap(NULL, umem->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			  -1, 0);
	if (umem->area == MAP_FAILED) {
		umem->area = NULL;
		return fail(error, XDPLAB_STEP_REGISTER_UMEM, errno, "allocate a UMEM of %llu bytes",
			    (unsigned long long)umem->size);
	}
	/* A child that forks would copy every page that is pinned for the kernel. */
	madvise(umem->area, umem->size, MADV_DONTFORK);
	return 0;
}

int umem_register(const struct umem *umem, int socket, struct xdplab_error *error)
{
	struct xdp_umem_reg registration = {
		.addr = (uint64_t)(uintptr_t)umem->area,
		.len = umem->size,
		.chunk_size = umem->frame_size,
	};

	if (setsockopt(socket, SOL_XDP, XDP_UMEM_REG, &registration, sizeof(registration)))
		return fail(error, XDPLAB_STEP_REGISTER_UMEM, errno, "register a UMEM of %u frames of %u bytes",
			    umem->frame_count, umem->frame_size);
	return 0;
}

void umem_free(struct umem *umem)
{
	if (umem->area)
		munmap(umem->area, umem->size);
	umem->area = NULL;
}
