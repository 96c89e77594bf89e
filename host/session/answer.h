/* What is said of a classified text: the nearest centroid's class, or that the run is unsure. */
#ifndef DUN_ANSWER_H
#define DUN_ANSWER_H

#include "base/str.h"
#include "config/config.h"
#include "session/runfile.h"

#include <jansson.h>

/* The label of a text whose confidence is under the threshold. */
#define DUN_ANSWER_UNSURE "unsure"

typedef struct {
    const dun_saved_prompt *saved; /* the classes */
    double temperature;            /* dun_answer_temperature of the run */
    double unsure;                 /* least confidence of an answer; 0: every answer is given */
} dun_answer_rule;

typedef struct {
    const char *label;   /* the nearest class's name, or DUN_ANSWER_UNSURE */
    const char *nearest; /* the nearest class's name */
    double confidence;   /* softmax of -distance / temperature at the nearest class: 1/K .. 1 */
} dun_answer;

/* The temperature of a run's probabilities: that fitted on held-out texts, else that of its loss. */
double dun_answer_temperature(const dun_saved_prompt *saved, const dun_config *config);

/* DUN_USAGE: a threshold, when a class of the run has the name DUN_ANSWER_UNSURE. */
int dun_answer_check(const dun_answer_rule *rule);

/* From the distances (K) of a text. */
dun_answer dun_answer_of(const dun_answer_rule *rule, const float *distances);

/* Sets "label", "nearest" (where that is not the label), "confidence" and "distances" {class: distance}. */
int dun_answer_json(json_t *object, const dun_answer_rule *rule, const float *distances);

#endif
