/* SPDX-License-Identifier: Apache-2.0
 *
 * Translates classic BPF to eBPF. The kernel has a translator of its own (bpf_convert_filter, net/core/filter.c), but
 * for socket filters only, which read an skb.
 *
 * The translation is put in front of the instructions of the program, with its relocations done, and ends where they
 * begin. So a packet costs no tail call, and the program need not know of the filter.
 */
#include "xdp/match.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/error.h"
#include "base/packet_filter.h"
#include "include/attach.h"
#include "include/program_maps.h"
#include "xdp/program.h"

enum {
	/* The kernel keeps these across calls of helper functions. */
	CONTEXT = BPF_REG_6,
	A = BPF_REG_7,
	X = BPF_REG_8,

	/* Stack: the filter's memory below the frame pointer, then what helper functions take by address. */
	LOADED = -4 * (BPF_MEMWORDS + 1),
	KEY = LOADED - 4,

	/* Most eBPF instructions for one of the filter, and for its beginning and end: by the translation below. */
	MOST_FOR_ONE = 20,
	MOST_AROUND = 4 + BPF_MEMWORDS + 16,
	/* Most of the filter's: a jump's offset is a signed 16-bit number. */
	LONGEST = (INT16_MAX - MOST_AROUND) / MOST_FOR_ONE,
	/* Farther into a packet the verifier lets no program read (MAX_PACKET_OFF, kernel/bpf/verifier.c, Linux 6.18). */
	FARTHEST = 0xffff,
	/* The X of most filters: length of an IPv4 header without options. */
	USUAL_X = 20,
};

/* Where a jump goes that is written before its target has a place. */
enum target { TO_INSTRUCTION, TO_ACCEPT, TO_REJECT };

static_assert(LONGEST >= (int)XDPLAB_MATCH_LONGEST, "each jump reaches its target");

struct translation {
	struct bpf_insn *instructions;
	uint32_t count;
	/* For each instruction: where its jump goes, and, in the filter, the number of its target. */
	struct {
		bool is_open;
		enum target target;
		uint32_t number;
	} *jumps;
};

static void emit(struct translation *to, uint8_t code, uint8_t destination, uint8_t source, int16_t offset,
		 uint32_t constant)
{
	to->instructions[to->count++] = (struct bpf_insn){
		.code = code,
		.dst_reg = destination & 0xf,
		.src_reg = source & 0xf,
		.off = offset,
		.imm = (int32_t)constant,
	};
}

static void emit_jump(struct translation *to, uint8_t code, uint8_t destination, uint8_t source, uint32_t constant,
		      enum target target, uint32_t number)
{
	to->jumps[to->count].is_open = true;
	to->jumps[to->count].target = target;
	to->jumps[to->count].number = number;
	emit(to, code, destination, source, 0, constant);
}

static void reject_if(struct translation *to, uint8_t operation, uint8_t destination, uint8_t source)
{
	emit_jump(to, BPF_JMP | operation | BPF_X, destination, source, 0, TO_REJECT, 0);
}

/* Always jumps. The verifier refuses instructions that no path reaches, so that this has two; it removes the other
 * before the program runs. */
static void leave(struct translation *to, enum target target)
{
	emit_jump(to, BPF_JMP32 | BPF_JGE | BPF_K, A, 0, 0, target, 0);
}

static void set(struct translation *to, uint8_t destination, uint32_t constant)
{
	emit(to, BPF_ALU | BPF_MOV | BPF_K, destination, 0, 0, constant);
}

static void copy(struct translation *to, uint8_t destination, uint8_t source)
{
	emit(to, BPF_ALU | BPF_MOV | BPF_X, destination, source, 0, 0);
}

static void call(struct translation *to, int32_t function)
{
	emit(to, BPF_JMP | BPF_CALL, 0, 0, 0, (uint32_t)function);
}

static uint32_t bytes_of(const struct sock_filter *at)
{
	return BPF_SIZE(at->code) == BPF_W ? 4 : BPF_SIZE(at->code) == BPF_H ? 2 : 1;
}

/* Packets have network byte order. */
static void to_host_order(struct translation *to, uint8_t destination, uint32_t bytes)
{
	if (bytes > 1)
		emit(to, BPF_ALU | BPF_END | BPF_TO_BE, destination, 0, 0, 8 * bytes);
}

/* Loads `bytes` bytes at a constant offset; rejects a packet that has fewer. */
static void load_at(struct translation *to, uint8_t destination, uint64_t offset, uint32_t size, uint32_t bytes)
{
	const uint64_t end = offset + bytes;

	if (end > FARTHEST) {
		set(to, destination, 0);
		leave(to, TO_REJECT);
		return;
	}
	emit(to, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, CONTEXT, offsetof(struct xdp_md, data), 0);
	emit(to, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, CONTEXT, offsetof(struct xdp_md, data_end), 0);
	emit(to, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, (uint32_t)end);
	reject_if(to, BPF_JGT, BPF_REG_1, BPF_REG_2);
	emit(to, (uint8_t)(BPF_LDX | BPF_MEM | size), destination, BPF_REG_1, (int16_t)-(int)bytes, 0);
	to_host_order(to, destination, bytes);
}

