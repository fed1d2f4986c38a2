/* layer FOLDER MOUNT_POINT SEED volatile|durable: serves the folder until its standard input ends. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <dirent.h>
#include <unistd.h>

struct handle {
	int fd;
	struct node *node;
};

static int root;

static struct handle *handle_of(struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static const char *name_of(const char *path)
{
	return path[1] == 0 ? "." : path + 1;
}

static int answer(int status)
{
	return status < 0 ? -errno : 0;
}

/* Opened for reading and writing whatever was asked: what is pending is read and written here, too. */
static int opened(const char *path, int flags, mode_t mode, struct fuse_file_info *fi)
{
	int fd = openat(root, name_of(path), (flags & ~(O_ACCMODE | O_APPEND | O_TRUNC)) | O_RDWR | O_CLOEXEC, mode);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	struct handle *handle = malloc(sizeof *handle);
	pthread_mutex_lock(&lock);
	*handle = (struct handle){ .fd = fd, .node = node_of(status.st_ino) };
	int result = flags & O_TRUNC ? pending_truncate(handle->node, fd, 0) : 0;
	pthread_mutex_unlock(&lock);
	fi->fh = (uintptr_t)handle;
	fi->direct_io = 1;
	return result;
}

static int on_open(const char *path, struct fuse_file_info *fi)
{
	return opened(path, fi->flags & ~O_CREAT, 0, fi);
}

static int on_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	int fault = fault_of(path, WRITE_OP, -1, 0, 1);
	return fault < 0 ? fault : opened(path, fi->flags | O_CREAT, mode, fi);
}

static int on_release(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	close(handle_of(fi)->fd);
	free(handle_of(fi));
	return 0;
}

static int on_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);
	int fault = fault_of(path, READ_OP, handle->fd, offset, size);
	if (fault < 0)
		return fault;
	pthread_mutex_lock(&lock);
	ssize_t count = pending_read(handle->node, handle->fd, buffer, size, offset);
	pthread_mutex_unlock(&lock);
	return count;
}

static int on_write(const char *path, const char *buffer, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);
	int fault = fault_of(path, WRITE_OP, handle->fd, offset, size);
	if (fault < 0)
		return fault;
	pthread_mutex_lock(&lock);
	ssize_t count = pending_write(handle->node, handle->fd, buffer, size, offset);
	pthread_mutex_unlock(&lock);
	return count;
}

static int on_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)data_only;
	struct handle *handle = handle_of(fi);
	int status = fault_of(path, FLUSH_OP, handle->fd, 0, 0);
	pthread_mutex_lock(&lock);
	if (status < 0)
		pending_lose(handle->node);
	else
		status = pending_flush(handle->node, handle->fd);
	pthread_mutex_unlock(&lock);
	return status;
}

static int on_fallocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);
	int fault = fault_of(path, WRITE_OP, handle->fd, offset, length);
	if (fault < 0)
		return fault;
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		return answer(fallocate(handle->fd, mode, offset, length));
	pthread_mutex_lock(&lock);
	int status = pending_punch(handle->node, handle->fd, offset, length);
	pthread_mutex_unlock(&lock);
	return status;
}

static off_t on_lseek(const char *path, off_t offset, int whence, struct fuse_file_info *fi)
{
	(void)path;
	pthread_mutex_lock(&lock);
	off_t found = pending_seek(handle_of(fi)->node, handle_of(fi)->fd, offset, whence);
	pthread_mutex_unlock(&lock);
	return found;
}

static int on_getattr(const char *path, struct stat *status, struct fuse_file_info *fi)
{
	if (fi != NULL)
		return answer(fstat(handle_of(fi)->fd, status));
	return answer(fstatat(root, name_of(path), status, AT_SYMLINK_NOFOLLOW));
}

static int on_truncate(const char *path, off_t length, struct fuse_file_info *fi)
{
	struct fuse_file_info own = { .flags = O_RDWR };
	if (fi == NULL) {
		int status = opened(path, O_RDWR, 0, &own);
		if (status < 0)
			return status;
	}
	struct handle *handle = handle_of(fi == NULL ? &own : fi);
	pthread_mutex_lock(&lock);
	int status = pending_truncate(handle->node, handle->fd, length);
	pthread_mutex_unlock(&lock);
	if (fi == NULL)
		on_release(path, &own);
	return status;
}

static void removed(const char *path)
{
	struct stat status;
	if (fstatat(root, name_of(path), &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_nlink > 1)
		return;
	pthread_mutex_lock(&lock);
	node_removed(status.st_ino);
	pthread_mutex_unlock(&lock);
}

static int on_unlink(const char *path)
{
	removed(path);
	return answer(unlinkat(root, name_of(path), 0));
}

static int on_rename(const char *from, const char *to, unsigned flags)
{
	removed(to);
	return answer(renameat2(root, name_of(from), root, name_of(to), flags));
}

static int on_mkdir(const char *path, mode_t mode)
{
	return answer(mkdirat(root, name_of(path), mode));
}

static int on_rmdir(const char *path)
{
	return answer(unlinkat(root, name_of(path), AT_REMOVEDIR));
}

static int on_mknod(const char *path, mode_t mode, dev_t device)
{
	return answer(mknodat(root, name_of(path), mode, device));
}

static int on_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	(void)fi;
	return answer(fchmodat(root, name_of(path), mode, 0));
}

static int on_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *fi)
{
	(void)fi;
	return answer(fchownat(root, name_of(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int on_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *fi)
{
	(void)fi;
	return answer(utimensat(root, name_of(path), times, AT_SYMLINK_NOFOLLOW));
}

static int on_statfs(const char *path, struct statvfs *status)
{
	(void)path;
	return answer(fstatvfs(root, status));
}

static int on_fsyncdir(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)data_only, (void)fi;
	return fault_of(path, FLUSH_OP, -1, 0, 0);
}

static int on_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
		      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	(void)offset, (void)fi, (void)flags;
	DIR *folder = fdopendir(openat(root, name_of(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (folder == NULL)
		return -errno;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
		fill(buffer, entry->d_name, NULL, 0, 0);
	closedir(folder);
	return 0;
}

static void *on_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->use_ino = 1;
	config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
	printf("ready\n");
	fflush(stdout);
	return NULL;
}

static const struct fuse_operations operations = {
	.init = on_init, .getattr = on_getattr, .open = on_open, .create = on_create, .release = on_release,
	.read = on_read, .write = on_write, .fsync = on_fsync, .fsyncdir = on_fsyncdir, .fallocate = on_fallocate,
	.lseek = on_lseek, .truncate = on_truncate, .unlink = on_unlink, .rename = on_rename, .mkdir = on_mkdir,
	.rmdir = on_rmdir, .mknod = on_mknod, .chmod = on_chmod, .chown = on_chown, .utimens = on_utimens,
	.statfs = on_statfs, .readdir = on_readdir,
};

int main(int count, char **words)
{
	if (count != 5)
		return 2;
	root = open(words[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return perror(words[1]), 1;
	seed_random(strtoull(words[3], NULL, 10));
	is_volatile = strcmp(words[4], "volatile") == 0;
	umask(0);
	pthread_t thread;
	pthread_create(&thread, NULL, obey, words[2]);
	char *arguments[] = { words[0], "-f", "-o", "allow_other,default_permissions,max_threads=64,max_idle_threads=64", words[2], NULL };
	return fuse_main(5, arguments, &operations, NULL);
}
