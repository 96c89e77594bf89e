/* The points of texts under the prompt that training starts from, as the engine leaves them. They are asked
 * for again: by the class means after the metric's fit, by the next run of a sweep or of a curve that starts
 * alike. */
#ifndef DUN_START_POINTS_H
#define DUN_START_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dun_session;

typedef struct {
    float *prompt; /* [n_prompt] whose points they are */
    size_t n_prompt;
    float *rows;       /* (n, width) of the session's texts; NULL: none are kept */
    bool *known;       /* [n] */
    uint32_t n, width; /* before normalisation and metric */
} dun_start_points;

/* dun_session_run of n texts in a row, which[0] to which[0] + n - 1, while the prompt in use is
 * session->prompt, by which no step was taken yet: what is known of them is taken from memory, to the same
 * bits. Nothing is kept among ranks, for a prompt that is made by a network, or beyond 64 MiB. */
int dun_session_run_start(struct dun_session *session, const uint32_t *which, uint32_t n);
void dun_start_points_free(dun_start_points *kept);

#endif
