/* The disk of the floor: the few commands it is opened with, and READ and WRITE of the memory. */
#include "floor.h"

static void good(struct connection *c, uint32_t tag)
{
	status_reply(c, 0x21, 0x80, tag, NULL, 0);
}

static void illegal_request(struct connection *c, uint32_t tag, int asc)
{
	uint8_t *sense = c->small[c->replies];

	memset(sense, 0, 20);
	sense[1] = 18;
	sense[2] = 0x70;
	sense[4] = 0x05;
	sense[9] = 10;
	sense[14] = asc;
	status_reply(c, 0x21, 0x80, tag, sense, 20)[3] = 0x02;
}

/* Data-In PDUs of at most what the peer takes; the last carries the status. RFC 7143 §11.7 */
static void data_in(struct connection *c, uint32_t tag, uint8_t *data, uint32_t length, uint32_t expected)
{
	uint32_t offset = 0, sn = 0, sent = length < expected ? length : expected;

	do {
		uint32_t part = sent - offset < c->peer_segment ? sent - offset : c->peer_segment;
		int last = offset + part == sent;
		int underflow = last && length < expected ? 2 : 0, overflow = last && length > expected ? 4 : 0;
		int burst_ends = last || (offset + part) % c->max_burst == 0;
		int flags = (burst_ends ? 0x80 : 0) | last | underflow | overflow;
		uint8_t *pdu = reply(c, 0x25, flags, tag, data + offset, part);

		put32(pdu + 20, 0xffffffff);
		if (last)
			c->stat_sn++;
		else
			put32(pdu + 24, 0);
		put32(pdu + 36, sn++);
		put32(pdu + 40, offset);
		put32(pdu + 44, underflow ? expected - length : overflow ? length - expected : 0);
		offset += part;
	} while (offset < sent);
}

static void request_data(struct connection *c, struct write_task *w)
{
	uint32_t rest = w->total - w->received, ask = rest < c->max_burst ? rest : c->max_burst;
	uint8_t *pdu = reply(c, 0x31, 0x80, w->tag, NULL, 0);

	put32(pdu + 20, w - c->writes);
	put32(pdu + 36, w->r2t_sn++);
	put32(pdu + 40, w->received);
	put32(pdu + 44, ask);
	w->asked = w->received + ask;
}

/* The data of one PDU are in place. */
void data_arrived(struct connection *c)
{
	struct write_task *w = c->sink_task;

	c->sink_task = NULL;
	if (!c->sink_final)
		return;
	if (w->received < w->total) {
		request_data(c, w);
		return;
	}
	good(c, w->tag);
	w->total = 0;
}

/* Takes what is in the buffer; the rest will be received where it belongs. */
static void take_data(struct connection *c, struct write_task *w, uint32_t offset, uint32_t length, int final)
{
	size_t here = c->have - c->at < length ? c->have - c->at : length;

	memcpy(w->data + offset, c->input + c->at, here);
	c->at += here;
	w->received += length;
	c->sink = w->data + offset + here;
	c->sink_left = length - here;
	c->sink_task = w;
	c->sink_final = final;
	if (c->sink_left == 0)
		data_arrived(c);
}

static int write_command(struct connection *c, const uint8_t *pdu, uint8_t *data, uint32_t length)
{
	struct write_task *w = c->writes;
	uint32_t immediate = segment_length(pdu);

	while (w->total)
		if (++w == c->writes + WRITES_MAX)
			return -1;
	if (immediate > length || get32(pdu + 20) != length || length == 0)
		return -1;
	*w = (struct write_task){ .tag = get32(pdu + 16), .total = length, .data = data };
	take_data(c, w, 0, immediate, pdu[1] & 0x80);
	return 0;
}

int data_out(struct connection *c, const uint8_t *pdu)
{
	uint32_t tag = get32(pdu + 20), offset = get32(pdu + 40), length = segment_length(pdu);
	struct write_task *w = c->writes;

	if (tag == 0xffffffff)
		while (w->total == 0 || w->tag != get32(pdu + 16)) {
			if (++w == c->writes + WRITES_MAX)
				return -1;
		}
	else if (tag < WRITES_MAX)
		w += tag;
	if (w->total == 0 || offset > w->total || length > w->total - offset)
		return -1;
	take_data(c, w, offset, length, pdu[1] & 0x80);
	return 0;
}

static void inquiry(struct connection *c, uint32_t tag, const uint8_t *cdb, uint32_t expected)
{
	uint8_t *page = c->small[c->replies];
	uint32_t length = 36, allocated = cdb[3] << 8 | cdb[4];

	memset(page, 0, 36);
	if (cdb[1] & 1) {
		if (cdb[2] != 0)
			return illegal_request(c, tag, 0x24);
		page[3] = 1;
		length = 5;
	} else {
		memcpy(page, "\0\0\6\2\x1f\0\0\2LOCKSTEPfloor           1   ", 36);
	}
	data_in(c, tag, page, length < allocated ? length : allocated, expected);
}

/* Everything but READ and WRITE. */
static void small_command(struct connection *c, uint32_t tag, const uint8_t *cdb, uint32_t expected)
{
	uint8_t *answer = c->small[c->replies];
	uint64_t last = memory_bytes / sector - 1;
	uint32_t length = 0;

	memset(answer, 0, 32);
	switch (cdb[0]) {
	case 0x00: case 0x35: case 0x91: /* TEST UNIT READY, SYNCHRONIZE CACHE(10), (16) */
		return good(c, tag);
	case 0x12:
		return inquiry(c, tag, cdb, expected);
	case 0x1a: /* MODE SENSE(6): a header and no page */
		answer[0] = 3;
		length = 4;
		break;
	case 0x25:
		put32(answer, last > 0xffffffff ? 0xffffffff : last);
		put32(answer + 4, sector);
		length = 8;
		break;
	case 0x9e: /* READ CAPACITY(16) */
		if ((cdb[1] & 0x1f) != 0x10)
			return illegal_request(c, tag, 0x24);
		put64(answer, last);
		put32(answer + 8, sector);
		length = 32;
		break;
	case 0xa0: /* REPORT LUNS: LUN 0 */
		answer[3] = 8;
		length = 16;
		break;
	default:
		return illegal_request(c, tag, 0x20);
	}
	data_in(c, tag, answer, length, expected);
}

int scsi_command(struct connection *c, const uint8_t *pdu)
{
	const uint8_t *cdb = pdu + 32;
	uint32_t tag = get32(pdu + 16), blocks;
	uint64_t lba;

	switch (cdb[0]) {
	case 0x28: case 0x2a:
		lba = get32(cdb + 2);
		blocks = cdb[7] << 8 | cdb[8];
		break;
	case 0x88: case 0x8a:
		lba = get64(cdb + 2);
		blocks = get32(cdb + 10);
		break;
	default:
		if (segment_length(pdu))
			return -1;
		small_command(c, tag, cdb, get32(pdu + 20));
		return 0;
	}
	if (lba > memory_bytes / sector || blocks > memory_bytes / sector - lba || blocks > TRANSFER_MAX / sector) {
		if (segment_length(pdu))
			return -1;
		illegal_request(c, tag, 0x21);
		return 0;
	}
	if (cdb[0] == 0x2a || cdb[0] == 0x8a)
		return write_command(c, pdu, memory + lba * sector, blocks * sector);
	data_in(c, tag, memory + lba * sector, blocks * sector, get32(pdu + 20));
	return 0;
}
