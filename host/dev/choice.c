/* Takes wish, tuning row and default in their order, cuts them to the device, and notes why. */
#include "dev/choice.h"

#include "base/err.h"
#include "dev/gemm_provider.h"
#include "dev/parts.h"
#include "dev/tuning.h"

#include <stdio.h>
#include <string.h>

static void add_reason(char *reason, const char *text) {
    size_t used = strlen(reason);
    const size_t length = strcspn(text, "\n"); /* a compiler's log may follow */
    snprintf(reason + used, DUN_REASON_BYTES - used, "%s%.*s", used ? "; " : "",
             length < 200 ? (int)length : 200, text);
}

/* The first provider for a device without a tuning row that can run there. */
static const dun_gemm_provider *choose_gemm(dun_choice *out, const dun_device_info *info) {
    const char *reason, *cannot;
    const dun_gemm_provider *provider = dun_gemm_find(dun_gemm_default(&reason, &cannot, info));
    add_reason(out->gemm_reason, reason);
    const dun_gemm_provider *const others[] = {&dun_gemm_clblast, &dun_gemm_naive};
    for (size_t i = 0; cannot && i < sizeof others / sizeof *others; i++) {
        add_reason(out->gemm_reason, provider->name);
        add_reason(out->gemm_reason, cannot);
        provider = others[i];
        cannot = provider->cannot(info);
    }
    return provider;
}

/* The words of the wish after "default", or all; "" for none. */
static const char *wished_tiles(bool *tuned, const dun_wish *wish) {
    static const char word[] = "default";
    const char *tiles = wish->tiles && strcmp(wish->tiles, "auto") != 0 ? wish->tiles : "";
    *tuned = strncmp(tiles, word, sizeof word - 1) != 0 || !strchr(" ", tiles[sizeof word - 1]);
    return *tuned ? tiles : tiles + sizeof word - 1;
}

/* The device's tuning row over the defaults; *provider is set when there is a row whose provider can run. */
static void use_tuning(dun_choice *out, const dun_gemm_provider **provider, const dun_device_info *info) {
    dun_tuning row;
    dun_tiles tiles = out->tiles;
    if (!dun_tuning_find(&row, info))
        return;
    *provider = dun_gemm_find(row.gemm);
    if (!*provider || (*provider)->cannot(info) || dun_tiles_read(&tiles, row.tiles, row.where) < 0) {
        dun_warn("tuning row %s does not fit this program or device and is not used", row.where);
        *provider = NULL;
        return;
    }
    out->tiles = tiles;
    if (row.precision[0] && dun_precision_find(row.precision)) {
        out->precision = dun_precision_find(row.precision)->word;
        snprintf(out->precision_reason, sizeof out->precision_reason, "tuned, %.180s", row.where);
    }
    snprintf(out->tiles_reason, sizeof out->tiles_reason, "tuned, %.180s (%.180s)", row.where, row.note);
    snprintf(out->gemm_reason, sizeof out->gemm_reason, "tuned, %.180s", row.where);
}

/* auto: what a tuning row says, else split where the device has a matrix unit that works, else f32; never
 * half. A unit that does not work is told of, and so is what stands in for it. */
static int choose_precision(dun_choice *out, const dun_device_info *info, const dun_wish *wish) {
    int rc = DUN_OK;
    dun_str why = {0};
    const bool asked = wish->precision && strcmp(wish->precision, "auto") != 0;
    const dun_precision *wanted = asked ? dun_precision_find(wish->precision) : NULL;
    const dun_variant *variant = NULL;
    if (asked && !wanted)
        TRY(dun_error(DUN_USAGE, "device.precision = %s: unknown", wish->precision));
    if (asked)
        snprintf(out->precision_reason, sizeof out->precision_reason, "%s",
                 wish->precision_reason ? wish->precision_reason : "asked for by device.precision");
    else if (out->precision)
        wanted = dun_precision_find(out->precision);
    if (!wanted || dun_precision_parts(wanted))
        variant = dun_variant_choose(&why, info, !wanted);
    if (!wanted) {
        wanted = dun_precision_find(variant->matrix_unit ? "split" : "f32");
        add_reason(out->precision_reason, variant->matrix_unit ? "the device has a matrix unit"
                                          : why.length         ? "its matrix unit does not work here"
                                                       : "the device has no matrix unit that is known");
    }
    if (why.length && !wish->precision_reason) /* which has it */
        add_reason(out->precision_reason, why.bytes);
    out->precision = wanted->word;
    out->variant = variant && dun_precision_parts(wanted) ? variant->name : "";
out:
    dun_str_free(&why);
    return rc;
}

