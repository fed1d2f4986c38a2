/* What the parts of the floor share: a connection, its reply queue, and big-endian fields. */
#ifndef FLOOR_H
#define FLOOR_H
#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define TARGET "iqn.2026-01.example.floor:disk"
enum {
	HEADER = 48,
	INPUT_MAX = 1 << 18,        /* one recv */
	SMALL_MAX = 64,             /* INQUIRY and its like */
	TEXT_MAX = 8192,            /* a login or text request, RFC 7143 §6.1 */
	REPLIES_MAX = 4096,         /* PDUs of one wake-up */
	COMMAND_WINDOW = 1024,      /* MaxCmdSN - ExpCmdSN */
	WRITES_MAX = 2048,          /* writes that wait for data */
	SEGMENT_MAX = 1 << 20,      /* MaxRecvDataSegmentLength we declare */
	BURST_MAX = (1 << 24) - 512,
	TRANSFER_MAX = 16 << 20,    /* one command */
	PEER_SEGMENT_MIN = TRANSFER_MAX / REPLIES_MAX * 2,
	EVENTS_MAX = 64,
};

struct write_task {
	uint32_t tag;               /* initiator task tag; valid while total > 0 */
	uint32_t total, received, asked;
	uint32_t r2t_sn;
	uint8_t *data;
};

struct connection {
	int fd;
	int waits_for;              /* EPOLLIN or EPOLLOUT */
	int closing;                /* close once the output is gone */
	uint32_t stat_sn, exp_cmd_sn;
	uint32_t peer_segment, max_burst;
	size_t have, at;            /* input[at..have) is not parsed yet */
	uint8_t *sink;              /* data of the current PDU still go here */
	size_t sink_left;
	struct write_task *sink_task;
	int sink_final;
	int replies, vectors, sent; /* sent: vectors already written */
	struct write_task writes[WRITES_MAX];
	uint8_t input[INPUT_MAX];
	uint8_t headers[REPLIES_MAX][HEADER];
	uint8_t small[REPLIES_MAX][SMALL_MAX];
	uint8_t text[TEXT_MAX];
	struct iovec vector[REPLIES_MAX * 2];
};

extern uint8_t *memory;
extern uint64_t memory_bytes;
extern uint32_t sector;
extern int port;

/* reply.c: a PDU into the reply queue; `data` must stay where they are until they are sent. */
uint8_t *reply(struct connection *c, int opcode, int flags, uint32_t tag, void *data, uint32_t length);
uint8_t *status_reply(struct connection *c, int opcode, int flags, uint32_t tag, void *data, uint32_t length);

/* login.c */
void login(struct connection *c, const uint8_t *pdu, char *text);
void text_request(struct connection *c, const uint8_t *pdu);

/* disk.c: -1 drops the connection. */
int scsi_command(struct connection *c, const uint8_t *pdu);
int data_out(struct connection *c, const uint8_t *pdu);
void data_arrived(struct connection *c);

static inline uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return be32toh(v); }
static inline uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return be64toh(v); }
static inline void put32(uint8_t *p, uint32_t v) { v = htobe32(v); memcpy(p, &v, 4); }
static inline void put64(uint8_t *p, uint64_t v) { v = htobe64(v); memcpy(p, &v, 8); }
static inline uint32_t segment_length(const uint8_t *pdu) { return get32(pdu + 4) & 0xffffff; }
#endif
