// SPDX-License-Identifier: MIT
/* Errors: a text and its details, in the object that failed. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *errno_text(int code)
{
	const char *text = strerrordesc_np(code < 0 ? -code : code);

	return text ? text : "unknown error";
}

int error_vset(struct sidecar_error *error, uint32_t kind, int code, const char *format,
	       va_list arguments)
{
	memset(error, 0, sizeof(*error));
	error->size = sizeof(*error);
	error->kind = kind;
	error->code = code;
	error->index = SIDECAR_NO_INDEX;
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	return code;
}

int error_set(struct sidecar_error *error, uint32_t kind, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_vset(error, kind, code, format, arguments);
	va_end(arguments);
	return code;
}

int client_error(struct sidecar *client, uint32_t kind, int code, const char *format, ...)
{
	struct sidecar_error error;
	va_list arguments;

	va_start(arguments, format);
	error_vset(&error, kind, code, format, arguments);
	va_end(arguments);
	return client_copy_error(client, &error);
}

int client_copy_error(struct sidecar *client, const struct sidecar_error *error)
{
	pthread_mutex_lock(&client->lock);
	client->error = *error;
	pthread_mutex_unlock(&client->lock);
	return error->code;
}

int partition_error(struct sidecar_partition *partition, uint32_t kind, int code,
		    const char *format, ...)
{
	va_list arguments;

	pthread_mutex_lock(&partition->lock);
	va_start(arguments, format);
	error_vset(&partition->error, kind, code, format, arguments);
	va_end(arguments);
	pthread_mutex_unlock(&partition->lock);
	return code;
}

/* Many threads may fail on one client at once: each reads a copy of its own. */
static const struct sidecar_error *snapshot(pthread_mutex_t *lock,
					    const struct sidecar_error *error)
{
	static _Thread_local struct sidecar_error copy;

	pthread_mutex_lock(lock);
	copy = *error;
	pthread_mutex_unlock(lock);
	return &copy;
}

const struct sidecar_error *sidecar_error(struct sidecar *client)
{
	return snapshot(&client->lock, &client->error);
}

const struct sidecar_error *sidecar_partition_error(struct sidecar_partition *partition)
{
	return snapshot(&partition->lock, &partition->error);
}

const struct sidecar_error *sidecar_vp_error(const struct sidecar_vp *vp)
{
	return &vp->error;
}
