/* The pure parts of dunlin bench: what repetitions come to, and how many operations a graph's products are;
 * and that measuring a tiny model leaves a figure for everything and nothing behind. */
#include "bench/bench.h"

#include "train_sample.h"

#include <math.h>

static void test_summaries(void **state) {
    (void)state;
    static const struct {
        double samples[5];
        size_t n;
        double best, median, worst;
    } cases[] = {
        {{3}, 1, 3, 3, 3},          {{4, 2}, 2, 2, 3, 4},          {{9, 1, 5}, 3, 1, 5, 9},
        {{8, 1, 2, 4}, 4, 1, 3, 8}, {{5, 4, 3, 2, 1}, 5, 1, 3, 5}, {{7, 7, 0.5, 7, 7}, 5, 0.5, 7, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_bench_samples samples = {.n = cases[i].n};
        for (size_t j = 0; j < cases[i].n; j++) {
            samples.clock[j] = cases[i].samples[j];
            samples.processor[j] = 2 * cases[i].samples[cases[i].n - 1 - j];
        }
        dun_bench_seconds got = dun_bench_summarise(&samples);
        if (!(got.n == cases[i].n && got.worst == cases[i].worst && got.best == cases[i].best &&
              got.median == cases[i].median && got.processor == 2 * cases[i].median))
            fail_msg("case %zu: best %g, median %g, of processors %g", i, got.best, got.median,
                     got.processor);
    }
}

/* Parameters of one block's matrices: keys and values, and the rest. */
static double kv_parameters(const dun_spec *s) {
    return 2.0 * s->n_kv_heads * s->head_dim * s->width;
}
static double other_parameters(const dun_spec *s) {
    return 2.0 * s->n_heads * s->head_dim * s->width + 3.0 * s->ffn_width * s->width;
}

/* Two operations for each parameter and row, but in the last block: text stops at its keys and values, and of
 * the prompt only each sequence's last row goes beyond them. */
static void test_flops(void **state) {
    (void)state;
    static const struct {
        uint32_t n_blocks, N, S;
        bool logits;
    } cases[] = {
        {1, 1, 1, false}, {1, 12, 3, false}, {2, 12, 3, false}, {2, 12, 3, true}, {2, 160, 32, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t L = cases[i].n_blocks, N = cases[i].N, S = cases[i].S;
        const dun_point_spec point = {.n_blocks = L, .final_norm = true, .logits = cases[i].logits};
        double kv = kv_parameters(&tiny), other = other_parameters(&tiny);
        double text = 2 * (N * (L * kv + (L - 1) * other));
        double points = text + 2 * S * other + (point.logits ? 2.0 * S * tiny.width * tiny.vocab : 0);
        dun_graph graph;
        check_ok(dun_graph_build(&graph, &tiny, &point, DUN_GRAPH_TEXT));
        assert_true(dun_bench_flops(&graph, N, S) == text);
        dun_graph_free(&graph);
        check_ok(dun_graph_build(&graph, &tiny, &point, DUN_GRAPH_POINTS));
        assert_true(dun_bench_flops(&graph, N, S) == points);
        dun_graph_free(&graph);
    }
}

static bool is_measured(dun_bench_seconds seconds) {
    return isfinite(seconds.median) && seconds.best >= 0 && seconds.best <= seconds.median &&
           isfinite(seconds.processor) && seconds.processor >= 0;
}

static void check_roof(const dun_bench *bench) {
    const dun_roof *roof = &bench->roof;
    const bool has_half = roof->flops[DUN_ROOF_F16] > 0;
    assert_true(roof->flops[DUN_ROOF_F32] > 0 && isfinite(roof->flops[DUN_ROOF_F32]) &&
                (has_half || roof->flops[DUN_ROOF_F16] == 0));
    assert_true(roof->read > 0 && roof->copy > 0 && isfinite(roof->read) && isfinite(roof->copy));
    assert_true(roof->launch > 0 && roof->wait > 0 && isfinite(roof->launch) && isfinite(roof->wait));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++)
        assert_true(bench->texts[i].work.bytes > 0 && bench->texts[i].work.launches > 10);
    const dun_roof_work *step = &bench->step_work[DUN_BENCH_WHOLE];
    assert_true(step->flops > 0 && step->bytes > 0 && step->launches > bench->texts[0].work.launches);
}

/* Products of a model with logits, by the rows asked for. */
static void test_measures(void **state) {
    (void)state;
    static const struct {
        uint32_t rows, n_products;
        bool none;
    } cases[] = {{0, 22, false}, {5, 12, false}, {0, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        dun_bench bench;
        configure(&t, "max_length = 200\n[model]\npoint = logits\n[prompt]\ninit = vocab\ntokens = 3\n"
                      "[train]\nbatch_size = 5\n");
        check_ok(train_run_open(&t, NULL));
        check_ok(dun_bench_run(&bench, &t.session,
                               &(dun_bench_wish){.rows = cases[i].rows,
                                                 .no_products = cases[i].none,
                                                 .whole = cases[i].none,
                                                 .builds = cases[i].none ? 1 : 0}));
        assert_int_equal(bench.n_products, cases[i].n_products);
        for (uint32_t p = 0; p < bench.n_products; p++) {
            const dun_bench_product *product = &bench.products[p];
            bool head = product->matrix == DUN_MAT_HEAD;
            uint32_t other = p < 10 ? 15 : 768, m = cases[i].rows ? cases[i].rows : head ? 5 : other;
            assert_int_equal(product->m, m);
            assert_int_equal(product->n_matrices, head ? 1 : 2);
            assert_true(product->flops == 2.0 * m * product->rows * product->columns * product->n_matrices);
            assert_true(is_measured(product->seconds));
        }
        assert_int_equal(bench.texts[0].n_texts, 768 / 22);
        assert_int_equal(bench.texts[1].tokens, 200);
        assert_int_equal(dun_bench_longest_text(&t.session), 256 - 3);
        for (size_t text = 0; text < DUN_BENCH_TEXTS; text++)
            assert_true(is_measured(bench.texts[text].seconds));
        for (size_t stage = 0; stage < DUN_BENCH_STAGES; stage++)
            assert_true(is_measured(bench.step[stage]));
        check_roof(&bench);
        assert_int_equal(bench.builds.n, cases[i].none ? 1 : 0);
        assert_int_equal(bench.whole.n > 0, cases[i].none);
        assert_true(bench.whole.n == 0 ||
                    (is_measured(bench.whole) && bench.whole.worst >= bench.whole.median));
        assert_true(bench.builds.n == 0 || (is_measured(bench.builds) && bench.builds.best > 0));
        train_run_close(&t);
    }
}

/* Parts of a time by hand: a roof of 100 operations, 10 bytes a second, half a second a launch. */
static void test_roof_parts(void **state) {
    (void)state;
    const dun_roof roof = {.flops = {[DUN_ROOF_F32] = 100}, .read = 10, .launch = 0.5};
    const dun_roof_work work = {.flops = 400, .bytes = 20, .launches = 2};
    const dun_roof_parts parts = dun_roof_parts_of(&roof, &work, 8);
    assert_true(parts.arithmetic == 0.5 && parts.memory == 0.25 && parts.launches == 0.125);
}

/* Weights, inputs and outputs of a block's products, four bytes each, by hand. */
static void test_bytes(void **state) {
    (void)state;
    enum { N = 12, S = 3 };
    train_run t;
    configure(&t, "[prompt]\ninit = vocab\ntokens = 3\n");
    check_ok(train_run_open(&t, NULL));
    const dun_engine *engine = &t.session.engine;
    const double C = tiny.width, kv = 2.0 * tiny.n_kv_heads * tiny.head_dim, q = tiny.n_heads * tiny.head_dim;
    const double F = tiny.ffn_width, weights = 2 * kv * C + 2 * q * C + 3 * F * C;
    const double rows = 2 * (C + kv) + 2 * (C + q) + (C + 2 * F) + (F + C);
    assert_true(dun_bench_bytes(&engine->text, &engine->model, N, S) == 4 * (weights + N * rows));
    train_run_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summaries), cmocka_unit_test(test_flops),    cmocka_unit_test(test_roof_parts),
        cmocka_unit_test(test_bytes),     cmocka_unit_test(test_measures),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
