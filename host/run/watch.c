/* Remembers losses and accuracies, and warns at the end of those that went nowhere. */
#include "run/watch.h"

#include "base/err.h"
#include "learn/metric.h"
#include "run/checkpoint.h"

#include <math.h>

#define FIELD(member) DUN_FIELD(dun_watch, member)
static const dun_field fields[] = {FIELD(probe_before), FIELD(first_loss), FIELD(least_valid),
                                   FIELD(most_valid), FIELD(n_valid)};
enum { N_FIELDS = sizeof fields / sizeof *fields };

size_t dun_watch_bytes(void) {
    return dun_fields_bytes(fields, N_FIELDS);
}

uint8_t *dun_watch_put(uint8_t *at, const dun_watch *watch) {
    return dun_fields_put(at, watch, fields, N_FIELDS);
}

const uint8_t *dun_watch_take(dun_watch *watch, const uint8_t *at) {
    return dun_fields_take(watch, at, fields, N_FIELDS);
}

void dun_watch_init(dun_watch *watch) {
    *watch =
        (dun_watch){.probe_before = NAN, .first_loss = NAN, .least_valid = INFINITY, .most_valid = -INFINITY};
}

void dun_watch_loss(dun_watch *watch, double loss) {
    if (isnan(watch->first_loss))
        watch->first_loss = loss;
}

void dun_watch_valid(dun_watch *watch, double accuracy) {
    watch->least_valid = fmin(watch->least_valid, accuracy);
    watch->most_valid = fmax(watch->most_valid, accuracy);
    watch->n_valid++;
}

unsigned dun_watch_verdict(const dun_watch *watch, double last_loss) {
    unsigned verdict = 0;
    if (watch->n_valid > 1 && watch->least_valid == watch->most_valid && watch->most_valid < 1)
        verdict |= DUN_WATCH_FLAT;
    if (watch->first_loss > 0 && last_loss > 2 * watch->first_loss)
        verdict |= DUN_WATCH_EXPLODED;
    return verdict;
}

const char *dun_watch_keys_to_lower(const dun_config *config) {
    if (dun_metric_is_trained(config))
        return "prompt.lr, centroid.lr or metric.lr";
    return *config->loss.label_words ? "prompt.lr, centroid.lr or loss.label_weight"
                                     : "prompt.lr or centroid.lr";
}

void dun_watch_warn(const dun_watch *watch, double last_loss, const dun_config *config) {
    unsigned verdict = dun_watch_verdict(watch, last_loss);
    if (verdict & DUN_WATCH_FLAT)
        dun_warn(
            "the validation accuracy never moved from %.4f; try a higher prompt.lr or another prompt.text",
            watch->most_valid);
    if (verdict & DUN_WATCH_EXPLODED)
        dun_warn("the loss grew from %.4g to %.4g; try a lower %s", watch->first_loss, last_loss,
                 dun_watch_keys_to_lower(config));
}
