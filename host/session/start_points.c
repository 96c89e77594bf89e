/* Keeps points that were computed under the starting prompt, and puts them where a run leaves its own. */
#include "session/start_points.h"

#include "base/err.h"
#include "base/mem.h"
#include "ranks/ranks.h"
#include "session/session_inside.h"

#include <string.h>

enum { MOST_BYTES = 64 << 20 };

void dun_start_points_free(dun_start_points *kept) {
    dun_free(kept->prompt);
    dun_free(kept->rows);
    dun_free(kept->known);
    *kept = (dun_start_points){0};
}

/* Ranks compute together, a network's prompt is not the one on the host, and logits would be too many. */
static bool are_wanted(const dun_session *session, uint32_t width) {
    return dun_ranks_n() == 1 && !session->config->prompt.reparametrize &&
           (size_t)session->texts.n * width <= MOST_BYTES / sizeof(float);
}

static bool are_of(const dun_start_points *kept, const dun_session *session, uint32_t width) {
    const size_t n = dun_prompt_floats(&session->prompt);
    return kept->rows && kept->n == session->texts.n && kept->width == width && kept->n_prompt == n &&
           memcmp(kept->prompt, session->prompt.rows, n * sizeof(float)) == 0;
}

/* Room for the points of this start, where they are kept. */
static int begin(dun_start_points *kept, const dun_session *session) {
    int rc = DUN_OK;
    const uint32_t n = session->texts.n, width = dun_engine_point_width(&session->engine);
    const bool wanted = are_wanted(session, width);
    if (wanted && are_of(kept, session, width))
        goto out;
    dun_start_points_free(kept);
    if (!wanted)
        goto out;
    *kept = (dun_start_points){.n_prompt = dun_prompt_floats(&session->prompt), .n = n, .width = width};
    TRY_NEW(kept->prompt, kept->n_prompt);
    memcpy(kept->prompt, session->prompt.rows, kept->n_prompt * sizeof(float));
    TRY_NEW(kept->known, n);
    TRY_NEW(kept->rows, (size_t)n * width);
out:
    return rc;
}

int dun_session_run_start(dun_session *session, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_start_points *kept = &session->start_points;
    dun_buffer *points = dun_engine_point_buffer(&session->engine);
    uint32_t n_known = 0;
    TRY(begin(kept, session));
    if (!kept->rows)
        return dun_session_run(session, which, n);
    float *rows = kept->rows + (size_t)which[0] * kept->width;
    const size_t bytes = (size_t)n * kept->width * sizeof *rows;
    for (uint32_t i = 0; i < n; i++)
        n_known += kept->known[which[i]];
    if (n_known == n) {
        TRY(dun_buffer_write(points, 0, rows, bytes));
    } else {
        TRY(dun_team_run(&session->team, NULL, which, n));
        TRY(dun_buffer_read(rows, points, 0, bytes));
        memset(kept->known + which[0], true, n);
    }
    TRY(dun_session_shape_points(session, n));
out:
    return rc;
}
