/* Opens a session's devices as its config wants them, and says what they are and what bounds them. */
#include "session/session_inside.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "dev/choice.h"

#include <string.h>

static int tell_device(const dun_session *session, const dun_device_info *info) {
    int rc = DUN_OK;
    dun_str limits = {0};
    const dun_limits_source here = dun_limits_of_process();
    const dun_observer *observer = session->observer;
    TRY(dun_limits_describe(&limits, &here));
    dun_observe_say(observer, "device    %s (%s, driver %s)", info->name, info->platform, info->driver);
    dun_observe_detail(observer,
                       "device    %s, %s, %u compute units at %u MHz, vector width %u, work-groups up to %zu",
                       dun_device_type_name(info->type), info->version, info->compute_units, info->clock_mhz,
                       info->vector_width, (size_t)info->max_group_size);
    dun_observe_detail(observer,
                       "device    %.0f MB of memory, largest buffer %.0f MB, local memory %.0f kB%s",
                       (double)info->memory_bytes / 1e6, (double)info->largest_buffer_bytes / 1e6,
                       (double)info->local_bytes / 1e3, info->fp16 ? ", half precision" : "");
    if (limits.length)
        dun_observe_say(observer, "limits    %s", limits.bytes);
out:
    dun_str_free(&limits);
    return rc;
}

void dun_session_watch(dun_device *device, const dun_observer *observer) {
    dun_device_watch nobody = {0};
    if (device)
        dun_device_set_watch(
            device, observer ? (dun_device_watch){.self = observer->self, .say = observer->say} : nobody);
}

/* All that a session wishes of its devices but what is built. */
static dun_wish wish_of(const dun_session *session) {
    const dun_config *config = session->config;
    return (dun_wish){.head_dim = dun_model_file_spec(session->model)->head_dim,
                      .gemm = dun_config_word(config, DUN_KEY_device_gemm),
                      .tiles = config->device.tiles,
                      .precision = dun_config_word(config, DUN_KEY_device_precision),
                      .half_weights = config->device.weights == DUN_WEIGHTS_F16};
}

int dun_session_choose_precision(dun_session *session) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n = 0, n_chosen = 0;
    dun_choice choice;
    const dun_wish wish = wish_of(session);
    if (session->precision)
        goto out;
    TRY(dun_device_list(&infos, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, session->config->device.use));
    TRY(dun_choose_together(&choice, infos, chosen, n_chosen, &wish));
    session->precision = choice.precision;
    memcpy(session->precision_reason, choice.precision_reason, sizeof session->precision_reason);
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}

int dun_session_open_device(dun_device **device, dun_compute *compute, const dun_session *session,
                            const char *selector, unsigned learn_topics) {
    int rc = DUN_OK;
    const dun_observer *observer = session->observer;
    dun_wish wish = wish_of(session);
    dun_str tiles = {0};
    wish.precision = session->precision;
    wish.precision_reason = session->precision_reason;
    wish.uses[0].list = &dun_nn_kernels;
    wish.uses[0].topics = 1u << DUN_TOPIC_model;
    wish.uses[1].list = &dun_learn_kernels;
    wish.uses[1].topics = learn_topics;
    TRY(dun_device_open(device, selector));
    dun_session_watch(*device, observer);
    TRY(tell_device(session, dun_device_describe(*device)));
    TRY(dun_compute_create_wish(compute, *device, NULL, &wish));
    dun_observe_say(observer, "gemm      %s: %s", dun_gemm_name(compute->gemm),
                    dun_gemm_reason(compute->gemm));
    dun_observe_say(observer, "precision %s: %s", dun_gemm_precision(compute->gemm),
                    dun_gemm_precision_reason(compute->gemm));
    TRY(dun_tiles_write(&tiles, &compute->tiles));
    dun_observe_say(observer, "tiles     %s: %s", tiles.bytes, compute->reason);
out:
    dun_str_free(&tiles);
    return rc;
}
