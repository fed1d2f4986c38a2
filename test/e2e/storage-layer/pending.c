/* What was written and not flushed: read by everybody, and gone when this process is killed. Some of it gets to the disk
 * before, in sectors and in an order that nobody asked for, as a disk with a cache does. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
bool is_volatile;

static struct node *nodes;
static uint64_t state = 1;
/* Stands for a sector that was punched out. */
static unsigned char hole[SECTOR];

void seed_random(uint64_t seed)
{
	state = seed * 2 + 1;
}

static uint64_t below(uint64_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % bound;
}

struct node *node_of(ino_t ino)
{
	struct node *node;
	for (node = nodes; node != NULL; node = node->next)
		if (node->ino == ino)
			return node;
	node = calloc(1, sizeof *node);
	node->ino = ino;
	node->next = nodes;
	return nodes = node;
}

void node_removed(ino_t ino)
{
	for (struct node *node = nodes; node != NULL; node = node->next)
		if (node->ino == ino)
			node->ino = 0;
}

static off_t length_of(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 ? status.st_size : 0;
}

static void forget(struct node *node, size_t at)
{
	if (node->sectors[at] != hole)
		free(node->sectors[at]);
	node->sectors[at] = NULL;
}

/* Where the content of a sector may be changed. */
static unsigned char *opened(struct node *node, int fd, size_t at)
{
	if (at >= node->count) {
		size_t count = at + at / 2 + 64;
		node->sectors = realloc(node->sectors, count * sizeof *node->sectors);
		memset(node->sectors + node->count, 0, (count - node->count) * sizeof *node->sectors);
		node->count = count;
	}
	if (node->sectors[at] == NULL || node->sectors[at] == hole) {
		unsigned char *fresh = calloc(1, SECTOR);
		if (node->sectors[at] == NULL)
			(void)!pread(fd, fresh, SECTOR, (off_t)at * SECTOR);
		node->sectors[at] = fresh;
	}
	return node->sectors[at];
}

/* To the disk. */
static int settle(struct node *node, int fd, size_t at)
{
	if (at >= node->count || node->sectors[at] == NULL)
		return 0;
	off_t offset = (off_t)at * SECTOR;
	if (node->sectors[at] == hole) {
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, SECTOR) < 0)
			return -errno;
	} else {
		off_t rest = length_of(fd) - offset;
		size_t length = rest < SECTOR ? (rest < 0 ? 0 : rest) : SECTOR;
		if (pwrite(fd, node->sectors[at], length, offset) < 0)
			return -errno;
	}
	forget(node, at);
	return 0;
}

/* Some writes get to the disk in part, and some older ones late, in whatever order. */
static void settle_some(struct node *node, int fd, size_t first, size_t end)
{
	switch (below(6)) {
	case 0:
		for (size_t at = first, stop = first + below(end - first + 1); at < stop; at++)
			settle(node, fd, at);
		break;
	case 1:
		for (size_t at = first; at < end; at++)
			if (below(2) == 0)
				settle(node, fd, at);
		break;
	case 2:
		for (size_t at = below(node->count), stop = at + below(64); at < stop; at++)
			settle(node, fd, at);
		break;
	}
}

ssize_t pending_read(struct node *node, int fd, char *buffer, size_t length, off_t offset)
{
	ssize_t count = pread(fd, buffer, length, offset);
	if (count < 0)
		return -errno;
	for (off_t position = offset; position < offset + count;) {
		size_t at = position / SECTOR, skip = position % SECTOR;
		size_t part = SECTOR - skip;
		if (part > (size_t)(offset + count - position))
			part = offset + count - position;
		if (at < node->count && node->sectors[at] != NULL)
			memcpy(buffer + (position - offset), node->sectors[at] + skip, part);
		position += part;
	}
	return count;
}

