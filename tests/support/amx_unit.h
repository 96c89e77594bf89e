/* The matrix unit of x86 processors in software: while it stands in, the six instructions that kernels carry
 * as bytes (host/kernels/parts_amx.cl) do what the processor's manual says, on processors without the unit
 * too, where each raises SIGILL. */
#ifndef AMX_UNIT_H
#define AMX_UNIT_H

#include <stdbool.h>
#include <stddef.h>

enum amx_instruction { AMX_CONFIGURE, AMX_RELEASE, AMX_ZERO, AMX_LOAD, AMX_STORE, AMX_DOT, AMX_INSTRUCTIONS };

/* Whether that can be done here: Linux on x86-64. */
bool amx_unit_possible(void);

/* From now on, until amx_unit_end; in all threads. Whatever compiles comes before: compilers set handlers
 * too. */
void amx_unit_begin(void);
void amx_unit_end(void);

/* How often an instruction was met; how often one would have been refused: before any configuration, with one
 * that is none, of a register that has no rows. */
size_t amx_unit_count(enum amx_instruction instruction);
size_t amx_unit_misused(void);

#endif
