/* A stage of a long job as text: how far, how fast, how long. */
#include "base/stage.h"

#include "base/err.h"

int dun_stage_add_time(dun_str *out, double seconds) {
    if (!(seconds >= 0) || seconds > 1e9)
        return dun_str_addf(out, "?");
    if (seconds < 9.995)
        return dun_str_addf(out, "%.2f s", seconds);
    if (seconds < 59.95)
        return dun_str_addf(out, "%.1f s", seconds);
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole < 3600)
        return dun_str_addf(out, "%lu:%02lu", whole / 60, whole % 60);
    return dun_str_addf(out, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
}

double dun_stage_speed(const dun_stage *stage) {
    return stage->seconds > 0 ? (double)stage->done / stage->seconds : 0;
}

int dun_stage_add_speed(dun_str *out, double speed) {
    return dun_str_addf(out, speed < 10 ? "%.2f/s" : speed < 100 ? "%.1f/s" : "%.0f/s", speed);
}

int dun_stage_add_end(dun_str *out, const dun_stage *stage) {
    int rc = DUN_OK;
    const double speed = dun_stage_speed(stage);
    TRY(dun_str_addf(out, "%s: %llu", stage->stage, (unsigned long long)stage->done));
    if (stage->done < stage->total)
        TRY(dun_str_addf(out, " of %llu", (unsigned long long)stage->total));
    TRY(dun_str_addf(out, " %s in ", stage->unit));
    TRY(dun_stage_add_time(out, stage->seconds));
    if (speed > 0) {
        TRY(dun_str_addf(out, " ("));
        TRY(dun_stage_add_speed(out, speed));
        TRY(dun_str_addf(out, ")"));
    }
    if (stage->note && *stage->note)
        TRY(dun_str_addf(out, ", %s", stage->note));
    TRY(dun_str_addf(out, "\n"));
out:
    return rc;
}
