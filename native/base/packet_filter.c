/* SPDX-License-Identifier: Apache-2.0
 *
 * The instructions are those of bpf(4); linux/filter.h and linux/bpf_common.h name them.
 */
#include "base/packet_filter.h"

#include <linux/bpf_common.h>
#include <stdlib.h>
#include <string.h>

static bool is_load_valid(const struct sock_filter *at)
{
	switch (at->code) {
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LDX | BPF_B | BPF_MSH:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return at->k < BPF_MEMWORDS;
	default:
		return false;
	}
}

static bool is_arithmetic_valid(const struct sock_filter *at)
{
	const uint32_t operation = BPF_OP(at->code);

	if (operation == BPF_NEG)
		return true;
	if (BPF_SRC(at->code) == BPF_K && !at->k && (operation == BPF_DIV || operation == BPF_MOD))
		return false;
	return operation <= BPF_XOR;
}

/* `left`: instructions that follow. Jumps go forward only, so that a valid program ends. */
static bool is_valid(const struct sock_filter *at, uint32_t left)
{
	switch (BPF_CLASS(at->code)) {
	case BPF_LD:
	case BPF_LDX:
		return left && is_load_valid(at);
	case BPF_ST:
	case BPF_STX:
		return left && at->k < BPF_MEMWORDS;
	case BPF_ALU:
		return left && is_arithmetic_valid(at);
	case BPF_JMP:
		if (BPF_OP(at->code) == BPF_JA)
			return at->k < left;
		return BPF_OP(at->code) <= BPF_JSET && at->jt < left && at->jf < left;
	case BPF_RET:
		return BPF_RVAL(at->code) == BPF_K || BPF_RVAL(at->code) == BPF_A;
	default:
		return left;
	}
}

struct packet_filter *packet_filter_create(const struct sock_filter *instructions, uint32_t count)
{
	const size_t size = count * sizeof(*instructions);
	struct packet_filter *filter;

	if (!count || count > BPF_MAXINSNS)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		if (!is_valid(instructions + i, count - 1 - i))
			return NULL;
	filter = malloc(sizeof(*filter) + size);
	if (!filter)
		return NULL;
	filter->count = count;
	memcpy(filter->instructions, instructions, size);
	return filter;
}

struct machine {
	const uint8_t *bytes;
	uint32_t captured;
	uint32_t length;
	uint32_t a;
	uint32_t x;
	uint32_t memory[BPF_MEMWORDS];
};

/* Reads `size` bytes in network byte order into `value`; false beyond the packet. */
static bool fetch(const struct machine *machine, uint64_t offset, uint32_t size, uint32_t *value)
{
	if (offset + size > machine->captured)
		return false;
	*value = 0;
	for (uint32_t i = 0; i < size; i++)
		*value = *value << 8 | machine->bytes[offset + i];
	return true;
}

static bool load(struct machine *machine, const struct sock_filter *at)
{
	const bool to_x = BPF_CLASS(at->code) == BPF_LDX;
	const uint32_t size = BPF_SIZE(at->code) == BPF_W ? 4 : BPF_SIZE(at->code) == BPF_H ? 2 : 1;
	uint32_t value = 0;

	switch (BPF_MODE(at->code)) {
	case BPF_IMM:
		value = at->k;
		break;
	case BPF_LEN:
		value = machine->length;
		break;
	case BPF_MEM:
		value = machine->memory[at->k];
		break;
	case BPF_MSH:
		if (!fetch(machine, at->k, 1, &value))
			return false;
		value = (value & 0xf) << 2;
		break;
	case BPF_IND:
		if (!fetch(machine, (uint64_t)machine->x + at->k, size, &value))
			return false;
		break;
	default:
		if (!fetch(machine, at->k, size, &value))
			return false;
	}
	if (to_x)
		machine->x = value;
	else
		machine->a = value;
	return true;
}

/* False for a division by zero. */
static bool calculate(struct machine *machine, const struct sock_filter *at)
{
	const uint32_t other = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;

	switch (BPF_OP(at->code)) {
	case BPF_ADD:
		machine->a += other;
		break;
	case BPF_SUB:
		machine->a -= other;
		break;
	case BPF_MUL:
		machine->a *= other;
		break;
	case BPF_DIV:
		if (!other)
			return false;
		machine->a /= other;
		break;
	case BPF_MOD:
		if (!other)
			return false;
		machine->a %= other;
		break;
	case BPF_OR:
		machine->a |= other;
		break;
	case BPF_AND:
		machine->a &= other;
		break;
	case BPF_XOR:
		machine->a ^= other;
		break;
	case BPF_LSH:
		machine->a = other < 32 ? machine->a << other : 0;
		break;
	case BPF_RSH:
		machine->a = other < 32 ? machine->a >> other : 0;
		break;
	default:
		machine->a = -machine->a;
	}
	return true;
}

/* Number of instructions to leave out. */
static uint32_t jump(const struct machine *machine, const struct sock_filter *at)
{
	const uint32_t other = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;

	switch (BPF_OP(at->code)) {
	case BPF_JA:
		return at->k;
	case BPF_JEQ:
		return machine->a == other ? at->jt : at->jf;
	case BPF_JGT:
		return machine->a > other ? at->jt : at->jf;
	case BPF_JGE:
		return machine->a >= other ? at->jt : at->jf;
	default:
		return machine->a & other ? at->jt : at->jf;
	}
}

bool packet_filter_passes(const struct packet_filter *filter, const uint8_t *bytes, uint32_t captured,
			  uint32_t length)
{
	struct machine machine = { .bytes = bytes, .captured = captured, .length = length };

	for (const struct sock_filter *at = filter->instructions;; at++) {
		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!load(&machine, at))
				return false;
			break;
		case BPF_ST:
			machine.memory[at->k] = machine.a;
			break;
		case BPF_STX:
			machine.memory[at->k] = machine.x;
			break;
		case BPF_ALU:
			if (!calculate(&machine, at))
				return false;
			break;
		case BPF_JMP:
			at += jump(&machine, at);
			break;
		case BPF_RET:
			return BPF_RVAL(at->code) == BPF_A ? machine.a : at->k;
		default:
			if (BPF_MISCOP(at->code) == BPF_TAX)
				machine.x = machine.a;
			else
				machine.a = machine.x;
		}
	}
}
