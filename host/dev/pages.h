/* Memory in huge pages. Products walk through hundreds of megabytes of weights in strides of whole rows:
 * with pages of 4 KiB the processor waits for page tables (measured: products of 768 rows 9 % faster with
 * huge pages on one machine, all products 4 % on another). The first touch is dear where a virtual machine's
 * host has to find the page: 5.8 ms for 2 MB measured, 1.1 ms for as much in pages of 4 KiB. */
#ifndef DUN_PAGES_H
#define DUN_PAGES_H

#include <stddef.h>

/* From this size on it is worth it. */
#define DUN_PAGES_LEAST ((size_t)1 << 20)

/* `bytes` of memory, aligned to a huge page; NULL when there is none (not an error: ask elsewhere). */
void *dun_pages_alloc(size_t bytes);
void dun_pages_free(void *pages);

/* Lets go of the pages of compilers' code. Drivers of CPUs bring one along, of which some 60 MB are in memory
 * once kernels were loaded, and which is not called until the next one is built; what is called after all
 * comes back from the file. */
void dun_pages_let_go_of_compilers(void);

#endif
