/* A file system over a folder whose disk can fail and lose power; see README.md. */
#ifndef LAYER_H
#define LAYER_H

#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SECTOR 512

/* A file with what was written to it and is not on the disk yet. All calls are made with `lock` held. */
struct node {
	ino_t ino; /* 0: removed, and kept by those who have it open */
	unsigned char **sectors; /* by number; NULL: as on the disk */
	size_t count;
	struct node *next;
};

extern pthread_mutex_t lock;

/* Drops what is not flushed when it is killed; otherwise nothing is held back. */
extern bool is_volatile;
void seed_random(uint64_t seed);

struct node *node_of(ino_t ino);
void node_removed(ino_t ino);

/* Each: a count or 0, or the errno negated. */
ssize_t pending_read(struct node *node, int fd, char *buffer, size_t length, off_t offset);
ssize_t pending_write(struct node *node, int fd, const char *buffer, size_t length, off_t offset);
int pending_punch(struct node *node, int fd, off_t offset, off_t length);
int pending_truncate(struct node *node, int fd, off_t length);
int pending_flush(struct node *node, int fd);
/* A flush that failed: some of it is gone, as where the kernel has marked pages clean that it could not write. */
void pending_lose(struct node *node);
off_t pending_seek(struct node *node, int fd, off_t offset, int whence);

enum operation { READ_OP, WRITE_OP, FLUSH_OP };

/* Waits as long as a fault demands, without `lock`; what it demands then: 0, or the errno negated. */
int fault_of(const char *path, enum operation operation, int fd, off_t offset, size_t length);

/* Obeys the lines of standard input until its end, which ends the process. */
void *obey(void *mount_point);

#endif
