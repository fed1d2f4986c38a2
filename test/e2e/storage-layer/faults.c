/* Faults that come and go at run time: a line `set PATTERN OPERATION EFFECT`, `clear`, or `hits` is answered by a line. */
#include "layer.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define RULES 16

struct rule {
	char pattern[128];
	enum operation operation;
	char effect[16];
};

static pthread_mutex_t rules_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct rule rules[RULES];
static int rule_count;
static long hits;

static const char *const operations[] = { "read", "write", "flush" };

static struct rule *rule_of(const char *path, enum operation operation)
{
	for (int at = 0; at < rule_count; at++)
		if (rules[at].operation == operation && fnmatch(rules[at].pattern, path, 0) == 0)
			return &rules[at];
	return NULL;
}

/* A disk without free space still takes what has its place. */
static bool needs_space(int fd, off_t offset, size_t length)
{
	off_t found = lseek(fd, offset, SEEK_HOLE);
	return found < 0 || found < offset + (off_t)length;
}

int fault_of(const char *path, enum operation operation, int fd, off_t offset, size_t length)
{
	int answer = 0;
	unsigned slow_us = 0;
	pthread_mutex_lock(&rules_lock);
	struct rule *rule = rule_of(path, operation);
	if (rule != NULL && strcmp(rule->effect, "hang") == 0) {
		hits++;
		while (rule != NULL && strcmp(rule->effect, "hang") == 0) {
			pthread_cond_wait(&changed, &rules_lock);
			rule = rule_of(path, operation);
		}
	}
	if (rule != NULL) {
		if (strcmp(rule->effect, "eio") == 0)
			answer = -EIO;
		else if (strcmp(rule->effect, "full") == 0)
			answer = needs_space(fd, offset, length) ? -ENOSPC : 0;
		else if (strncmp(rule->effect, "slow:", 5) == 0)
			slow_us = 1000 * (unsigned)atoi(rule->effect + 5);
		if (answer < 0 || slow_us > 0)
			hits++;
	}
	pthread_mutex_unlock(&rules_lock);
	if (slow_us > 0)
		usleep(slow_us);
	return answer;
}

static bool set(char *words)
{
	struct rule rule = { 0 };
	char operation[16];
	if (rule_count == RULES || sscanf(words, "%127s %15s %15s", rule.pattern, operation, rule.effect) != 3)
		return false;
	for (int at = 0; at < 3; at++) {
		if (strcmp(operations[at], operation) != 0)
			continue;
		rule.operation = at;
		rules[rule_count++] = rule;
		return true;
	}
	return false;
}

void *obey(void *mount_point)
{
	char line[256];
	while (fgets(line, sizeof line, stdin) != NULL) {
		bool known = true;
		pthread_mutex_lock(&rules_lock);
		if (strncmp(line, "set ", 4) == 0)
			known = set(line + 4);
		else if (strncmp(line, "clear", 5) == 0)
			rule_count = 0;
		else
			known = strncmp(line, "hits", 4) == 0;
		pthread_cond_broadcast(&changed);
		printf("%s %ld\n", known ? "ok" : "unknown", hits);
		fflush(stdout);
		pthread_mutex_unlock(&rules_lock);
	}
	umount2(mount_point, MNT_DETACH);
	_exit(0);
}
