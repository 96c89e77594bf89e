/* The matrix unit of NVIDIA's GPUs in software: the kernels' text in which the one instruction that
 * host/kernels/parts_mma.cl is about gives way to what it does (mma_unit.cl), for devices without the unit.
 * All else of that kernel stays as it is. */
#ifndef MMA_UNIT_H
#define MMA_UNIT_H

/* The text, to be freed with dun_free. `from` replaced by `to` in the kernel itself, to break it; NULL:
 * nothing. Fails the running test when a piece of the text is not there any more. */
char *mma_unit_text(const char *from, const char *to);

#endif
