// SPDX-License-Identifier: MIT
/* The life of a CPU of the host build. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend.h"
#include "dispatch.h"
#include "host.h"
#include "shm.h"

static void *main_of_cpu(void *argument)
{
	struct host_cpu *host = argument;
	struct cpu *cpu = &host->cpu;

	backend_cpu_start(cpu);
	shm_write(&cpu->state->cpu_state, SIDECAR_CPU_READY);
	shm_write_release(&cpu->control->cpu_status[cpu->node_index], SIDECAR_STATUS_IDLE);
	dispatch(cpu);
}

int host_cpu_start(struct host_cpu *host, uint32_t vp_index, uint32_t node_index,
		   struct sidecar_control_page *control, struct sidecar_command_page *command,
		   struct hv_register_page *register_page)
{
	int error;

	host->cpu = (struct cpu){
		.vp_index = vp_index,
		.node_index = node_index,
		.control = control,
		.command = command,
		.register_page = register_page,
		.state = &host->state,
		.backend.host = host,
	};
	host->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (host->doorbell < 0)
		return -errno;
	error = pthread_create(&host->thread, NULL, main_of_cpu, host);
	host->started = !error;
	if (error)
		close(host->doorbell);
	return -error;
}

void host_cpu_interrupt(struct host_cpu *host)
{
	(void)!eventfd_write(host->doorbell, 1);
}

void host_cpu_exit(struct host_cpu *host)
{
	shm_write_release(&host->ended, 1);
	pthread_exit(NULL);
}

static void change_status(struct host_cpu *host, uint8_t from, uint8_t to)
{
	uint8_t *status = &host->cpu.control->cpu_status[host->cpu.node_index];

	__atomic_compare_exchange_n(status, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void host_cpu_end(struct host_cpu *host)
{
	if (!host->started)
		return;
	shm_write_release(&host->released, 1);
	while (!shm_read_acquire(&host->ended)) {
		change_status(host, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP);
		change_status(host, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE);
		host_cpu_interrupt(host);
		usleep(100);
	}
	pthread_join(host->thread, NULL);
	close(host->doorbell);
	host->started = false;
}
