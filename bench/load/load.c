/*
 * The load: keeps `depth` commands outstanding on each of `connections` sessions and measures. It stands on libiscsi,
 * so that what is measured is what a real initiator gets. Every status is checked and so are the data: the first
 * eight bytes of every 4 KiB hold a pattern of their address, written by --fill and by every write, and each read
 * looks at its first and last 4 KiB.
 *
 *   load --url iscsi://HOST:PORT/IQN/LUN --operation read|write|mixed --pattern random|sequential
 *        --block BYTES --depth N --seconds S [--connections N] [--fill]
 *
 * --fill writes the whole disk first, outside the measured time. Prints one line of JSON. Exit 1: a command failed or
 * brought other data.
 */
#define _GNU_SOURCE
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { STAMP_EVERY = 4096, CONNECTIONS_MAX = 64, DEPTH_MAX = 1024, FILL_BLOCK = 1 << 18, FILL_DEPTH = 8 };
/* Latency buckets: powers of two of nanoseconds, each cut into SUB parts, so that a bucket is within 1.6 %. */
enum { SUB_BITS = 6, SUB = 1 << SUB_BITS, BUCKETS = 40 * SUB };

struct session {
	struct iscsi_context *iscsi;
	int lun;
};

struct slot {
	struct session *session;
	uint64_t offset, started;
	int writes;
	struct scsi_iovec vector;
	uint8_t *data;
};

