/* SPDX-License-Identifier: MIT */
/* COM1: what the shim does, one line each, and why it cannot go on. */
#ifndef SHIM_CONSOLE_H
#define SHIM_CONSOLE_H

__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* Says it and resets the machine: there is no Linux to report to. */
_Noreturn __attribute__((format(printf, 1, 2))) void panic(const char *format, ...);

/* From here on an exception is a panic. */
void console_start(void);

#endif
