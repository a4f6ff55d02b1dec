/* SPDX-License-Identifier: MIT */
#ifndef COMMAND_H
#define COMMAND_H

#include "cpu.h"

/*
 * Takes the command of the command page and carries it out. Everything in the page may change at
 * any time: each field is read once, into private memory, and checked there (R10).
 */
void command_execute(struct cpu *cpu);

#endif
