/* In which form a model's weights go to the devices of a session: device.weights, and the rule behind its
 * auto. */
#ifndef DUN_SESSION_WEIGHTS_H
#define DUN_SESSION_WEIGHTS_H

#include "base/str.h"
#include "config/config.h"
#include "session/shared_model.h"

/* What the rule goes by. */
typedef struct {
    uint64_t f32, f16, stored; /* bytes that the model's weights take in each form, f32 in both copies, of
                                * floats or of the parts that the precision takes */
    uint64_t f32_loaded;       /* of these what will be loaded as f32 */
    const char *precision;     /* whose parts f32 has; NULL: it is floats */
    unsigned shared;           /* bits by form: such weights lie on every device, for whoever wants them */
    uint64_t free;             /* of the device that has least; 0: not known */
    const char *free_of;       /* whose memory that is, for people */
    bool reads_stored;         /* the products do, and so read halves */
} dun_weights_facts;

/* auto: float32 while both of its copies fit into half of the free memory, or lie there already, else stored;
 * never f16. Appends the reason. DUN_BAD_DEVICE: there is too little memory for the form; the message says
 * which would fit, and what each takes. */
int dun_weights_choose(enum dun_weight_form *out, dun_str *reason, const dun_weights_facts *facts,
                       enum dun_device_weights wanted);

/* The facts of a model on the devices that device.use names, but for those of f32 and of products, which are
 * the caller's to say; shared is what `want` asks for. */
int dun_weights_facts_of(dun_weights_facts *out, const dun_config *config, const dun_model_file *model,
                         const dun_shared_want *want);

/* The word of device.weights for a form. */
const char *dun_weights_word(enum dun_weight_form form);

#endif