int dun_choose(dun_choice *out, const dun_device_info *info, const dun_wish *wish) {
    int rc = DUN_OK;
    dun_str said = {0};
    const dun_gemm_provider *provider = NULL;
    bool tuned;
    const char *words = wished_tiles(&tuned, wish);
    *out = (dun_choice){.tiles = dun_tiles_default(info, wish->head_dim)};
    if (tuned)
        use_tuning(out, &provider, info);
    if (wish->gemm && strcmp(wish->gemm, "auto") != 0) {
        TRY(dun_gemm_require(&provider, info, wish->gemm));
        snprintf(out->gemm_reason, sizeof out->gemm_reason, "asked for by device.gemm");
    } else if (!provider) {
        provider = choose_gemm(out, info);
    }
    out->gemm = provider->name;
    if (words[strspn(words, " ")]) {
        TRY(dun_tiles_read(&out->tiles, words, "device.tiles"));
        snprintf(out->tiles_reason, sizeof out->tiles_reason, "asked for by device.tiles");
    }
    TRY(choose_precision(out, info, wish));
    if (!provider->tiles) {
        if (!wish->every_gemm)
            dun_tiles_drop_local(&out->tiles);
    } else if (wish->half_weights && strcmp(out->precision, "f32") == 0) {
        out->tiles.half_weights = 1;
    }
    if (wish->exact)
        TRY(dun_tiles_fault(&said, &out->tiles, info));
    if (said.length)
        TRY(dun_error(DUN_BAD_DEVICE, "%s", said.bytes));
    TRY(dun_tiles_fit(&said, &out->tiles, info));
    if (said.length)
        add_reason(out->tiles_reason, said.bytes);
    if (!out->tiles_reason[0])
        add_reason(out->tiles_reason,
                   info->type == DUN_DEVICE_CPU ? "default for CPUs, not tuned" : "default, not tuned");
    if (provider->tiles && !out->tiles.local_m)
        TRY(dun_error(DUN_BAD_DEVICE, "device.gemm = %s cannot run on %s: %s; naive always works",
                      provider->name, info->name, said.length ? said.bytes : "no local tile fits"));
out:
    dun_str_free(&said);
    return rc;
}

int dun_choose_together(dun_choice *out, const dun_device_info *infos, const uint32_t *which, size_t n,
                        const dun_wish *wish) {
    int rc = DUN_OK;
    bool differ = false;
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        dun_choice choice;
        TRY(dun_choose(&choice, &infos[which[i]], wish));
        const bool exacter =
            i == 0 || dun_precision_find(choice.precision) < dun_precision_find(out->precision);
        differ = differ || (i > 0 && strcmp(choice.precision, out->precision) != 0);
        if (exacter) {
            *out = choice;
            best = i;
        }
    }
    if (differ) {
        char reason[DUN_REASON_BYTES];
        memcpy(reason, out->precision_reason, sizeof reason);
        snprintf(out->precision_reason, sizeof out->precision_reason,
                 "the most exact that one of these devices takes, %.100s: %.200s", infos[which[best]].name,
                 reason);
    }
out:
    return rc;
}

bool dun_choice_simplify(dun_choice *choice, const dun_device_info *info, const char *why) {
    dun_tiles *t = &choice->tiles;
    dun_tiles plain = dun_tiles_default(info, t->head_dim);
    if (t->sub_groups)
        t->sub_groups = 0;
    else if (t->attention_group > 1)
        t->attention_group = t->attention_group > 8 ? t->attention_group / 2 : 1;
    else if (t->local_m && t->local_m * t->local_n > 16 * 16)
        dun_tiles_smallest_local(t);
    else if (t->local_m && strcmp(choice->gemm, dun_gemm_local.name) != 0)
        dun_tiles_drop_local(t);
    else if (t->group > 1)
        t->group /= 2;
    else if (t->reg_rows > 4 || t->vector > plain.vector)
        t->reg_rows = t->reg_vector = t->vector = 4;
    else
        return false;
    add_reason(choice->tiles_reason, why);
    return true;
}