/* Loads at X + k. The verifier refuses a variable offset to a loader without CAP_PERFMON, but not to this helper. */
static void load_at_x(struct translation *to, const struct sock_filter *at)
{
	const uint32_t bytes = bytes_of(at);
	uint32_t unusual, usual;

	unusual = to->count;
	emit(to, BPF_JMP32 | BPF_JNE | BPF_K, X, 0, 0, USUAL_X);
	load_at(to, A, (uint64_t)USUAL_X + at->k, BPF_SIZE(at->code), bytes);
	usual = to->count;
	emit(to, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	to->instructions[unusual].off = (int16_t)(to->count - unusual - 1);

	copy(to, BPF_REG_2, X);
	emit(to, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, at->k > FARTHEST ? FARTHEST : at->k);
	emit_jump(to, BPF_JMP | BPF_JGT | BPF_K, BPF_REG_2, 0, FARTHEST - bytes, TO_REJECT, 0);
	emit(to, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, CONTEXT, 0, 0);
	emit(to, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_10, 0, 0);
	emit(to, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, (uint32_t)LOADED);
	set(to, BPF_REG_4, bytes);
	call(to, BPF_FUNC_xdp_load_bytes);
	emit_jump(to, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 0, TO_REJECT, 0);
	emit(to, (uint8_t)(BPF_LDX | BPF_MEM | BPF_SIZE(at->code)), A, BPF_REG_10, LOADED, 0);
	to_host_order(to, A, bytes);
	to->instructions[usual].off = (int16_t)(to->count - usual - 1);
}

static void load(struct translation *to, const struct sock_filter *at)
{
	const uint8_t destination = BPF_CLASS(at->code) == BPF_LDX ? X : A;

	switch (BPF_MODE(at->code)) {
	case BPF_IMM:
		set(to, destination, at->k);
		break;
	case BPF_LEN:
		emit(to, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, CONTEXT, 0, 0);
		call(to, BPF_FUNC_xdp_get_buff_len);
		copy(to, destination, BPF_REG_0);
		break;
	case BPF_MEM:
		emit(to, BPF_LDX | BPF_MEM | BPF_W, destination, BPF_REG_10, (int16_t)(-4 * ((int)at->k + 1)), 0);
		break;
	case BPF_MSH: /* length of the IPv4 header that begins there */
		load_at(to, X, at->k, BPF_B, 1);
		emit(to, BPF_ALU | BPF_AND | BPF_K, X, 0, 0, 0xf);
		emit(to, BPF_ALU | BPF_LSH | BPF_K, X, 0, 0, 2);
		break;
	case BPF_IND:
		load_at_x(to, at);
		break;
	default:
		load_at(to, destination, at->k, BPF_SIZE(at->code), bytes_of(at));
	}
}

static void calculate(struct translation *to, const struct sock_filter *at)
{
	const uint8_t operation = BPF_OP(at->code);
	const bool by_x = BPF_SRC(at->code) == BPF_X;

	if (operation == BPF_NEG) {
		emit(to, BPF_ALU | BPF_NEG, A, 0, 0, 0);
		return;
	}
	if (operation == BPF_LSH || operation == BPF_RSH) {
		/* By 32 and more gives 0; eBPF would shift by the lowest five bits. */
		if (!by_x && at->k > 31) {
			set(to, A, 0);
			return;
		}
		if (by_x) {
			emit(to, BPF_JMP32 | BPF_JLE | BPF_K, X, 0, 1, 31);
			set(to, A, 0);
		}
	}
	if (by_x && (operation == BPF_DIV || operation == BPF_MOD))
		emit_jump(to, BPF_JMP32 | BPF_JEQ | BPF_K, X, 0, 0, TO_REJECT, 0);
	emit(to, (uint8_t)(BPF_ALU | operation | (by_x ? BPF_X : BPF_K)), A, by_x ? X : 0, 0, by_x ? 0 : at->k);
}

static void jump(struct translation *to, const struct sock_filter *at, uint32_t number)
{
	const bool by_x = BPF_SRC(at->code) == BPF_X;

	if (BPF_OP(at->code) == BPF_JA) {
		emit_jump(to, BPF_JMP | BPF_JA, 0, 0, 0, TO_INSTRUCTION, number + 1 + at->k);
		return;
	}
	emit_jump(to, (uint8_t)(BPF_JMP32 | BPF_OP(at->code) | (by_x ? BPF_X : BPF_K)), A, by_x ? X : 0,
		  by_x ? 0 : at->k, TO_INSTRUCTION, number + 1 + at->jt);
	if (at->jf)
		emit_jump(to, BPF_JMP | BPF_JA, 0, 0, 0, TO_INSTRUCTION, number + 1 + at->jf);
}

static void end(struct translation *to, const struct sock_filter *at)
{
	if (BPF_RVAL(at->code) == BPF_A) {
		emit_jump(to, BPF_JMP32 | BPF_JEQ | BPF_K, A, 0, 0, TO_REJECT, 0);
		emit_jump(to, BPF_JMP | BPF_JA, 0, 0, 0, TO_ACCEPT, 0);
	} else {
		leave(to, at->k ? TO_ACCEPT : TO_REJECT);
		emit_jump(to, BPF_JMP | BPF_JA, 0, 0, 0, at->k ? TO_REJECT : TO_ACCEPT, 0);
	}
}

static void translate(struct translation *to, const struct sock_filter *at, uint32_t number)
{
	switch (BPF_CLASS(at->code)) {
	case BPF_LD:
	case BPF_LDX:
		load(to, at);
		break;
	case BPF_ST:
	case BPF_STX:
		emit(to, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, BPF_CLASS(at->code) == BPF_ST ? A : X,
		     (int16_t)(-4 * ((int)at->k + 1)), 0);
		break;
	case BPF_ALU:
		calculate(to, at);
		break;
	case BPF_JMP:
		jump(to, at, number);
		break;
	case BPF_RET:
		end(to, at);
		break;
	default:
		if (BPF_MISCOP(at->code) == BPF_TAX)
			copy(to, X, A);
		else
			copy(to, A, X);
	}
}

static void begin(struct translation *to, const struct packet_filter *filter)
{
	bool has_memory = false;

	for (uint32_t i = 0; i < filter->count; i++)
		has_memory |= BPF_MODE(filter->instructions[i].code) == BPF_MEM;
	emit(to, BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, BPF_REG_1, 0, 0);
	set(to, A, 0);
	set(to, X, 0);
	for (int word = 0; has_memory && word < BPF_MEMWORDS; word++)
		emit(to, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, (int16_t)(-4 * (word + 1)), 0);
}

/* Counts the packet, and leaves it to the stack. */
static void pass(struct translation *to, int verdicts)
{
	emit(to, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, KEY, 0);
	emit(to, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, (uint32_t)verdicts);
	emit(to, 0, 0, 0, 0, 0);
	emit(to, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0);
	emit(to, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, (uint32_t)KEY);
	call(to, BPF_FUNC_map_lookup_elem);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 3, 0);
	emit(to, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_0, offsetof(struct verdicts, unmatched), 0);
	emit(to, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, 1);
	emit(to, BPF_STX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_1, offsetof(struct verdicts, unmatched), 0);
	set(to, BPF_REG_0, XDP_PASS);
	emit(to, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Writes the filter, `program` behind it, and the targets of all jumps. */
static void write_all(struct translation *to, const struct packet_filter *filter, uint32_t *places,
		      const struct bpf_program *program, int verdicts)
{
	const uint32_t count = (uint32_t)bpf_program__insn_cnt(program);
	uint32_t rejecting, accepting;

	begin(to, filter);
	for (uint32_t number = 0; number < filter->count; number++) {
		places[number] = to->count;
		translate(to, filter->instructions + number, number);
	}
	rejecting = to->count;
	pass(to, verdicts);
	accepting = to->count;
	emit(to, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, CONTEXT, 0, 0);
	for (uint32_t at = 0; at < accepting; at++) {
		const enum target target = to->jumps[at].target;
		const uint32_t goal = target == TO_ACCEPT   ? accepting :
				      target == TO_REJECT ? rejecting :
							    places[to->jumps[at].number];

		if (to->jumps[at].is_open)
			to->instructions[at].off = (int16_t)(goal - at - 1);
	}
	memcpy(to->instructions + to->count, bpf_program__insns(program), count * sizeof(struct bpf_insn));
	to->count += count;
}

int match_load(const struct bpf_program *program, const struct xdplab_match *match, uint32_t interface_index,
	       int verdicts, struct xdplab_error *error)
{
	struct packet_filter *filter =
		packet_filter_create((const struct sock_filter *)match->instructions, match->count);
	const size_t room = MOST_AROUND + (size_t)MOST_FOR_ONE * match->count + bpf_program__insn_cnt(program);
	const uint32_t flags = bpf_program__flags(program);
	struct translation to = { 0 };
	uint32_t *places = NULL;
	int descriptor;

	if (!filter || match->count > XDPLAB_MATCH_LONGEST) {
		free(filter);
		return fail(error, XDPLAB_STEP_LOAD_PROGRAM, match->count > XDPLAB_MATCH_LONGEST ? E2BIG : EINVAL,
			    "translate the packet filter of match");
	}
	to.instructions = calloc(room, sizeof(*to.instructions));
	to.jumps = calloc(room, sizeof(*to.jumps));
	places = calloc(filter->count, sizeof(*places));
	if (to.instructions && to.jumps && places) {
		write_all(&to, filter, places, program, verdicts);
		descriptor = program_load_code(&(struct program_code){
			.name = bpf_program__name(program),
			.license = "GPL",
			.instructions = to.instructions,
			.count = to.count,
			.flags = flags,
			.interface_index = flags & BPF_F_XDP_DEV_BOUND_ONLY ? interface_index : 0,
		}, error);
	} else {
		descriptor = fail(error, XDPLAB_STEP_LOAD_PROGRAM, ENOMEM, "translate the packet filter of match");
	}
	free(places);
	free(to.jumps);
	free(to.instructions);
	free(filter);
	return descriptor;
}
