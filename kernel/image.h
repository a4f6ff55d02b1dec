/* SPDX-License-Identifier: MIT */
/* The limits inside the image, from the linker script. Only their addresses mean anything. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

#define IMAGE_LIMIT(name) extern const uint8_t name[] __attribute__((visibility("hidden")))

IMAGE_LIMIT(image_start);
IMAGE_LIMIT(image_text_end);
IMAGE_LIMIT(image_exceptions);
IMAGE_LIMIT(image_exceptions_end);
IMAGE_LIMIT(image_relocations);
IMAGE_LIMIT(image_relocations_end);
IMAGE_LIMIT(image_constant_end);
IMAGE_LIMIT(image_data_end);
IMAGE_LIMIT(image_end);

#endif
