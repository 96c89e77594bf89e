/* Writes the counters as samples, and asks the system how much memory the workers take. A process that is
 * gone meanwhile has no sample. */
#include "cmd/serve/serve_metrics.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int add_head(dun_str *out, const char *name, const char *type, const char *help) {
    return dun_str_addf(out, "# HELP dunlin_%s %s\n# TYPE dunlin_%s %s\n", name, help, name, type);
}

static int add_one(dun_str *out, const char *name, const char *type, const char *help,
                   unsigned long long value) {
    int rc;
    TRY(add_head(out, name, type, help));
    TRY(dun_str_addf(out, "dunlin_%s %llu\n", name, value));
out:
    return rc;
}

static int add_requests(dun_str *out, const dun_serve_shared *shared) {
    int rc;
    TRY(add_head(out, "requests_total", "counter", "Requests that were answered, by status of HTTP."));
    for (size_t i = 0; i < DUN_SERVE_STATUSES; i++) {
        const unsigned long long n = atomic_load(&shared->n_requests[i]);
        if (dun_serve_statuses[i])
            TRY(dun_str_addf(out, "dunlin_requests_total{status=\"%u\"} %llu\n", dun_serve_statuses[i], n));
        else
            TRY(dun_str_addf(out, "dunlin_requests_total{status=\"other\"} %llu\n", n));
    }
out:
    return rc;
}

/* Buckets add up: each counts all that took no longer. */
static int add_histogram(dun_str *out, const dun_serve_shared *shared) {
    int rc;
    unsigned long long n = 0;
    TRY(add_head(out, "request_seconds", "histogram",
                 "Seconds from a complete request to the begin of its answer, of requests whose texts were "
                 "classified."));
    for (size_t i = 0; i < DUN_SERVE_BUCKETS; i++) {
        n += atomic_load(&shared->n_answers[i]);
        TRY(dun_str_addf(out, "dunlin_request_seconds_bucket{le=\"%g\"} %llu\n", dun_serve_bounds[i], n));
    }
    n += atomic_load(&shared->n_answers[DUN_SERVE_BUCKETS]);
    TRY(dun_str_addf(out, "dunlin_request_seconds_bucket{le=\"+Inf\"} %llu\n", n));
    TRY(dun_str_addf(out, "dunlin_request_seconds_sum %.6f\ndunlin_request_seconds_count %llu\n",
                     (double)atomic_load(&shared->microseconds) / 1e6, n));
out:
    return rc;
}

typedef struct {
    const char *line, *kind;
} memory_kind;

/* Lines of /proc/PID/smaps_rollup. */
static const memory_kind memory_kinds[] = {{"Rss:", "resident"}, {"Pss:", "proportional"}};

/* The samples of a worker of one kind; none where the system does not say. */
static int add_memory_of(dun_str *out, int process, uint32_t worker) {
    int rc = DUN_OK;
    char path[64], line[256], word[32];
    unsigned long long kb;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", process);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; i < sizeof memory_kinds / sizeof *memory_kinds; i++)
            if (sscanf(line, "%31s %llu kB", word, &kb) == 2 && strcmp(word, memory_kinds[i].line) == 0)
                TRY(dun_str_addf(out, "dunlin_memory_bytes{worker=\"%u\",kind=\"%s\"} %llu\n", worker,
                                 memory_kinds[i].kind, kb << 10));
out:
    if (file)
        fclose(file);
    return rc;
}

static int add_memory(dun_str *out, const dun_serve_shared *shared) {
    int rc;
    TRY(add_head(out, "memory_bytes", "gauge",
                 "Memory of a worker: resident, and proportional, where what several share counts once in "
                 "their sum."));
    for (uint32_t i = 0; i < shared->n_workers; i++) {
        const int process = atomic_load(&shared->slots[i].process);
        if (process)
            TRY(add_memory_of(out, process, i));
    }
out:
    return rc;
}

int dun_serve_metrics(dun_str *out, const dun_serve_shared *shared) {
    int rc;
    TRY(add_head(out, "build_info", "gauge", "The version, as a label."));
    TRY(dun_str_addf(out, "dunlin_build_info{version=\"%s\"} 1\n", DUN_VERSION));
    TRY(add_head(out, "start_time_seconds", "gauge", "When the server was started, in seconds since 1970."));
    TRY(dun_str_addf(out, "dunlin_start_time_seconds %.3f\n", shared->began));
    TRY(add_requests(out, shared));
    TRY(add_one(out, "rejected_total", "counter", "Requests that were refused because too much waited.",
                atomic_load(&shared->n_rejected)));
    TRY(add_one(out, "texts_total", "counter", "Texts that were classified.", atomic_load(&shared->n_texts)));
    TRY(add_histogram(out, shared));
    TRY(add_one(out, "queue_texts", "gauge", "Texts that wait or are being classified.",
                dun_serve_n_waiting(shared)));
    TRY(add_one(out, "connections", "gauge", "Connections that are open.", dun_serve_n_connections(shared)));
    TRY(add_one(out, "workers", "gauge", "Workers that there are to be (--workers).", shared->n_workers));
    TRY(add_one(out, "workers_up", "gauge", "Workers that answer.", dun_serve_n_up(shared)));
    TRY(add_one(out, "worker_restarts_total", "counter", "Workers that died and were started again.",
                atomic_load(&shared->n_restarts)));
    TRY(add_memory(out, shared));
out:
    return rc;
}
