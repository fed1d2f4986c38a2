/* The reply queue: everything one wake-up answers leaves in one writev. */
#include "floor.h"

static void add_vector(struct connection *c, void *base, size_t length)
{
	c->vector[c->vectors++] = (struct iovec){ base, length };
}

uint8_t *reply(struct connection *c, int opcode, int flags, uint32_t tag, void *data, uint32_t length)
{
	static uint8_t zeroes[4];
	uint8_t *pdu = c->headers[c->replies++];

	memset(pdu, 0, HEADER);
	pdu[0] = opcode;
	pdu[1] = flags;
	put32(pdu + 4, length);
	put32(pdu + 16, tag);
	put32(pdu + 24, c->stat_sn);
	put32(pdu + 28, c->exp_cmd_sn);
	put32(pdu + 32, c->exp_cmd_sn + COMMAND_WINDOW);
	add_vector(c, pdu, HEADER);
	if (length)
		add_vector(c, data, length);
	if (length & 3)
		add_vector(c, zeroes, 4 - (length & 3));
	return pdu;
}

uint8_t *status_reply(struct connection *c, int opcode, int flags, uint32_t tag, void *data, uint32_t length)
{
	uint8_t *pdu = reply(c, opcode, flags, tag, data, length);
	c->stat_sn++;
	return pdu;
}
