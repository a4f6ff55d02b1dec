// SPDX-License-Identifier: MIT
/*
 * The seam to the real driver where there is none: files stand for the device and for the CPUs'
 * online files. Each call does what it says, or brings the system's error back as a negative errno.
 */
#include "machine.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>

#include "driver.h"

struct files {
	struct driver_ioctl_context paths;
	char folder[32];
	int node;
};

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));
	char path[300];

	strcpy(files->folder, "/tmp/sidecar-XXXXXX");
	assert_non_null(mkdtemp(files->folder));
	snprintf(files->paths.device_prefix, sizeof(files->paths.device_prefix), "%s/node",
		 files->folder);
	snprintf(files->paths.cpu_sysfs_path, sizeof(files->paths.cpu_sysfs_path), "%s",
		 files->folder);
	snprintf(path, sizeof(path), "%s/node3", files->folder);
	make_file(path, "\x29");
	snprintf(path, sizeof(path), "%s/cpu5", files->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/online");
	make_file(path, "0");
	files->node = driver_ioctl.node_open(&files->paths, 3);
	assert_true(files->node >= 0);
	*state = files;
	return 0;
}

static int teardown(void **state)
{
	struct files *files = *state;
	static const char *const names[] = {"node3", "cpu5/online", "cpu5", "."};
	char path[300];

	driver_ioctl.node_close(&files->paths, files->node);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", files->folder, names[i]);
		remove(i == COUNT(names) - 1 ? files->folder : path);
	}
	free(files);
	return 0;
}

static void test_no_node(void **state)
{
	struct files *files = *state;

	assert_int_equal(driver_ioctl.node_open(&files->paths, 0), -ENOENT);
	assert_int_equal(driver_ioctl.online_open(&files->paths, 4), -ENOENT);
}

/* A file that knows no ioctl: what a driver without the extension answers. */
static void test_no_such_call(void **state)
{
	struct files *files = *state;
	struct sidecar_node_ioctl_info info;
	struct sidecar_ioctl_caps caps;
	struct sidecar_ioctl_cpu cpu = {0};
	struct sidecar_ioctl_map map = {0};
	struct sidecar_ioctl_unmap unmap = {0};
	int node = files->node;

	assert_int_equal(driver_ioctl.node_info(files, node, &info), -ENOTTY);
	assert_int_equal(driver_ioctl.node_caps(files, node, &caps), -ENOTTY);
	assert_int_equal(driver_ioctl.cpu_info(files, node, &cpu), -ENOTTY);
	assert_int_equal(driver_ioctl.claim(files, node, 1), -ENOTTY);
	assert_int_equal(driver_ioctl.start(files, node, 1), -ENOTTY);
	assert_int_equal(driver_ioctl.stop(files, node, 1), -ENOTTY);
	assert_int_equal(driver_ioctl.run(files, node, 1), -ENOTTY);
	assert_int_equal(driver_ioctl.cancel(files, node, 1), -ENOTTY);
	assert_int_equal(driver_ioctl.partition_create(files, node), -ENOTTY);
	assert_int_equal(driver_ioctl.partition_attach(files, node, node), -ENOTTY);
	assert_int_equal(driver_ioctl.partition_map(files, node, &map), -ENOTTY);
	assert_int_equal(driver_ioctl.partition_unmap(files, node, &unmap), -ENOTTY);
}

static void test_closed(void **state)
{
	void *memory = NULL;
	uint32_t cpu;

	assert_int_equal(driver_ioctl.run(*state, -1, 1), -EBADF);
	assert_int_equal(driver_ioctl.node_map(*state, -1, 4096, &memory), -EBADF);
	assert_null(memory);
	assert_int_equal(driver_ioctl.read_completion(*state, -1, &cpu), -EBADF);
	assert_int_equal(driver_ioctl.online_write(*state, -1), -EBADF);
}

/* One byte where a completion has four. */
static void test_completions(void **state)
{
	struct files *files = *state;
	int ends[2];
	uint32_t cpu = 0;

	assert_int_equal(driver_ioctl.read_completion(files, files->node, &cpu), -EIO);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(driver_ioctl.poll_fd(files, ends[0]), ends[0]);
	assert_int_equal(driver_ioctl.read_completion(files, ends[0], &cpu), -EAGAIN);
	cpu = 7;
	assert_int_equal(write(ends[1], &cpu, sizeof(cpu)), sizeof(cpu));
	cpu = 0;
	assert_int_equal(driver_ioctl.read_completion(files, ends[0], &cpu), 0);
	assert_int_equal(cpu, 7);
	close(ends[0]);
	close(ends[1]);
}

static void test_map(void **state)
{
	struct files *files = *state;
	unsigned char *memory = NULL;
	void *pages;

	assert_int_equal(driver_ioctl.node_map(files, files->node, 4096, &pages), 0);
	memory = pages;
	assert_int_equal(memory[0], 0x29);
	driver_ioctl.node_unmap(files, pages, 4096);
}

static char online_text(const struct files *files)
{
	char path[300], text = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/cpu5/online", files->folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, &text, 1), 1);
	close(fd);
	return text;
}

static void test_online(void **state)
{
	struct files *files = *state;
	int online = driver_ioctl.online_open(&files->paths, 5);

	assert_true(online >= 0);
	assert_int_equal(online_text(files), '0');
	assert_int_equal(driver_ioctl.online_write(files, online), 1);
	assert_int_equal(online_text(files), '1');
	driver_ioctl.online_close(files, online);
	assert_int_equal(driver_ioctl.online_write(files, online), -EBADF);
}

/* Each fills one submission; a full ring is EAGAIN for the one that takes it itself. */
static void test_ring(void **state)
{
	struct files *files = *state;
	int online = driver_ioctl.online_open(&files->paths, 5);
	struct sidecar_uring_cmd command;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	assert_int_equal(io_uring_queue_init(2, &ring, 0), 0);
	assert_int_equal(driver_ioctl.online_prepare(files, online, &ring, 11), 0);
	assert_int_equal(io_uring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), 0);
	assert_int_equal(cqe->user_data, 11);
	assert_int_equal(cqe->res, 1);
	assert_int_equal(online_text(files), '1');
	for (uint64_t i = 12; i < 14; i++) {
		sqe = io_uring_get_sqe(&ring);
		assert_int_equal(driver_ioctl.start_prepare(files, files->node, 5, &ring, sqe, i), 0);
		memcpy(&command, sqe->cmd, sizeof(command));
		assert_int_equal(sqe->opcode, IORING_OP_URING_CMD);
		assert_int_equal(sqe->cmd_op, SIDECAR_URING_START);
		assert_int_equal(sqe->user_data, i);
		assert_int_equal(command.cpu, 5);
		assert_int_equal(command.flags | command.reserved, 0);
	}
	assert_int_equal(driver_ioctl.online_prepare(files, online, &ring, 15), -EAGAIN);
	io_uring_queue_exit(&ring);
	driver_ioctl.online_close(files, online);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES(test_no_node),
		FILES(test_no_such_call),
		FILES(test_closed),
		FILES(test_completions),
		FILES(test_map),
		FILES(test_online),
		FILES(test_ring),
	};

	return cmocka_run_group_tests_name("driver_ioctl", tests, NULL, NULL);
}