ssize_t pending_write(struct node *node, int fd, const char *buffer, size_t length, off_t offset)
{
	off_t end = offset + (off_t)length;
	if (!is_volatile) {
		ssize_t count = pwrite(fd, buffer, length, offset);
		return count < 0 ? -errno : count;
	}
	if (length == 0)
		return 0;
	if (end > length_of(fd) && ftruncate(fd, end) < 0)
		return -errno;
	for (off_t position = offset; position < end;) {
		size_t skip = position % SECTOR, part = SECTOR - skip;
		if (part > (size_t)(end - position))
			part = end - position;
		memcpy(opened(node, fd, position / SECTOR) + skip, buffer + (position - offset), part);
		position += part;
	}
	settle_some(node, fd, offset / SECTOR, (end + SECTOR - 1) / SECTOR);
	return length;
}

int pending_punch(struct node *node, int fd, off_t offset, off_t length)
{
	if (!is_volatile)
		return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0 ? -errno : 0;
	off_t end = offset + length, file_end = length_of(fd);
	if (end > file_end)
		end = file_end;
	for (off_t position = offset; position < end;) {
		size_t at = position / SECTOR, skip = position % SECTOR, part = SECTOR - skip;
		if (part > (size_t)(end - position))
			part = end - position;
		memset(opened(node, fd, at) + skip, 0, part);
		if (part == SECTOR) {
			forget(node, at);
			node->sectors[at] = hole;
		}
		position += part;
	}
	if (end > offset)
		settle_some(node, fd, offset / SECTOR, (end + SECTOR - 1) / SECTOR);
	return 0;
}

int pending_truncate(struct node *node, int fd, off_t length)
{
	if (ftruncate(fd, length) < 0)
		return -errno;
	size_t first = (length + SECTOR - 1) / SECTOR;
	for (size_t at = first; at < node->count; at++)
		forget(node, at);
	size_t kept = length % SECTOR;
	if (kept > 0 && length / SECTOR < (off_t)node->count && node->sectors[length / SECTOR] != NULL)
		memset(opened(node, fd, length / SECTOR) + kept, 0, SECTOR - kept);
	return 0;
}

/* Whole blocks of the file system are given back only when they are punched at once. */
static int settle_holes(struct node *node, int fd)
{
	for (size_t at = 0, end; at < node->count; at = end + 1) {
		for (end = at; end < node->count && node->sectors[end] == hole; end++)
			;
		off_t offset = (off_t)at * SECTOR, length = (off_t)(end - at) * SECTOR;
		if (length > 0 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0)
			return -errno;
		for (; at < end; at++)
			forget(node, at);
	}
	return 0;
}

/* From either end: who is killed half-way has the first of it, or the last. */
int pending_flush(struct node *node, int fd)
{
	int punched = settle_holes(node, fd);
	if (punched < 0)
		return punched;
	bool backwards = below(2) == 0;
	for (size_t turn = 0; turn < node->count; turn++) {
		int status = settle(node, fd, backwards ? node->count - 1 - turn : turn);
		if (status < 0)
			return status;
	}
	return 0;
}

void pending_lose(struct node *node)
{
	for (size_t at = 0; at < node->count; at++)
		if (node->sectors[at] != NULL && below(2) == 0)
			forget(node, at);
}

static bool has_data(struct node *node, off_t offset)
{
	size_t at = offset / SECTOR;
	return at < node->count && node->sectors[at] != NULL && node->sectors[at] != hole;
}

off_t pending_seek(struct node *node, int fd, off_t offset, int whence)
{
	off_t end = length_of(fd);
	if (whence == SEEK_DATA) {
		off_t found = lseek(fd, offset, SEEK_DATA);
		off_t limit = found < 0 ? end : found;
		for (off_t at = offset; at < limit; at = (at / SECTOR + 1) * SECTOR) {
			if ((size_t)(at / SECTOR) >= node->count)
				break;
			if (has_data(node, at))
				return at;
		}
		return found < 0 ? -errno : found;
	}
	off_t found = lseek(fd, offset, SEEK_HOLE);
	while (found >= 0 && found < end && has_data(node, found)) {
		found = (found / SECTOR + 1) * SECTOR;
		found = found >= end ? end : lseek(fd, found, SEEK_HOLE);
	}
	return found < 0 ? -errno : found;
}
