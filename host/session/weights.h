/* In which form a model's weights go to the devices of a session: device.weights, and the rule behind its
 * auto. */
#ifndef DUN_SESSION_WEIGHTS_H
#define DUN_SESSION_WEIGHTS_H

#include "base/str.h"
#include "config/config.h"
#include "io/model_file.h"
#include "nn/stored.h"

/* What the rule goes by. */
typedef struct {
    uint64_t f32, f16, stored; /* bytes that the model's weights take in each form, f32 in both copies */
    uint64_t f32_once;         /* in one copy, */
    bool one_copy;             /* which is what will be loaded as f32 */
    uint64_t free;             /* of the device that has least; 0: not known */
    const char *free_of;       /* whose memory that is, for people */
    bool reads_stored;         /* the products do, and so read halves */
} dun_weights_facts;

/* auto: float32 while both of its copies fit into half of the free memory, else stored; never f16. Appends
 * the reason. DUN_BAD_DEVICE: there is too little memory for the form; the message says which would fit, and
 * what each takes. */
int dun_weights_choose(enum dun_weight_form *out, dun_str *reason, const dun_weights_facts *facts,
                       enum dun_device_weights wanted);

/* The facts of a model on the devices that device.use names; which products, and what for, is for the
 * caller to say.
 */
int dun_weights_facts_of(dun_weights_facts *out, const dun_config *config, const dun_model_file *model);

/* The word of device.weights for a form. */
const char *dun_weights_word(enum dun_weight_form form);

#endif
