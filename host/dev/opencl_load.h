/* The OpenCL loader, which is looked for when the first of its functions is needed: a program starts without
 * one. Its functions are called by their names, through the table dun_cl. */
#ifndef DUN_OPENCL_LOAD_H
#define DUN_OPENCL_LOAD_H

#include <CL/cl.h>

typedef struct {
#define CALL(name) __typeof__(name) *name;
#include "dev/opencl_calls.def"
} dun_cl_table;

/* To be called before anything else of OpenCL; looks once a process. What the process has of OpenCL already
 * is taken, else libOpenCL.so.1 and libOpenCL.so where the system looks, else libOpenCL.so.1 beside the file
 * that this code is in. DUN_BAD_DEVICE: none can be loaded; the message has what was tried. */
int dun_cl_load(void);

/* A function of a library that is loaded for it; NULL: there is no such library, or it has no such function.
 * The library stays. */
void *dun_cl_function(const char *library, const char *name);

/* Filled by dun_cl_load. */
extern dun_cl_table dun_cl;

#endif
