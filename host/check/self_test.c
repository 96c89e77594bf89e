/* Runs the topics and every way to multiply on a device, chooses one, and tries a training step with it. */
#include "check/self_test.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "dev/choice.h"
#include "dev/parts.h"
#include "dev/variant_try.h"

#include <stdio.h>
#include <string.h>

/* Cases of a topic in a quick test and in a whole one: enough for every kind of each topic, and for ten
 * seconds on two cores. */
enum { QUICK_CASES = 20, MOST_CASES = 110 };

static const dun_check_topic *const topics[] = {
#define CASES(name) &dun_check_##name,
#include "check/topics.def"
};
static const dun_check_topic *const stored_topics[] = {
#define STORED_CASES(name) &dun_check_##name,
#include "check/topics.def"
};

static dun_self_test_row *new_row(dun_self_test *report, const char *topic, const char *gemm) {
    dun_self_test_row *row = &report->rows[report->n_rows++];
    *row = (dun_self_test_row){.topic = topic, .gemm = gemm};
    return row;
}

/* Scattered over the list of cases, kinds included; all of them when there are no more than `most`. */
static void run_cases(dun_check *c, const dun_check_topic *topic, size_t most) {
    const size_t n = topic->n_cases;
    size_t stride = n > most ? n * 5 / 8 : 1;
    for (size_t a = stride, b = n; n > most && a != 1;) { /* until it has no common divisor with n */
        while (b) {
            size_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a != 1) {
            a = ++stride;
            b = n;
        }
    }
    for (size_t i = 0, at = 0; i < n && i < most; i++, at = (at + stride) % n)
        dun_check_run_case(c, topic->run, at);
}

static void run_topic(dun_self_test *report, dun_compute *compute, dun_gemm *gemm,
                      const dun_check_topic *topic, const char *name) {
    dun_self_test_row *row = new_row(report, topic->name, name);
    dun_check c;
    dun_check_init(&c, compute);
    c.gemm = gemm;
    run_cases(&c, topic, report->quick ? QUICK_CASES : MOST_CASES);
    row->n_cases = c.n_cases;
    row->n_compared = c.n_compared;
    row->n_failed = c.n_failed;
    row->worst = c.worst;
    memcpy(row->histogram, c.histogram, sizeof row->histogram);
    snprintf(row->message, sizeof row->message, "%s", c.message);
}

/* CLBlast compiles for many seconds on CPUs, where nobody wants it: there only when a run would take it. */
static bool leave_out(const dun_device *device, const char *name, const char *first) {
    return dun_device_describe(device)->type == DUN_DEVICE_CPU && strcmp(name, "clblast") == 0 &&
           strcmp(first, name) != 0;
}

static int test_provider(dun_self_test *report, dun_compute *compute, const char *name) {
    int rc = DUN_OK;
    dun_gemm *gemm = NULL;
    rc = dun_gemm_create(&gemm, compute->device, compute->programs, &compute->tiles, name);
    if (rc == DUN_BAD_DEVICE) { /* it cannot run here */
        new_row(report, dun_check_gemm.name, name)->cannot = "cannot run on this device";
        rc = DUN_OK;
        goto out;
    }
    TRY(rc);
    run_topic(report, compute, gemm, &dun_check_gemm, name);
    if (report->stored && dun_gemm_reads_stored(name))
        run_topic(report, compute, gemm, &dun_check_stored, name);
    else if (report->stored)
        new_row(report, dun_check_stored.name, name)->cannot = "reads weights as floats alone";
out:
    dun_gemm_free(gemm);
    return rc;
}