static const char *url, *operation = "read", *pattern = "random";
static uint32_t block = 4096, depth = 1, connections = 1, sector;
static uint64_t disk_bytes, next_offset, fill_end;
static double seconds = 1;
static int filling, running, outstanding;
static uint64_t done, failed, wrong, started_at, stops_at, ended_at, worst, sum, buckets[BUCKETS];
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* xorshift64*: good enough to scatter addresses, and free. */
static uint64_t draw(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

static uint64_t stamp(uint64_t offset) { return (offset ^ 0x10c57e9) * 0x9e3779b97f4a7c15 | 1; }

static void record(uint64_t nanoseconds)
{
	int power = nanoseconds < SUB ? 0 : 63 - __builtin_clzll(nanoseconds) - SUB_BITS + 1;
	int bucket = power == 0 ? (int)nanoseconds : power * SUB + (int)(nanoseconds >> (power - 1)) - SUB;

	buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	sum += nanoseconds;
	if (nanoseconds > worst)
		worst = nanoseconds;
}

/* The upper edge of the bucket that holds this share of all commands, in microseconds. */
static double percentile(double share)
{
	uint64_t wanted = done * share, seen = 0;

	for (int bucket = 0; bucket < BUCKETS; bucket++) {
		int power = bucket / SUB;
		uint64_t edge = power == 0 ? (uint64_t)bucket : ((uint64_t)(bucket % SUB + SUB + 1) << (power - 1)) - 1;

		if ((seen += buckets[bucket]) > wanted)
			return (edge < worst ? edge : worst) / 1e3;
	}
	return worst / 1e3;
}

static void issue(struct slot *s);

static void check_data(const struct slot *s)
{
	uint64_t first, last, tail = s->vector.iov_len - STAMP_EVERY;

	memcpy(&first, s->data, 8);
	memcpy(&last, s->data + tail, 8);
	if (first != stamp(s->offset) || last != stamp(s->offset + tail))
		wrong++;
}

static void finished(struct iscsi_context *iscsi, int status, void *command_data, void *private_data)
{
	struct slot *s = private_data;
	uint64_t at = now();

	if (status != SCSI_STATUS_GOOD) {
		if (failed++ == 0)
			fprintf(stderr, "load: %s at %llu: %s\n", s->writes ? "write" : "read",
				(unsigned long long)s->offset, iscsi_get_error(iscsi));
	} else if (!s->writes) {
		check_data(s);
	}
	scsi_free_scsi_task(command_data);
	outstanding--;
	if (!filling) {
		done++;
		record(at - s->started);
		ended_at = at;
		if (at >= stops_at)
			running = 0;
	}
	if (running && failed == 0)
		issue(s);
}

/* Picks the next address; 0 when a fill has reached the end. */
static int choose(struct slot *s)
{
	uint32_t length = s->vector.iov_len;

	if (filling) {
		if (next_offset + length > fill_end)
			return 0;
		s->writes = 1;
	} else {
		s->writes = operation[0] == 'w' || (operation[0] == 'm' && draw() >> 63);
	}
	if (filling || pattern[0] == 's') {
		s->offset = next_offset;
		next_offset += length;
		if (!filling && next_offset + length > disk_bytes)
			next_offset = 0;
	} else {
		s->offset = draw() % (disk_bytes / length) * length;
	}
	return 1;
}

static void issue(struct slot *s)
{
	struct iscsi_context *iscsi = s->session->iscsi;
	int lun = s->session->lun;
	uint32_t length = s->vector.iov_len;
	struct scsi_task *task;

	if (!choose(s))
		return;
	s->started = now();
	if (s->writes) {
		for (uint32_t at = 0; at < length; at += STAMP_EVERY)
			memcpy(s->data + at, &(uint64_t){ stamp(s->offset + at) }, 8);
		task = iscsi_write16_iov_task(iscsi, lun, s->offset / sector, NULL, length, sector, 0, 0, 0, 0, 0, finished, s,
					      &s->vector, 1);
	} else {
		task = iscsi_read16_iov_task(iscsi, lun, s->offset / sector, length, sector, 0, 0, 0, 0, 0, finished, s,
					     &s->vector, 1);
	}
	if (task == NULL) {
		fprintf(stderr, "load: cannot queue a command: %s\n", iscsi_get_error(iscsi));
		exit(1);
	}
	outstanding++;
}

static void connect_session(struct session *session)
{
	struct iscsi_context *iscsi = iscsi_create_context("iqn.2026-01.example.load:initiator");
	struct iscsi_url *parsed = iscsi ? iscsi_parse_full_url(iscsi, url) : NULL;
	struct scsi_task *task;
	struct scsi_readcapacity16 *capacity;

	if (parsed == NULL) {
		fprintf(stderr, "load: bad URL %s\n", url);
		exit(2);
	}
	iscsi_set_targetname(iscsi, parsed->target);
	iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
	iscsi_set_header_digest(iscsi, ISCSI_HEADER_DIGEST_NONE);
	iscsi_set_noautoreconnect(iscsi, 1);
	if (iscsi_full_connect_sync(iscsi, parsed->portal, parsed->lun)) {
		fprintf(stderr, "load: cannot log in to %s: %s\n", url, iscsi_get_error(iscsi));
		exit(1);
	}
	task = iscsi_readcapacity16_sync(iscsi, parsed->lun);
	capacity = task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;
	if (capacity == NULL) {
		fprintf(stderr, "load: no capacity: %s\n", iscsi_get_error(iscsi));
		exit(1);
	}
	sector = capacity->block_length;
	disk_bytes = (capacity->returned_lba + 1) * sector;
	*session = (struct session){ iscsi, parsed->lun };
	scsi_free_scsi_task(task);
	iscsi_destroy_url(parsed);
}

/* Runs until every outstanding command has ended. */
static void run(struct session *sessions, uint32_t session_count, uint32_t per_session, uint32_t length)
{
	struct slot *slots = calloc(session_count * per_session, sizeof *slots);
	struct pollfd fds[CONNECTIONS_MAX];

	running = 1;
	for (uint32_t i = 0; i < session_count * per_session; i++) {
		uint8_t *data = aligned_alloc(STAMP_EVERY, length);

		for (uint32_t at = 0; at < length; at += 8)
			memcpy(data + at, &(uint64_t){ draw() }, 8);
		slots[i] = (struct slot){ .session = &sessions[i % session_count], .data = data };
		slots[i].vector = (struct scsi_iovec){ data, length };
		issue(&slots[i]);
	}
	while (outstanding > 0) {
		for (uint32_t i = 0; i < session_count; i++)
			fds[i] = (struct pollfd){ iscsi_get_fd(sessions[i].iscsi), iscsi_which_events(sessions[i].iscsi), 0 };
		if (poll(fds, session_count, 30000) <= 0) {
			fprintf(stderr, "load: no answer for 30 s, %d commands outstanding\n", outstanding);
			exit(1);
		}
		for (uint32_t i = 0; i < session_count; i++)
			if (fds[i].revents && iscsi_service(sessions[i].iscsi, fds[i].revents) < 0) {
				fprintf(stderr, "load: connection lost: %s\n", iscsi_get_error(sessions[i].iscsi));
				exit(1);
			}
	}
	for (uint32_t i = 0; i < session_count * per_session; i++)
		free(slots[i].data);
	free(slots);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(double cpu)
{
	double wall = done ? (ended_at - started_at) / 1e9 : 1e-9;

	printf("{\"operations\":%llu,\"seconds\":%.3f,\"iops\":%.1f,\"megabytesPerSecond\":%.2f,\"failed\":%llu,\"wrong\":%llu,"
	       "\"latencyUs\":{\"mean\":%.2f,\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f},\"loadCpuSeconds\":%.3f}\n",
	       (unsigned long long)done, wall, done / wall, done / wall * block / 1e6, (unsigned long long)failed,
	       (unsigned long long)wrong, done ? sum / 1e3 / done : 0, percentile(.5), percentile(.99), percentile(.999),
	       worst / 1e3, cpu);
}

static void usage(void)
{
	fprintf(stderr, "usage: load --url URL [--operation read|write|mixed] [--pattern random|sequential] [--block BYTES]\n"
			"            [--depth N] [--connections N] [--seconds S] [--fill]\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *option = argv[i];

		if (!strcmp(option, "--fill")) {
			filling = 1;
			continue;
		}
		if (++i == argc)
			usage();
		if (!strcmp(option, "--url"))
			url = argv[i];
		else if (!strcmp(option, "--operation"))
			operation = argv[i];
		else if (!strcmp(option, "--pattern"))
			pattern = argv[i];
		else if (!strcmp(option, "--block"))
			block = strtoul(argv[i], NULL, 0);
		else if (!strcmp(option, "--depth"))
			depth = strtoul(argv[i], NULL, 0);
		else if (!strcmp(option, "--connections"))
			connections = strtoul(argv[i], NULL, 0);
		else if (!strcmp(option, "--seconds"))
			seconds = strtod(argv[i], NULL);
		else
			usage();
	}
	if (url == NULL || block == 0 || block % STAMP_EVERY || depth == 0 || depth > DEPTH_MAX || connections == 0 ||
	    connections > CONNECTIONS_MAX)
		usage();
}

int main(int argc, char **argv)
{
	struct session sessions[CONNECTIONS_MAX];
	double cpu;

	parse(argc, argv);
	for (uint32_t i = 0; i < connections; i++)
		connect_session(&sessions[i]);
	if (filling) {
		fill_end = disk_bytes;
		run(sessions, 1, FILL_DEPTH, FILL_BLOCK);
		next_offset = filling = 0;
	}
	cpu = cpu_seconds();
	started_at = ended_at = now();
	stops_at = started_at + seconds * 1e9;
	if (seconds > 0 && failed == 0)
		run(sessions, connections, depth, block);
	report(cpu_seconds() - cpu);
	for (uint32_t i = 0; i < connections; i++) {
		iscsi_logout_sync(sessions[i].iscsi);
		iscsi_destroy_context(sessions[i].iscsi);
	}
	return failed || wrong ? 1 : 0;
}
