/* Parts of a sweep, as the command line or Slurm's environment numbers them. */
#include "cmd/part.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A whole number of at most nine digits; *end: what follows. */
static bool read_number(int64_t *number, const char *text, const char **end) {
    const size_t digits = strspn(text, "0123456789");
    *end = text + digits;
    *number = digits > 0 && digits < 10 ? strtol(text, NULL, 10) : -1;
    return *number >= 0;
}

static int read_variable(int64_t *number, const char *name) {
    const char *end, *text = getenv(name);
    if (!text)
        return dun_error(
            DUN_USAGE, "--part slurm: %s is not set; this is no task of a job array (sbatch --array)", name);
    if (!read_number(number, text, &end) || *end)
        return dun_error(DUN_USAGE, "--part slurm: %s is \"%.40s\"; a whole number is needed", name, text);
    return DUN_OK;
}

static int read_slurm(dun_part *part) {
    int rc = DUN_OK;
    int64_t id, n, least, most, step = 1;
    TRY(read_variable(&id, "SLURM_ARRAY_TASK_ID"));
    TRY(read_variable(&n, "SLURM_ARRAY_TASK_COUNT"));
    TRY(read_variable(&least, "SLURM_ARRAY_TASK_MIN"));
    TRY(read_variable(&most, "SLURM_ARRAY_TASK_MAX"));
    if (getenv("SLURM_ARRAY_TASK_STEP"))
        TRY(read_variable(&step, "SLURM_ARRAY_TASK_STEP"));
    if (n < 1 || step < 1 || id < least || id > most || (id - least) % step != 0 ||
        (most - least) / step + 1 != n)
        TRY(dun_error(
            DUN_USAGE,
            "--part slurm: task %lld of %lld from %lld to %lld in steps of %lld has no place among the "
            "parts; take --claim, which needs none",
            (long long)id, (long long)n, (long long)least, (long long)most, (long long)step));
    *part = (dun_part){.part = (uint32_t)((id - least) / step), .n_parts = (uint32_t)n};
out:
    return rc;
}

int dun_part_read(dun_part *part, const char *text) {
    int64_t i, n = 0;
    const char *end;
    if (strcmp(text, "slurm") == 0)
        return read_slurm(part);
    if (!read_number(&i, text, &end) || *end != '/' || !read_number(&n, end + 1, &end) || *end || i < 1 ||
        i > n)
        return dun_error(DUN_USAGE,
                         "--part %.40s: is none; i/n with i from 1 to n is needed, as 2/8, or slurm", text);
    *part = (dun_part){.part = (uint32_t)(i - 1), .n_parts = (uint32_t)n};
    return DUN_OK;
}
