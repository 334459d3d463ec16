/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk/umem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/error.h"
#include "base/memory.h"

#define HUGE_PAGE (2ull << 20)

static_assert(sizeof(struct xdplab_transmit_metadata) == XDPLAB_TRANSMIT_METADATA, "the kernel's layout");

static void *map_memory(int descriptor, uint64_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    flags | (descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), descriptor, 0);
}

/* The memfd's size is sealed, so that a mapping can't be truncated. -1 if it fails. */
static int make_memfd(uint64_t size, unsigned int flags)
{
	const int descriptor = memfd_create("xdplab-umem", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (descriptor >= 0 && !ftruncate(descriptor, (off_t)size) &&
	    !fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return descriptor;
	if (descriptor >= 0)
		close(descriptor);
	return -1;
}

/* Maps reserved pages, and populates all of them first: if a control group forbids them (as in Kubernetes), mmap
 * succeeds, and the first access would end the process by SIGBUS. */
static uint8_t *map_huge(int descriptor, uint64_t size)
{
	uint8_t *area = map_memory(descriptor, size, MAP_HUGETLB | MAP_HUGE_2MB);

	if (area != MAP_FAILED && madvise(area, size, MADV_POPULATE_WRITE)) {
		munmap(area, size);
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return area;
}

/* Sets the area to MAP_FAILED if there is no such memory. */
static void try_area(struct umem *umem, bool shared, bool huge)
{
	const uint64_t size = huge ? (umem->size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE : umem->size;

	umem->area = MAP_FAILED;
	if (shared && (umem->descriptor = make_memfd(size, huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0)) < 0)
		return;
	/* Populated now, so that no packet causes a page fault. */
	umem->area = huge ? map_huge(umem->descriptor, size) : map_memory(umem->descriptor, size, MAP_POPULATE);
	if (umem->area == MAP_FAILED && shared) {
		const int code = errno;

		close(umem->descriptor);
		umem->descriptor = -1;
		errno = code;
		return;
	}
	umem->huge = huge;
	umem->size = size;
}

static void map_area(struct umem *umem, const struct umem_options *options)
{
	umem->area = MAP_FAILED;
	if (options->huge_pages != XDPLAB_HUGE_PAGES_NEVER)
		try_area(umem, options->shared, true);
	if (umem->area == MAP_FAILED && options->huge_pages != XDPLAB_HUGE_PAGES_ALWAYS)
		try_area(umem, options->shared, false);
}

int umem_allocate(struct umem *umem, const struct umem_options *options, struct xdplab_error *error)
{
	*umem = (struct umem){
		.size = (uint64_t)options->frame_size * options->frame_count,
		.frame_size = options->frame_size,
		.frame_count = options->frame_count,
		.headroom = options->headroom,
		.unaligned = options->unaligned,
		.transmit_metadata = options->transmit_metadata,
		.descriptor = -1,
	};
	map_area(umem, options);
	if (umem->area == MAP_FAILED) {
		const bool insisted = options->huge_pages == XDPLAB_HUGE_PAGES_ALWAYS;

		umem->area = NULL;
		return fail(error, insisted ? XDPLAB_STEP_MAP_HUGE_PAGES : XDPLAB_STEP_REGISTER_UMEM, errno,
			    "allocate a UMEM of %llu bytes%s", (unsigned long long)umem->size,
			    insisted ? " in pages of 2 MiB" : "");
	}
	umem->memory = memory_of(umem->area, umem->size);
	if (!umem->memory) {
		umem_free(umem);
		return fail(error, XDPLAB_STEP_REGISTER_UMEM, ENOMEM, "allocate a UMEM");
	}
	/* A child that forks would copy every page that is pinned for the kernel. */
	madvise(umem->area, umem->size, MADV_DONTFORK);
	return 0;
}

int umem_register(const struct umem *umem, int socket, struct xdplab_error *error)
{
	struct xdplab_umem_registration registration = {
		.addr = (uint64_t)(uintptr_t)umem->area,
		/* Maybe without the end of the last huge page: the kernel requires a whole number of frames. */
		.len = (uint64_t)umem->frame_size * umem->frame_count,
		.chunk_size = umem->frame_size,
		.headroom = umem->headroom,
		.flags = umem->unaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0,
	};

	if (umem->transmit_metadata) {
		registration.flags |= XDP_UMEM_TX_METADATA_LEN;
		registration.tx_metadata_len = XDPLAB_TRANSMIT_METADATA;
	}
	if (setsockopt(socket, SOL_XDP, XDP_UMEM_REG, &registration, sizeof(registration)))
		return fail(error, XDPLAB_STEP_REGISTER_UMEM, errno, "register a UMEM of %u frames of %u bytes",
			    umem->frame_count, umem->frame_size);
	return 0;
}

void umem_free(struct umem *umem)
{
	if (umem->memory)
		xdplab_memory_let_go(umem->memory);
	else if (umem->area)
		munmap(umem->area, umem->size);
	umem->memory = NULL;
	umem->area = NULL;
	if (umem->descriptor >= 0)
		close(umem->descriptor);
	umem->descriptor = -1;
}
