// SPDX-License-Identifier: MIT
#include "command.h"

#include "backend.h"
#include "console/format.h"
#include "shm.h"

typedef struct sidecar_command_error error_t;

/* The compiler may not look at the shared original again after this. */
static void copy_in(void *private, const void *shared, size_t size)
{
	__builtin_memcpy(private, shared, size);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static bool run_vp(struct cpu *cpu, error_t *error)
{
	enum run_outcome outcome = backend_run_vp(cpu, error);
	uint8_t *result = (uint8_t *)cpu->command->request_data;

	if (outcome == RUN_ERROR)
		return false;
	shm_write(result, outcome == RUN_INTERCEPT ? SIDECAR_RUN_INTERCEPT : SIDECAR_RUN_STOPPED);
	return true;
}

static bool register_count(const struct sidecar_registers_request *request, unsigned int *count,
			   error_t *error)
{
	*count = shm_read(&request->count);
	if (*count <= SIDECAR_MAX_REGISTERS)
		return true;
	error_format(error, "register count %u, the limit is %u", *count, SIDECAR_MAX_REGISTERS);
	return false;
}

static bool get_registers(struct cpu *cpu, error_t *error)
{
	struct sidecar_registers_request *request = (void *)cpu->command->request_data;
	struct hv_register_assoc *shared = (void *)(request + 1);
	struct hv_register_assoc regs[SIDECAR_MAX_REGISTERS];
	unsigned int count, done = 0;
	uint16_t status;

	if (!register_count(request, &count, error))
		return false;
	copy_in(regs, shared, count * sizeof(regs[0]));
	status = backend_get_registers(cpu, shm_read(&request->target_vtl), regs, count, &done);
	for (unsigned int i = 0; i < done; i++)
		shared[i].value = regs[i].value;
	shm_write(&request->status, status);
	return true;
}

static bool set_registers(struct cpu *cpu, error_t *error)
{
	struct sidecar_registers_request *request = (void *)cpu->command->request_data;
	struct hv_register_assoc regs[SIDECAR_MAX_REGISTERS];
	unsigned int count, done = 0;
	uint16_t status;

	if (!register_count(request, &count, error))
		return false;
	copy_in(regs, request + 1, count * sizeof(regs[0]));
	status = backend_set_registers(cpu, shm_read(&request->target_vtl), regs, count, &done);
	shm_write(&request->status, status);
	return true;
}

static bool translate_gva(struct cpu *cpu, error_t *error)
{
	struct sidecar_translate_response response = {0};
	struct sidecar_translate_request request;

	(void)error; /* every failure is a status */
	copy_in(&request, cpu->command->request_data, sizeof(request));
	response.status = backend_translate(cpu, &request, &response.output);
	if (response.status != HV_STATUS_SUCCESS)
		response.output = (struct hv_translate_output){0};
	__builtin_memcpy(cpu->command->request_data, &response, sizeof(response));
	return true;
}

static bool execute(struct cpu *cpu, uint32_t command, error_t *error)
{
	switch (command) {
	case SIDECAR_COMMAND_NONE:
		return true;
	case SIDECAR_COMMAND_RUN_VP:
		return run_vp(cpu, error);
	case SIDECAR_COMMAND_GET_REGISTERS:
		return get_registers(cpu, error);
	case SIDECAR_COMMAND_SET_REGISTERS:
		return set_registers(cpu, error);
	case SIDECAR_COMMAND_TRANSLATE_GVA:
		return translate_gva(cpu, error);
	}
	error_format(error, "unknown command %u, the last known is %u", command,
		     SIDECAR_COMMAND_TRANSLATE_GVA);
	return false;
}

void command_execute(struct cpu *cpu)
{
	struct sidecar_command_page *page = cpu->command;
	uint32_t command = shm_read(&page->command);
	error_t error = {0};

	shm_write(&page->command, SIDECAR_COMMAND_NONE);
	shm_write(&page->has_error, 0);
	shm_add(&cpu->state->commands, 1);
	if (execute(cpu, command, &error))
		return;
	__builtin_memcpy(&page->error, &error, sizeof(error));
	shm_write(&page->has_error, 1);
}
