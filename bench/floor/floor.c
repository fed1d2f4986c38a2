/*
 * The floor: the least work that answers iSCSI READ and WRITE. One thread, one epoll loop, memory behind it.
 *
 * It speaks just enough for libiscsi, QEMU and open-iscsi to log in and to use the disk: login without
 * authentication and digests, SendTargets, NOP, logout, and the handful of commands a disk is opened with. It keeps
 * no task set, checks no sequence number, holds no reservation and recovers from nothing: whoever is as fast as this
 * and does all of that has nothing left to gain.
 *
 * One wake-up is one recv, as many PDUs as it brought, one writev. READ data go out of the memory itself; WRITE data
 * that were not in the receive buffer yet are received straight into it.
 *
 *   floor --size BYTES [--sector 512|4096] [--port N]      prints "ready PORT TARGET" once it listens on 127.0.0.1
 */
#define _GNU_SOURCE
#include "floor.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

uint8_t *memory;
uint64_t memory_bytes;
uint32_t sector = 512;
int port;

/* One PDU at input + at; 0 when it is not whole, -1 to drop the connection. */
static int step(struct connection *c)
{
	uint8_t *pdu = c->input + c->at;
	int opcode = pdu[0] & 0x3f;
	uint32_t length, padded;

	if (c->have - c->at < HEADER)
		return 0;
	length = segment_length(pdu);
	padded = (length + 3) & ~3u;
	if (opcode != 0x01 && opcode != 0x05) {
		if (padded > TEXT_MAX)
			return -1;
		if (c->have - c->at < HEADER + padded)
			return 0;
	} else if (length & 3) {
		return -1;
	}
	c->at += HEADER;
	if (!(pdu[0] & 0x40) && opcode != 0x05 && opcode != 0x03 && opcode != 0x10)
		c->exp_cmd_sn = get32(pdu + 24) + 1;
	if (opcode == 0x01)
		return scsi_command(c, pdu) < 0 ? -1 : 1;
	if (opcode == 0x05)
		return data_out(c, pdu) < 0 ? -1 : 1;
	c->at += padded;
	switch (opcode) {
	case 0x00: /* NOP-Out */
		length = length < SMALL_MAX ? length : SMALL_MAX;
		memcpy(c->small[c->replies], pdu + HEADER, length);
		put32(status_reply(c, 0x20, 0x80, get32(pdu + 16), c->small[c->replies], length) + 20, 0xffffffff);
		return 1;
	case 0x02:
		status_reply(c, 0x22, 0x80, get32(pdu + 16), NULL, 0);
		return 1;
	case 0x03:
		if (padded == 0 || pdu[HEADER + length - 1] != 0)
			return -1;
		login(c, pdu, (char *)pdu + HEADER);
		return 1;
	case 0x04:
		text_request(c, pdu);
		return 1;
	case 0x06:
		status_reply(c, 0x26, 0x80, get32(pdu + 16), NULL, 0);
		c->closing = 1;
		return 1;
	}
	return -1;
}

/* 1: all gone, 0: the socket is full, -1: dead. */
static int flush(struct connection *c)
{
	while (c->sent < c->vectors) {
		int count = c->vectors - c->sent < 1024 ? c->vectors - c->sent : 1024;
		ssize_t wrote = writev(c->fd, c->vector + c->sent, count);

		if (wrote < 0)
			return errno == EAGAIN ? 0 : -1;
		for (; c->sent < c->vectors && (size_t)wrote >= c->vector[c->sent].iov_len; c->sent++)
			wrote -= c->vector[c->sent].iov_len;
		if (wrote) {
			c->vector[c->sent].iov_base = (uint8_t *)c->vector[c->sent].iov_base + wrote;
			c->vector[c->sent].iov_len -= wrote;
		}
	}
	c->sent = c->vectors = c->replies = 0;
	return c->closing ? -1 : 1;
}

/* Room for the replies of one more command of the largest size. */
static int has_room(const struct connection *c)
{
	return c->replies + TRANSFER_MAX / (int)c->peer_segment + 2 <= REPLIES_MAX;
}

static int receive(struct connection *c)
{
	struct iovec into[2] = { { c->sink, c->sink_left }, { c->input + c->have, INPUT_MAX - c->have } };
	ssize_t got = c->sink_left ? readv(c->fd, into, 2) : recv(c->fd, into[1].iov_base, into[1].iov_len, 0);
	size_t direct;

	if (got <= 0)
		return got < 0 && errno == EAGAIN ? 0 : -1;
	direct = (size_t)got < c->sink_left ? (size_t)got : c->sink_left;
	c->sink += direct;
	c->sink_left -= direct;
	c->have += got - direct;
	if (direct && c->sink_left == 0)
		data_arrived(c);
	return 0;
}

/* One wake-up. Returns -1 to drop the connection, else the events to wait for. */
static int serve(struct connection *c)
{
	int state, parsed = 1;

	if (c->vectors == 0 && receive(c) < 0)
		return -1;
	for (;;) {
		while (c->sink_left == 0 && !c->closing && has_room(c) && (parsed = step(c)) > 0)
			;
		if (parsed < 0)
			return -1;
		if ((state = flush(c)) <= 0)
			return state < 0 ? -1 : EPOLLOUT;
		if (parsed == 0 || c->sink_left)
			break; /* else: the reply queue was full and is empty now */
	}
	memmove(c->input, c->input + c->at, c->have - c->at);
	c->have -= c->at;
	c->at = 0;
	return EPOLLIN;
}

static int listen_on_loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t length = sizeof address;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &length)) {
		perror("floor: listen");
		exit(1);
	}
	port = ntohs(address.sin_port);
	return fd;
}

static void accept_one(int epoll, int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct connection *c = fd < 0 ? NULL : calloc(1, sizeof *c);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (c == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	c->waits_for = EPOLLIN;
	c->peer_segment = 8192;
	c->max_burst = 262144;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void wake(int epoll, struct connection *c)
{
	int wanted = serve(c);

	if (wanted < 0) {
		close(c->fd);
		free(c);
	} else if (wanted != c->waits_for) {
		epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){ .events = wanted, .data.ptr = c });
		c->waits_for = wanted;
	}
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(0), listener;
	struct epoll_event events[EVENTS_MAX], event = { .events = EPOLLIN };

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--size"))
			memory_bytes = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--sector"))
			sector = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--port"))
			port = strtoul(argv[i + 1], NULL, 0);
	}
	if (memory_bytes == 0 || (sector != 512 && sector != 4096)) {
		fprintf(stderr, "usage: floor --size BYTES [--sector 512|4096] [--port N]\n");
		return 2;
	}
	memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("floor: memory");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on_loopback();
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	printf("ready %d %s\n", port, TARGET);
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++)
			if (events[i].data.ptr == NULL)
				accept_one(epoll, listener);
			else
				wake(epoll, events[i].data.ptr);
	}
}