/* Products of parts by a variant. *passes: it does; else it is put aside, if another is left. */
static int test_variant(bool *passes, dun_self_test *report, dun_compute *compute, const char *precision,
                        const dun_variant *variant, bool stored) {
    int rc = DUN_OK;
    dun_gemm *gemm = NULL;
    const size_t first = report->n_rows;
    *passes = true;
    TRY(dun_gemm_create(&gemm, compute->device, compute->programs, &compute->tiles, "naive"));
    TRY(dun_gemm_set_precision(gemm, precision, variant->name, "tested"));
    run_topic(report, compute, gemm, &dun_check_gemm, variant->name);
    if (stored)
        run_topic(report, compute, gemm, &dun_check_stored, variant->name);
    for (size_t i = first; i < report->n_rows; i++) {
        report->rows[i].precision = dun_precision_find(precision)->word;
        if (report->rows[i].n_failed > 0 && *passes) {
            *passes = false;
            if (variant->instructions)
                dun_variant_put_aside(dun_device_describe(compute->device), variant->name,
                                      report->rows[i].message);
        }
    }
out:
    dun_gemm_free(gemm);
    return rc;
}

/* The precision of a run, by the variant that it would take and, while that fails, the next. */
static int test_precision(dun_self_test *report, dun_compute *compute, const dun_wish *wish) {
    int rc = DUN_OK;
    const char *tried = "";
    dun_choice run;
    for (bool passes = false; !passes;) {
        TRY(dun_choose(&run, dun_device_describe(compute->device), wish));
        const dun_precision *precision = dun_precision_find(run.precision);
        if (dun_precision_parts(precision) == 0)
            break;
        if (strcmp(run.variant, tried) == 0) {
            report->precision_failed = true;
            break;
        }
        tried = run.variant;
        TRY(test_variant(&passes, report, compute, dun_precision_parts(precision) > 1 ? "split" : "half",
                         dun_variant_find(run.variant), report->stored));
    }
out:
    return rc;
}

/* Every precision by every variant that can run here; of stored weights before the first run that takes them
 * so, for some compilers take long over their decoders. */
static int test_precisions(dun_self_test *report, dun_compute *compute) {
    static const char *const words[] = {"split", "half"};
    int rc = DUN_OK;
    const dun_device_info *info = dun_device_describe(compute->device);
    dun_str why = {0};
    bool passes;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (const dun_variant *const *v = dun_variants; *v; v++) {
            if ((*v)->instructions && ((*v)->cannot(info) || !dun_variant_try(&why, info, (*v)->name)))
                continue;
            TRY(test_variant(&passes, report, compute, words[i], *v, false));
        }
out:
    dun_str_free(&why);
    return rc;
}

static bool provider_passes(const dun_self_test *report, const char *name) {
    bool runs = false, passes = true;
    for (size_t i = 0; i < report->n_rows; i++) {
        const dun_self_test_row *row = &report->rows[i];
        if (row->gemm && strcmp(row->gemm, name) == 0) {
            runs |= !row->cannot;
            passes &= row->n_failed == 0;
        }
    }
    return runs && passes;
}

/* The provider to use, by what the rows say: the one a run would take, or if it may be another, the first
 * that passes and can do as much. */
static void choose(dun_self_test *report, const char *first, const char *wanted) {
    bool passes = provider_passes(report, first);
    const char *chosen = passes ? first : NULL;
    for (const char *const *name = dun_gemm_provider_names; *name && !chosen; name++)
        if (strcmp(wanted, "auto") == 0 && provider_passes(report, *name) &&
            (!report->stored || dun_gemm_reads_stored(*name)))
            chosen = *name;
    snprintf(report->gemm, sizeof report->gemm, "%s", chosen ? chosen : "");
    report->set_aside = chosen && !passes;
}

/* The training step with the chosen provider, or with the plainest one where none can be chosen. */
static int test_step(dun_self_test *report, dun_compute *compute) {
    int rc = DUN_OK;
    dun_gemm *gemm = NULL, *own = compute->gemm;
    TRY(dun_gemm_create(&gemm, compute->device, compute->programs, &compute->tiles,
                        *report->gemm ? report->gemm : "naive"));
    compute->gemm = gemm;
    run_topic(report, compute, gemm, &dun_check_step, NULL);
out:
    compute->gemm = own;
    dun_gemm_free(gemm);
    return rc;
}

