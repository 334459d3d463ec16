/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernel constants that a distribution's headers may lack, with the version that brought each.
 */
#ifndef XDPLAB_COMPAT_H
#define XDPLAB_COMPAT_H

#include <fcntl.h>
#include <stdint.h>
#include <linux/if_xdp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26) /* Linux 3.8; glibc leaves it to linux/mman.h */
#endif

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17 */
#endif

/* io_uring's NAPI busy polling: Linux 6.9, and static tracking 6.13. With names of our own, since newer headers define
 * an enum, which #ifdef can't test. */
#define XDPLAB_IORING_REGISTER_NAPI 27
#define XDPLAB_IO_URING_NAPI_REGISTER_OP 0
#define XDPLAB_IO_URING_NAPI_STATIC_ADD_ID 1
#define XDPLAB_IO_URING_NAPI_TRACKING_STATIC 1
struct xdplab_uring_napi { /* struct io_uring_napi */
	uint32_t busy_poll_to; /* microseconds */
	uint8_t prefer_busy_poll;
	uint8_t opcode;
	uint8_t pad[2];
	uint32_t op_param; /* REGISTER_OP: the kind of tracking; STATIC_ADD_ID: the NAPI's id */
	uint32_t resv;
};

/* io_uring's zero-copy receive: Linux 6.15, without a device 7.1 (linux/io_uring/zcrx.h of Linux 7.3). With names of our
 * own, as above. */
#define XDPLAB_IORING_OP_RECV_ZC 58
#define XDPLAB_IORING_REGISTER_ZCRX_IFQ 32
#define XDPLAB_IORING_REGISTER_ZCRX_CTRL 36
#define XDPLAB_IORING_MEM_REGION_TYPE_USER 1
#define XDPLAB_ZCRX_REG_NODEV 2
#define XDPLAB_ZCRX_CTRL_FLUSH_RQ 0
#define XDPLAB_ZCRX_OFFSET_MASK ((1ull << 48) - 1) /* of an offset, without the area's number above it */
struct xdplab_uring_region { /* struct io_uring_region_desc */
	uint64_t user_addr;
	uint64_t size;
	uint32_t flags;
	uint32_t id;
	uint64_t mmap_offset;
	uint64_t reserved[4];
};
struct xdplab_zcrx_refill { /* struct io_uring_zcrx_rqe */
	uint64_t off;
	uint32_t len;
	uint32_t pad;
};
struct xdplab_zcrx_report { /* struct io_uring_zcrx_cqe */
	uint64_t off;
	uint64_t pad;
};
struct xdplab_zcrx_area { /* struct io_uring_zcrx_area_reg */
	uint64_t addr;
	uint64_t len;
	uint64_t rq_area_token;
	uint32_t flags;
	uint32_t dmabuf_fd;
	uint64_t reserved[2];
};
struct xdplab_zcrx_registration { /* struct io_uring_zcrx_ifq_reg */
	uint32_t if_idx;
	uint32_t if_rxq;
	uint32_t rq_entries;
	uint32_t flags;
	uint64_t area_ptr;
	uint64_t region_ptr;
	struct {
		uint32_t head;
		uint32_t tail;
		uint32_t rqes;
		uint32_t reserved_2;
		uint64_t reserved[2];
	} offsets;
	uint32_t zcrx_id;
	uint32_t rx_buf_len;
	uint64_t event_desc;
	uint64_t reserved[2];
};
struct xdplab_zcrx_control { /* struct zcrx_ctrl */
	uint32_t zcrx_id;
	uint32_t op;
	uint64_t reserved[2];
	uint64_t of_op[6];
};

/* epoll's NAPI busy polling: Linux 6.9. With names of our own, since newer C libraries define the struct. */
struct xdplab_epoll_params { /* struct epoll_params */
	uint32_t busy_poll_usecs;
	uint16_t busy_poll_budget;
	uint8_t prefer_busy_poll;
	uint8_t pad;
};
#define XDPLAB_EPIOCSPARAMS _IOW(0x8A, 0x01, struct xdplab_epoll_params)

#ifndef BPF_F_XDP_DEV_BOUND_ONLY
#define BPF_F_XDP_DEV_BOUND_ONLY (1u << 6) /* Linux 6.3 */
#endif

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62 /* Linux 5.0 */
#endif

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20 */
#endif

/* Metadata of sent AF_XDP packets: Linux 6.8, and the flag, with which a UMEM is registered for them, 6.11. The structs
 * with names of our own, since newer headers define them, or more of them. */
#ifndef XDP_TX_METADATA
#define XDP_TX_METADATA (1 << 1)
#define XDP_TXMD_FLAGS_CHECKSUM (1 << 1)
#endif
#ifndef XDP_UMEM_TX_METADATA_LEN
#define XDP_UMEM_TX_METADATA_LEN (1 << 2)
#endif
struct xdplab_umem_registration { /* struct xdp_umem_reg */
	uint64_t addr;
	uint64_t len;
	uint32_t chunk_size;
	uint32_t headroom;
	uint32_t flags;
	uint32_t tx_metadata_len; /* padding to kernels without them */
};
struct xdplab_transmit_metadata { /* struct xsk_tx_metadata; its end is for launch times */
	uint64_t flags;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint32_t reserved;
	uint64_t launch_time;
};

#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)    /* Linux 6.6 */
#define XDP_PKT_CONTD (1 << 0) /* Linux 6.6 */
#endif

#endif
