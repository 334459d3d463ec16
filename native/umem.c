/* SPDX-License-Identifier: Apache-2.0 */
#include "umem.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "compat.h"
#include "error.h"

#define HUGE_PAGE (2ull << 20)

/* Pages that were set aside, each populated before it is relied on: where a control group forbids them (as
 * Kubernetes does), mmap succeeds, and the first touch would end the process by SIGBUS. */
static uint8_t *map_huge(uint64_t size)
{
	uint8_t *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	if (area != MAP_FAILED && madvise(area, size, MADV_POPULATE_WRITE)) {
		munmap(area, size);
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return area;
}

static void map_area(struct umem *umem, uint32_t huge_pages)
{
	const uint64_t huge_size = (umem->size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;

	umem->area = huge_pages == XDPLAB_HUGE_PAGES_NEVER ? MAP_FAILED : map_huge(huge_size);
	umem->huge = umem->area != MAP_FAILED;
	if (umem->huge)
		umem->size = huge_size;
	else if (huge_pages != XDPLAB_HUGE_PAGES_ALWAYS)
		/* Populated now, so that no packet pays for a page fault. */
		umem->area = mmap(NULL, umem->size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

int umem_allocate(struct umem *umem, const struct umem_options *options, struct xdplab_error *error)
{
	*umem = (struct umem){
		.size = (uint64_t)options->frame_size * options->frame_count,
		.frame_size = options->frame_size,
		.frame_count = options->frame_count,
		.headroom = options->headroom,
		.unaligned = options->unaligned,
	};
	map_area(umem, options->huge_pages);
	if (umem->area == MAP_FAILED) {
		const bool insisted = options->huge_pages == XDPLAB_HUGE_PAGES_ALWAYS;

		umem->area = NULL;
		return fail(error, insisted ? XDPLAB_STEP_MAP_HUGE_PAGES : XDPLAB_STEP_REGISTER_UMEM, errno,
			    "allocate a UMEM of %llu bytes%s", (unsigned long long)umem->size,
			    insisted ? " in pages of 2 MiB" : "");
	}
	/* A child that forks would copy every page that is pinned for the kernel. */
	madvise(umem->area, umem->size, MADV_DONTFORK);
	return 0;
}

int umem_register(const struct umem *umem, int socket, struct xdplab_error *error)
{
	struct xdp_umem_reg registration = {
		.addr = (uint64_t)(uintptr_t)umem->area,
		/* Not all of the last huge page: the kernel wants a whole number of frames. */
		.len = (uint64_t)umem->frame_size * umem->frame_count,
		.chunk_size = umem->frame_size,
		.headroom = umem->headroom,
		.flags = umem->unaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0,
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
