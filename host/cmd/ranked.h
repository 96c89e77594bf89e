/* Commands that all ranks of a job carry out together: rank 0 leads, as if it were alone, the others do what
 * it asks. */
#ifndef DUN_RANKED_H
#define DUN_RANKED_H

#include <stdbool.h>

/* Meets the others, where a launcher of MPI started several. `leads`: this process carries the command out;
 * else it goes on with dun_ranked_work. To be called before there are threads or drivers. */
int dun_ranked_join(bool *leads, const char *command, int argc, char *const *argv);
int dun_ranked_work(void);

#endif
