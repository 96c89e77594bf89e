/* A learning curve in words, as tables and as JSON. See curve.h. */
#include "run/curve.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"

int dun_curve_sentence(dun_str *out, const dun_curve *curve) {
    static const char *const words[] = {[DUN_CURVE_YES] = "More labels would help",
                                        [DUN_CURVE_HARDLY] = "More labels would hardly help",
                                        [DUN_CURVE_UNCLEAR] =
                                            "Whether more labels would help cannot be told"};
    const dun_curve_size *last = &curve->sizes[curve->n_sizes - 1];
    return dun_str_addf(
        out,
        "%s: from %u to %u texts the accuracy on the same %u held-out texts changed by %+.1f points "
        "(95 %% interval %+.1f to %+.1f).",
        words[curve->answer], last[-1].n_texts, last->n_texts, curve->n_valid, 100 * curve->gain,
        100 * curve->gain_low, 100 * curve->gain_high);
}

int dun_curve_text(dun_str *out, const dun_curve *curve) {
    int rc = DUN_OK;
    static const char *const heads[] = {"texts", "runs", "accuracy", "95 % interval",
                                        "least", "most", "untrained"};
    dun_table table;
    dun_table_init(&table, "rrrrrrr");
    TRY(dun_table_add_all(&table, heads, sizeof heads / sizeof *heads));
    for (uint32_t i = 0; i < curve->n_sizes; i++) {
        const dun_curve_size *size = &curve->sizes[i];
        double least = size->accuracy[0], most = least;
        for (uint32_t r = 1; r < size->n_runs; r++) {
            least = size->accuracy[r] < least ? size->accuracy[r] : least;
            most = size->accuracy[r] > most ? size->accuracy[r] : most;
        }
        TRY(dun_table_add(&table, "%u", size->n_texts));
        TRY(dun_table_add(&table, "%u", size->n_runs));
        TRY(dun_table_add(&table, "%.4f", size->mean));
        TRY(dun_table_add(&table, "%.3f - %.3f", size->low, size->high));
        TRY(dun_table_add(&table, "%.4f", least));
        TRY(dun_table_add(&table, "%.4f", most));
        TRY(dun_table_add(&table, "%.4f", size->untrained));
    }
    TRY(dun_table_print(out, &table));
    TRY(dun_str_addf(out, "\n"));
    TRY(dun_curve_sentence(out, curve));
    TRY(dun_str_addf(out, "\n"));
out:
    dun_table_free(&table);
    return rc;
}

int dun_curve_csv(dun_str *out, const dun_curve *curve) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "texts,run,accuracy,mean,low,high,untrained,steps\n"));
    for (uint32_t i = 0; i < curve->n_sizes; i++) {
        const dun_curve_size *s = &curve->sizes[i];
        for (uint32_t r = 0; r < s->n_runs; r++)
            TRY(dun_str_addf(out, "%u,%u,%.9g,%.9g,%.9g,%.9g,%.9g,%llu\n", s->n_texts, r + 1, s->accuracy[r],
                             s->mean, s->low, s->high, s->untrained, (unsigned long long)s->steps));
    }
out:
    return rc;
}

static int add_size(json_t *sizes, const dun_curve_size *size) {
    int rc = DUN_OK;
    json_t *object = json_object(), *runs = json_array();
    for (uint32_t r = 0; r < size->n_runs; r++)
        TRY(dun_json_append(runs, dun_json_real(size->accuracy[r])));
    TRY(dun_json_set(object, "texts", json_integer(size->n_texts)));
    TRY(dun_json_set(object, "accuracy", dun_json_real(size->mean)));
    TRY(dun_json_set(object, "low", dun_json_real(size->low)));
    TRY(dun_json_set(object, "high", dun_json_real(size->high)));
    TRY(dun_json_set(object, "runs", json_incref(runs)));
    TRY(dun_json_set(object, "untrained", dun_json_real(size->untrained)));
    TRY(dun_json_set(object, "steps", json_integer((json_int_t)size->steps)));
    TRY(dun_json_set(object, "seconds", dun_json_real(size->seconds)));
    TRY(dun_json_append(sizes, json_incref(object)));
out:
    json_decref(runs);
    json_decref(object);
    return rc;
}

static int add_answer(json_t *root, const dun_curve *curve) {
    int rc = DUN_OK;
    static const char *const words[] = {
        [DUN_CURVE_YES] = "yes", [DUN_CURVE_HARDLY] = "hardly", [DUN_CURVE_UNCLEAR] = "unclear"};
    const dun_curve_size *last = &curve->sizes[curve->n_sizes - 1];
    dun_str sentence = {0};
    json_t *object = json_object();
    TRY(dun_curve_sentence(&sentence, curve));
    TRY(dun_json_set(object, "more_labels_help", json_string(words[curve->answer])));
    TRY(dun_json_set(object, "from", json_integer(last[-1].n_texts)));
    TRY(dun_json_set(object, "to", json_integer(last->n_texts)));
    TRY(dun_json_set(object, "gain", dun_json_real(curve->gain)));
    TRY(dun_json_set(object, "low", dun_json_real(curve->gain_low)));
    TRY(dun_json_set(object, "high", dun_json_real(curve->gain_high)));
    TRY(dun_json_set(object, "sentence", json_string(sentence.bytes)));
    TRY(dun_json_set(root, "answer", json_incref(object)));
out:
    json_decref(object);
    dun_str_free(&sentence);
    return rc;
}

int dun_curve_json(json_t **out, const dun_curve *curve) {
    int rc = DUN_OK;
    json_t *root = json_object(), *sizes = json_array();
    *out = NULL;
    for (uint32_t i = 0; i < curve->n_sizes; i++)
        TRY(add_size(sizes, &curve->sizes[i]));
    TRY(dun_json_set(root, "name", json_string(curve->name)));
    TRY(dun_json_set(root, "model", json_string(curve->model)));
    TRY(dun_json_set(root, "validation_texts", json_integer(curve->n_valid)));
    TRY(dun_json_set(root, "same_steps", json_boolean(curve->same_steps)));
    TRY(dun_json_set(root, "sizes", json_incref(sizes)));
    TRY(add_answer(root, curve));
    TRY(dun_json_set(root, "version", json_string(DUN_VERSION)));
    *out = root;
    root = NULL;
out:
    json_decref(root);
    json_decref(sizes);
    return rc;
}
