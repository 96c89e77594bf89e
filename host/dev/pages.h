/* Memory in huge pages. Products walk through hundreds of megabytes of weights in strides of whole rows: with
 * pages of 4 KiB the processor waits for page tables (measured: products of 768 rows 9 % faster without). */
#ifndef DUN_PAGES_H
#define DUN_PAGES_H

#include <stddef.h>

/* From this size on it is worth it. */
#define DUN_PAGES_LEAST ((size_t)1 << 20)

/* `bytes` of memory, aligned to a huge page; NULL when there is none (not an error: ask elsewhere). */
void *dun_pages_alloc(size_t bytes);
void dun_pages_free(void *pages);

#endif
