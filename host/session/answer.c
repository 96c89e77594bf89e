/* The nearest class, its confidence by softmax, and the JSON of both. */
#include "session/answer.h"

#include "base/err.h"
#include "base/json.h"
#include "session/evaluate.h"

#include <math.h>
#include <string.h>

double dun_answer_temperature(const dun_saved_prompt *saved, const dun_config *config) {
    return saved->calibration > 0 ? saved->calibration : config->loss.temperature;
}

int dun_answer_check(const dun_answer_rule *rule) {
    for (uint32_t k = 0; rule->unsure > 0 && k < rule->saved->n_classes; k++)
        if (strcmp(rule->saved->class_names[k], DUN_ANSWER_UNSURE) == 0)
            return dun_error(DUN_USAGE, "--unsure: the run has a class \"" DUN_ANSWER_UNSURE
                                        "\", which could not be told from an unsure answer");
    return DUN_OK;
}

dun_answer dun_answer_of(const dun_answer_rule *rule, const float *distances) {
    uint32_t K = rule->saved->n_classes, nearest = dun_nearest_centroid(distances, K);
    double total = 0;
    for (uint32_t k = 0; k < K; k++)
        total += exp(((double)distances[nearest] - (double)distances[k]) / rule->temperature);
    dun_answer answer = {.nearest = rule->saved->class_names[nearest], .confidence = 1 / total};
    /* A distance that is not a number makes the comparison false, and the answer unsure. */
    answer.label =
        rule->unsure > 0 && !(answer.confidence >= rule->unsure) ? DUN_ANSWER_UNSURE : answer.nearest;
    return answer;
}

int dun_answer_json(json_t *object, const dun_answer_rule *rule, const float *distances) {
    int rc = DUN_OK;
    json_t *all = json_object();
    dun_answer answer = dun_answer_of(rule, distances);
    TRY(dun_json_set(object, "label", json_string(answer.label)));
    if (answer.label != answer.nearest)
        TRY(dun_json_set(object, "nearest", json_string(answer.nearest)));
    TRY(dun_json_set(object, "confidence", dun_json_real(answer.confidence)));
    for (uint32_t k = 0; k < rule->saved->n_classes; k++)
        TRY(dun_json_set(all, rule->saved->class_names[k], dun_json_real((double)distances[k])));
    TRY(dun_json_set(object, "distances", json_incref(all)));
out:
    json_decref(all);
    return rc;
}
