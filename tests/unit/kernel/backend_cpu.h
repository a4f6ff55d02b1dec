/* SPDX-License-Identifier: MIT */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H

struct backend_cpu {
	int nothing;
};

#endif