static void judge(dun_self_test *report) {
    report->passed = *report->gemm != '\0' && !report->precision_failed;
    for (size_t i = 0; i < report->n_rows; i++)
        report->passed &= report->rows[i].gemm || report->rows[i].n_failed == 0;
}

const char *dun_self_test_failure(const dun_self_test *report) {
    const char *of_gemm = "";
    if (report->passed)
        return "";
    for (size_t i = 0; i < report->n_rows; i++) {
        const dun_self_test_row *row = &report->rows[i];
        if (row->n_failed > 0 && !row->gemm)
            return row->message;
        if (row->n_failed > 0 && !*of_gemm)
            of_gemm = row->message;
    }
    return *of_gemm ? of_gemm : "no way to multiply matrices passes";
}

/* Kernels of a list that were launched. */
static size_t count(const dun_programs *programs, const dun_kernel_list *list) {
    size_t n = 0;
    for (size_t i = 0; i < list->n_rows; i++)
        n += dun_programs_launched(programs, list, i);
    return n;
}

int dun_self_test_run(dun_self_test *report, dun_device *device, uint32_t head_dim, const char *wanted,
                      const char *precision, bool stored, bool quick) {
    return dun_self_test_told(report, device, head_dim, wanted, precision, stored, quick, NULL);
}

static int go_on(const dun_self_test *report, const dun_observer *observer) {
    dun_observe_advance(observer, report->n_rows, NULL);
    return dun_interrupted() ? dun_error(DUN_INTERRUPTED, "interrupted while the device was tested") : DUN_OK;
}

/* Every way to multiply, then every topic. */
static int test_all(dun_self_test *report, dun_compute *compute, const char *first, const dun_wish *wish,
                    const dun_observer *observer) {
    int rc = DUN_OK;
    for (const char *const *name = dun_gemm_provider_names; *name; name++) {
        TRY(go_on(report, observer));
        if (!leave_out(compute->device, *name, first))
            TRY(test_provider(report, compute, *name));
    }
    TRY(go_on(report, observer));
    TRY(strcmp(wish->precision, "all") == 0 ? test_precisions(report, compute)
                                            : test_precision(report, compute, wish));
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        TRY(go_on(report, observer));
        run_topic(report, compute, compute->gemm, topics[i], NULL);
    }
    for (size_t i = 0; report->stored && i < sizeof stored_topics / sizeof *stored_topics; i++)
        run_topic(report, compute, compute->gemm, stored_topics[i], NULL);
out:
    return rc;
}

int dun_self_test_told(dun_self_test *report, dun_device *device, uint32_t head_dim, const char *wanted,
                       const char *precision, bool stored, bool quick, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_compute compute = {0};
    dun_choice run; /* what a run would take: a tuned provider comes before the default */
    double begun = dun_clock_seconds();
    const unsigned nn = stored ? DUN_ALL_TOPICS : DUN_ALL_TOPICS & ~(1u << DUN_TOPIC_stored);
    *report = (dun_self_test){.quick = quick, .stored = stored};
    const dun_wish wish = {.head_dim = head_dim,
                           .gemm = "naive",
                           .precision = "f32",
                           .every_gemm = true,
                           .uses = {{&dun_nn_kernels, nn}, {&dun_learn_kernels, DUN_ALL_TOPICS}}};
    dun_observe_begin(observer, "check", "tests", 0);
    TRY(dun_choose(&run, dun_device_describe(device),
                   &(dun_wish){.head_dim = head_dim, .gemm = wanted, .precision = "f32"}));
    TRY(dun_compute_create_wish(&compute, device, NULL, &wish));
    TRY(test_all(report, &compute, run.gemm,
                 &(dun_wish){.head_dim = head_dim, .gemm = wanted, .precision = precision}, observer));
    choose(report, run.gemm, wanted);
    TRY(test_step(report, &compute));
    judge(report);
    report->n_kernels =
        count(compute.programs, &dun_nn_kernels) + count(compute.programs, &dun_learn_kernels);
    report->seconds = dun_clock_seconds() - begun;
out:
    dun_observe_end(observer);
    dun_compute_free(&compute);
    return rc;
}
