/* Tests of the tests: each row breaks one kernel by replacing a piece of its text, and a case of its topic
 * must then fail: every third row, or all with DUNLIN_TEST_WHOLE. A row whose text is no longer in the
 * kernels is an error always. */
#include "base/mem.h"
#include "check/check_topics.h"
#include "dev/kernel_text.h"
#include "dev/quirks.h"
#include "dev/x86.h"
#include "device_check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD_DIM = 12 };

static const struct {
    const char *name;
    const dun_check_topic *topic;
    const char *kernel; /* or the function it calls */
    const char *text, *replacement;
    const char *gemm;
    bool groups; /* cut as for a GPU */
} breaks[] = {
    {"a prompt row off by one", &dun_check_rows, "embed_bwd", "ids[n] == -1 - p", "ids[n] == -2 - p", "naive",
     false},
    {"a sum without blocks", &dun_check_rows, "block_sum", "vec block = 0.0f;",
     "vec block = sum; sum = 0.0f;", "naive", false},
    {"a loss without blocks", &dun_check_rows, "loss_total", "float block = 0.0f;",
     "float block = sum; sum = 0.0f;", "naive", false},
    {"the row before the last", &dun_check_rows, "last_bwd", "start[s + 1] - 1", "start[s + 1] - 2", "naive",
     false},
    {"a mean that is a sum", &dun_check_rows, "mean_fwd", "share * sum, i", "sum, i", "naive", false},
    {"a mean without its last row", &dun_check_rows, "mean_bwd", "start[s + 1] - start[s]",
     "start[s + 1] - start[s] + 1", "naive", false},
    {"an old gradient lost", &dun_check_rows, "last_bwd", "beta ? vec_load(i, d_in)",
     "!beta ? vec_load(i, d_in)", "naive", false},
    {"a part that is not shifted", &dun_check_rows, "beside_bwd", "(size_t)C + (size_t)first", "(size_t)C",
     "naive", false},
    {"a part over the other", &dun_check_rows, "beside_fwd", "out[A + j]", "out[j]", "naive", false},
    {"half of the gate's slope", &dun_check_rows, "swiglu_bwd", "(1.0f + g * (1.0f - t)), i", "1.0f, i",
     "naive", false},
    {"a term left out", &dun_check_rows, "add_fwd", "+ vec_load(i, y)", "", "naive", false},
    {"a sum that starts anew", &dun_check_rows, "add_bwd", "beta ? vec_load(i, dx)",
     "false ? vec_load(i, dx)", "naive", false},
    {"a norm that is a length", &dun_check_norm, "inverse_rms", "/ (float)C + eps", "+ eps", "naive", false},
    {"a gradient that forgets the norm", &dun_check_norm, "rmsnorm_bwd", "- slope * vec_load(i, x)", "",
     "naive", false},
    {"a turn the wrong way", &dun_check_rope, "rope_rotate", "sine[i] * direction", "sine[i] * -direction",
     "naive", false},
    {"a backward that turns on", &dun_check_rope, "rope_bwd", "-1.0f)", "1.0f)", "naive", false},
    {"a query that misses itself", &dun_check_attention, "visible_to", "row - start[s] + 1", "row - start[s]",
     "naive", false},
    {"a running maximum forgotten", &dun_check_attention, "soften", "exp_negative(*top - tile_top)", "1.0f",
     "naive", false},
    {"delta with the wrong sign", &dun_check_attention, "ATTENTION(bwd_q)", "(0, slope) - offset[r]",
     "(0, slope) + offset[r]", "naive", false},
    {"a block's delta with the wrong sign", &dun_check_attention, "ATTENTION(bwd_q)",
     "(r, slope) - offset[r]", "(r, slope) + offset[r]", "naive", false},
    {"rows of a block that see one key more", &dun_check_attention, "ATTENTION(fwd)", "first.n + r - t0",
     "first.n + r + 1 - t0", "naive", false},
    {"a block of two sequences", &dun_check_attention, "are_block", "sequence[first] == sequence[last]",
     "true", "naive", false},
    {"a block that forgets its last key", &dun_check_attention, "block_dots", "j + m + 1, count - 1",
     "j + m + 1, count - 2", "naive", false},
    {"a block's rows exchanged", &dun_check_attention, "block_dots", "sums.s4567", "sums.s89ab", "naive",
     false},
    {"a value with the weight of its neighbour", &dun_check_attention, "block_add", "r * TILE + j]",
     "r * TILE + (j ^ 1)]", "naive", false},
    {"a key without its own query", &dun_check_attention, "SEES", "(distance) >= 0)", "(distance) > 0)",
     "naive", false},
    {"an eps lost", &dun_check_distance, "distance_fwd", "- y##k + eps", "- y##k", "naive", false},
    {"an eps with the wrong sign", &dun_check_distance, "distance_weights", "second ? -w : w", "w", "naive",
     false},
    {"a distance that is its square", &dun_check_distance, "distance_finish", "sqrt(s)", "s", "naive", false},
    {"a length that counts", &dun_check_distance, "distance_weights", "? along : 0.0f", "? 0.0f : 0.0f",
     "naive", false},
    {"a row left unscaled", &dun_check_distance, "distance_bwd", "right = rb *", "right =", "naive", false},
    {"a mean without its last part", &dun_check_distance, "distance_mean", "part < parts", "part < parts - 1",
     "naive", false},
    {"a part's whole gradient", &dun_check_distance, "distance_weights", "share * d_distance[at]",
     "d_distance[at]", "naive", false},
    {"a kept row off by one", &dun_check_cache, "kv_keep", "(size_t)kept_row + r", "(size_t)kept_row + r + 1",
     "naive", false},
    {"a row recalled twice", &dun_check_cache, "kv_recall", "rows[2 * r + 1]", "rows[1]", "naive", false},
    {"a squared length", &dun_check_distance, "inverse_norm", "sqrt(group_sum", "(group_sum", "naive", false},
    {"a softmax over all but the first", &dun_check_loss, "loss_cross_entropy", "total += e;",
     "total += k ? e : 0.0f;", "naive", false},
    {"a margin for all", &dun_check_loss, "loss_cross_entropy",
     "nearest - (distance[k] + (k == y ? margin : 0.0f))", "nearest - (distance[k] + margin)", "naive",
     false},
    {"a repulsion that attracts", &dun_check_loss, "loss_pairs", "-share * r * r", "share * r * r", "naive",
     false},
    {"a point repelled by its own centroid", &dun_check_loss, "loss_attract_repel", "k == y ? 0.0f : inverse",
     "inverse", "naive", false},
    {"a weight that the loss forgets", &dun_check_loss, "loss_cross_entropy", "weight[i] * ((distance[y]",
     "((distance[y]", "naive", false},
    {"a weight that the gradient forgets", &dun_check_loss, "loss_cross_entropy", "weight[i] * (((k", "(((k",
     "naive", false},
    {"a weight of the own class alone", &dun_check_loss, "loss_attract_repel", "weight[i] * ((k == y",
     "((k == y", "naive", false},
    {"a sum for a mean", &dun_check_loss, "loss_total", "sum / (float)n_a", "sum", "naive", false},
    {"words that speak for other classes", &dun_check_words, "words_fwd", "distance[at] - weight",
     "distance[at] + weight", "naive", false},
    {"a word without its offset", &dun_check_words, "words_fwd", "logit - offset[k]", "logit", "naive",
     false},
    {"a word's gradient in the distances' stead", &dun_check_words, "words_bwd",
     "vec_load(i, d_points) - weight * sum", "-weight * sum", "naive", false},
    {"half of a group's minimum", &dun_check_loss, "group_min", "half_ > 0", "half_ > 1", "naive", true},
    {"a residual forgotten", &dun_check_reparam, "reparam_norm_fwd", "base[at + (size_t)j] + gain", "gain",
     "naive", false},
    {"a slope along the norm", &dun_check_reparam, "reparam_norm_bwd", "* r * along", "* r", "naive", false},
    {"a base without its own way back", &dun_check_reparam, "reparam_product", "beta ? out[n] : 0.0f", "0.0f",
     "naive", false},
    {"a gradient through closed gates", &dun_check_reparam, "reparam_relu_bwd", "<= 0.0f", "> 0.0f", "naive",
     false},
    {"boids that flee", &dun_check_boids, "boids_loss", "1.0f - r * r", "1.0f + r * r", "naive", false},
    {"the other beta", &dun_check_optim, "adam_step", "rate2 * (gradient", "rate1 * (gradient", "naive",
     false},
    {"a decay that grows", &dun_check_optim, "adam_step", "decay * x[at] - step", "x[at] - step", "naive",
     false},
    {"a velocity forgotten", &dun_check_optim, "sgd_step", "velocity[at] = change;", "", "naive", false},
    {"a row that should rest", &dun_check_optim, "sgd_step", "!active[get_group_id(0)]", "false", "naive",
     false},
    {"a length without its rest", &dun_check_optim, "row_squares", "fma(g[j], g[j], rest)", "rest", "naive",
     false},
    {"a clip that lengthens", &dun_check_optim, "clip_gain", "norm > longest", "norm < longest", "naive",
     false},
    {"a centroid among the others", &dun_check_centroid, "centroid_pull",
     "(total[j] - centroids[j]) * others", "total[j] * others", "naive", false},
    {"a mean that weights are not divided out of", &dun_check_centroid, "centroid_pull", "== k ? weight[i]",
     "== k ? 1.0f", "naive", false},
    {"an absent class that moves", &dun_check_centroid, "centroid_pull", "active[k] = n > 0.0f",
     "active[k] = 1", "naive", false},
    {"a shift kept", &dun_check_normalize, "affine_fwd", "(points[j] - constants[j])", "points[j]", "naive",
     false},
    {"a gradient along the point", &dun_check_normalize, "unit_bwd", "- rest * vec_load(i, y)", "", "naive",
     false},
    {"a component of the next text", &dun_check_metric, "metric_fwd", "x += s * (size_t)D",
     "x += (s > 0 ? s - 1 : s) * (size_t)D", "naive", false},
    {"a component without its gradient", &dun_check_metric, "metric_bwd",
     "m < M; m++)\n            sum = fma((vec)", "m < M - 1; m++)\n            sum = fma((vec)", "naive",
     false},
    {"a matrix's gradient of some texts", &dun_check_metric, "metric_bwd_matrix",
     "min(first + BLOCK_TEXTS, B); s++)\n                block = fma((vec)",
     "min(first + BLOCK_TEXTS - 1, B); s++)\n                block = fma((vec)", "naive", false},
    {"an average the other way", &dun_check_normalize, "average_step", "rate * (live[j] - mean[j])",
     "(1.0f - rate) * (live[j] - mean[j])", "naive", false},
    {"a sum that skips one", &dun_check_centroid, "centroid_total", "int k = 0;", "int k = 1;", "naive",
     false},
    {"an addition forgotten", &dun_check_gemm, "gemm_naive", "if (has_add)", "if (!has_add)", "naive", false},
    {"a bias forgotten", &dun_check_gemm, "gemm_naive", "if (has_bias)", "if (!has_bias)", "naive", false},
    {"a bias of other columns", &dun_check_gemm, "FINISH", "p.bias + p.column0,", "p.bias,", "reg", false},
    {"a bias of one column", &dun_check_gemm, "TS_KERNEL", "bias_offset + (size_t)(column + lane)",
     "bias_offset", "local", true},
    {"a bias added without add", &dun_check_gemm, "gemm_start", "if (has_add)", "if (!has_add)", "clblast",
     false},
    {"an offset forgotten", &dun_check_gemm, "gemm_naive", "out[out_offset + ", "out[", "naive", false},
    {"a write beyond the last column", &dun_check_gemm, "reg_store_some", "columns >= REG_VW", "columns >= 1",
     "reg", false},
    {"a panel with a hole", &dun_check_gemm, "gemm_reg_pack", "* 64 + 64, K)", "* 64 + 63, K)", "reg", false},
    {"a tile that is one float short", &dun_check_gemm, "TS_KERNEL", "(tile) * TS_K + k, K,",
     "(tile) * TS_K + k, K - 1,", "local", true},
    {"columns of the tile beside", &dun_check_gemm, "TS_KERNEL", "(j * TS_COLUMNS + across) * TS_VW",
     "(j * TS_COLUMNS + across) * TS_VW + 1", "local", true},
    {"a sum without its last tile", &dun_check_gemm, "TS_KERNEL", "(split + 1) / splits)",
     "(split + 1) / splits) - 1", "local", true},
    {"a weight without its last columns", &dun_check_gemm, "gemm_local_pack", "n < N && k < K",
     "n < N - 1 && k < K", "local", true},
    {"the maximum of a tile forgotten", &dun_check_attention, "ATTENTION(fwd)",
     "fmax(top, att_max(score, scratch))", "fmax(top, score)", "naive", true},
    {"a tile's last key twice", &dun_check_attention, "ATTENTION(fwd)",
     "lid < count ? BEND(score, t0 + lid - (seen.n - 1)) : -1e30f", "BEND(score, t0 + lid - (seen.n - 1))",
     "naive", true},
    {"a slope without delta", &dun_check_attention, "ATTENTION(bwd_q)", "(rise - offset) * scale",
     "rise * scale", "naive", true},
    {"a key that its own row does not see", &dun_check_attention, "ATTENTION(bwd_kv)",
     "lid < count && SEES(row_of[query] - row)", "lid < count && SEES(row_of[query] - row - 1)", "naive",
     true},
    {"a window of one row more", &dun_check_attention, "FIRST_SEEN", "(n) - window)", "(n) - window - 1)",
     "naive", false},
    {"a group's window of one row more", &dun_check_attention, "FIRST_SEEN", "(n) - window)",
     "(n) - window - 1)", "naive", true},
    {"a gradient from beyond the window", &dun_check_attention, "SEES", "(distance) < window",
     "(distance) <= window", "naive", false},
    {"far rows that weigh more", &dun_check_attention, "bend", "+ slope * (float)distance",
     "- slope * (float)distance", "naive", false},
    {"slopes of other heads", &dun_check_attention, "alibi_slope", "2 * (head - n) + 1", "2 * (head - n) + 2",
     "naive", false},
    {"a block's window of all rows", &dun_check_attention, "bend_rate", "!FIRST_SEEN(first.n + ATT_ROWS - 1)",
     "true", "naive", false}, /* in the text behind attention_bent.cl */
    {"a cap without its slope", &dun_check_attention, "bend_rate", "1.0f - t * t", "1.0f", "naive", false},
    {"a spread about zero", &dun_check_traits, "moments_of", "vec_load(i, x) - of.mean", "vec_load(i, x)",
     "naive", false},
    {"a norm without its bias", &dun_check_traits, "norms_fwd", "biased ? v + vec_load(i, gain + width) : v",
     "v", "naive", false},
    {"heads with each other's weights", &dun_check_traits, "norms_bwd", "w + g * step", "w", "naive", false},
    {"a gradient of the mean", &dun_check_traits, "norms_bwd", "- level - v * along), i", "- v * along), i",
     "naive", false},
    {"a tanh without its cube", &dun_check_traits, "UNITS", "x + UNIT_A * x * x * x", "x", "naive", false},
    {"a slope without its cube", &dun_check_traits, "UNITS", "1.0f + 3.0f * UNIT_A * x * x", "1.0f", "naive",
     false},
    {"a density of another width", &dun_check_traits, "UNITS", "fmin(0.5f * x * x", "fmin(x * x", "naive",
     false},
    {"a gate that takes no gradient", &dun_check_traits, "act_bwd", "d *= vec_load(i, x + F)", "d *= 0.0f",
     "naive", false},
    {"a position of the row before", &dun_check_traits, "position_fwd", "offset + position[n]",
     "offset + position[n] - 1", "naive", false},
    {"capped logits with a whole slope", &dun_check_traits, "cap_bwd", "* (1.0f - t * t)", "", "naive",
     false},
    /* Weights as they are stored: the topic of a row's provider has quant.cl and stored.cl of its own. */
    {"rows of one place", &dun_check_stored, "stored_row_of", "(size_t)below", "(size_t)(0 * below)", "naive",
     false},
    {"scales of the other slot", &dun_check_stored, "stored_row_of", "w->first_scale : w->second_scale",
     "w->second_scale : w->first_scale", "naive", false},
    {"a value of a block without its scale", &dun_check_stored, "stored_value",
     "(uint)i % values) * row.scale", "(uint)i % values)", "naive", false},
    {"a single value without its scale", &dun_check_stored, "stored_value", "(size_t)i * bytes) * row.scale",
     "(size_t)i * bytes)", "naive", false},
    {"an addition forgotten", &dun_check_stored, "gemm_naive_stored", "if (has_add)", "if (!has_add)",
     "naive", false},
    {"a bias forgotten", &dun_check_stored, "gemm_naive_stored", "if (has_bias)", "if (!has_bias)", "naive",
     false},
    {"an offset forgotten", &dun_check_stored, "gemm_naive_stored", "out[out_offset + ", "out[", "naive",
     false},
    {"a sum without its last term", &dun_check_stored, "gemm_naive_stored", "k < K;", "k < K - 1;", "naive",
     false},
    {"a value of the wrong place", &dun_check_stored, "PLAIN", "i / 16, i % 16)", "i / 16, i % 15)", "naive",
     false},
    {"a value less its minimum of the wrong place", &dun_check_stored, "LEAST", "i / 16, i % 16)",
     "i / 16, i % 15)", "naive", false},
    {"a value without its minimum", &dun_check_stored, "LEAST", "- least_##name(at, i / 16)", "", "naive",
     false},
    {"rows over each other", &dun_check_stored, "stored_tile", "out + 32 * of_first", "out", "reg", false},
    {"runs without their scale", &dun_check_stored, "stored_runs", "row.scale != 1.0f", "false", "reg",
     false},
    {"runs from the first block on", &dun_check_stored, "stored_runs", "(size_t)(first / values)",
     "(size_t)(0 * first / values)", "reg", false},
    {"runs of the same half", &dun_check_stored, "DECODE_BLOCK", "2 * b + 1)", "2 * b)", "reg", false},
    {"sixteen the other way", &dun_check_stored, "PLAIN", "code_##name(at, h, j)",
     "code_##name(at, h, 15 - j)", "reg", false},
    {"sixteen with a minimum the other way", &dun_check_stored, "LEAST", "code_##name(at, h, j)",
     "code_##name(at, h, 15 - j)", "reg", false},
    {"sixteen without their minimum", &dun_check_stored, "LEAST", "- least;", ";", "reg", false},
    {"two rows changed with each other", &dun_check_stored, "reg_turn", "(a[i].lo, a[i + 4].lo)",
     "(a[i + 4].lo, a[i].lo)", "reg", false},
    {"a short end turned as a whole", &dun_check_stored, "reg_fill_turned", "i < n_rows;", "i < n_rows - 1;",
     "reg", false},
    {"a row of eight forgotten", &dun_check_stored, "reg_fill_along", "min(8, end", "min(7, end", "reg",
     false},
    {"codes from the first block on", &dun_check_stored, "CODES_OF_BLOCK", "(size_t)(first / values)",
     "(size_t)(0 * first / values)", "reg", false},
    {"codes of the same half", &dun_check_stored, "CODES_OF_BLOCK", "2 * b + 1, j)", "2 * b, j)", "reg",
     false},
    {"one scale for both halves", &dun_check_stored, "CONSTANTS_OF_ROWS", "scale_##name(block, 2 * b + 1)",
     "scale_##name(block, 2 * b)", "reg", false},
    {"codes without a minimum", &dun_check_stored, "LEAST_OF_LEAST", "least_##name(at, h)", "0.0f", "reg",
     false},
    {"codes of a slot with a scale", &dun_check_stored, "stored_in_codes", "first.scale == 1.0f", "true",
     "reg", false},
    {"codes of two slots as of one", &dun_check_stored, "stored_in_codes", "row + n <= w->first_rows", "true",
     "reg", false},
    {"the third code four times", &dun_check_stored, "reg_fill_codes", "four << shift", "four << 8", "reg",
     false},
    {"the first columns everywhere", &dun_check_stored, "reg_fill_across", "column0, N, false); /*",
     "0, N, false); /*", "reg", false},
    {"eight columns for all", &dun_check_stored, "reg_fill_across", "reg_place(panel, j, k + i, n_k)",
     "reg_place(panel, 0, k + i, n_k)", "reg", true},
    {"the first panel for all", &dun_check_stored, "gemm_reg_stored", "(size_t)(p.column0 - column0)",
     "(size_t)(0 * p.column0)", "reg", true},
    {"an item without its last tile", &dun_check_stored, "gemm_reg_stored", "min(tile + n_tiles, tiles)",
     "min(tile + n_tiles - 1, tiles)", "reg", false},
    {"nothing added", &dun_check_stored, "gemm_reg_stored", "has_add ? add + add_offset : 0", "0", "reg",
     false},
    {"no bias", &dun_check_stored, "gemm_reg_stored", "has_bias ? bias + bias_offset : 0", "0", "reg", false},
    {"four without their scale", &dun_check_stored, "stored_four", "vload4(0, four) * row.scale",
     "vload4(0, four)", "local", true},
    {"three of four", &dun_check_stored, "stored_four", "min(4, n - i)", "min(3, n - i)", "local", true},
    {"four of one", &dun_check_stored, "PLAIN", "i % 16 + j)", "i % 16)", "local", true},
    {"four of one less a minimum", &dun_check_stored, "LEAST", "i % 16 + j)", "i % 16)", "local", true},
    {"four without their minimum", &dun_check_stored, "LEAST", "i % 16 + j) - least", "i % 16 + j)", "local",
     true},
    {"a row of the weight for two", &dun_check_stored, "ts_fetch_b", "k0 + at / (TS_N / 4)",
     "k0 + at / (TS_N / 4) / 2 * 2", "local", true},
    {"a weight without its last row", &dun_check_stored, "ts_fetch_b", "n < N ?", "n < N - 1 ?", "local",
     true},
    {"a weight without its last columns", &dun_check_stored, "ts_fetch_b", "k < K ?", "k < K - 1 ?", "local",
     true},
    {"four that are not turned", &dun_check_stored, "ts_put_b", "out[TS_N] = v.y", "out[TS_N] = v.x", "local",
     true},
    /* Factors in parts. */
    {"a half that is cut off", &dun_check_gemm, "parts_round", "+ 0x7fffu", "", "split", false},
    {"a low part of the high one", &dun_check_gemm, "parts_encode", "even - parts_value(high_even)", "even",
     "split", false},
    {"a pair that is one", &dun_check_gemm, "parts_encode", "high_odd << 16", "high_even << 16", "split",
     false},
    {"low parts that nobody finds", &dun_check_gemm, "parts_encode", "found |= low", "found |= 0", "split",
     false},
    {"rows of the tile before", &dun_check_gemm, "parts_rows", "tile * 16 + r;", "tile / 2 * 32 + r;",
     "split", false},
    {"a row without its last numbers", &dun_check_gemm, "parts_rows", "in + k, K - k", "in + k, K - k - 1",
     "split", false},
    {"a panel with a hole", &dun_check_gemm, "parts_pack", "k < n_k; k++)", "k < n_k - 1; k++)", "split",
     false},
    {"a product of two parts forgotten", &dun_check_gemm, "parts_tile", "n_parts > 1", "n_parts > 2", "split",
     false},
    {"the first rows twice", &dun_check_gemm, "parts_tile", "(size_t)(r / 16) * next", "0 * next", "split",
     false},
    {"an addition forgotten", &dun_check_gemm, "parts_finish", "if (add)", "if (add && bias)", "split",
     false},
    {"a write beyond the last column", &dun_check_gemm, "parts_finish", "columns - j >= 16",
     "columns - j >= 1", "split", false},
    {"a bias of the first panel", &dun_check_gemm, "parts_product", "bias_offset + panel * 32", "bias_offset",
     "split", false},
    {"sums begun anew", &dun_check_gemm, "parts_pass", "\"r\"((int)more)", "\"r\"(0)", "avx512", false},
    {"rows of the step before", &dun_check_gemm, "parts_pass", "\"addq %[a_step], %[a]\\n\"", "\"\"",
     "avx512", false},
    {"columns of the first panel", &dun_check_stored, "parts_pack_stored", "column = first + panel * 32",
     "column = first", "split", false},
    {"a weight that is not turned", &dun_check_stored, "parts_pack_stored", "b[k][j] = runs[j][k]",
     "b[k][j] = runs[k][j]", "split", false},
    {"a table's first row for all", &dun_check_stored_rows, "embed_stored", "(size_t)(id - first)",
     "(size_t)(0 * id)", "naive", false},
    {"a part's offset forgotten", &dun_check_stored_rows, "embed_stored", "table + at +", "table +", "naive",
     false},
    {"a table without its scale", &dun_check_stored_rows, "embed_stored", "row.scale = scale",
     "row.scale = 1.0f", "naive", false},
    {"a run without its last value", &dun_check_stored_rows, "embed_stored", "min(32, C - i)",
     "min(31, C - i)", "naive", false},
    {"one value of the prompt", &dun_check_stored_rows, "embed_stored", "= prompt[j]", "= prompt[0]", "naive",
     false},
    {"one run for a group's items", &dun_check_stored_rows, "embed_stored", "(int)get_local_id(0) * 32", "0",
     "naive", true},
    {"another sign", &dun_check_stored_rows, "value_f32", "value_32(at)", "value_32(at) ^ 0x80000000u",
     "naive", false},
    {"halves of other bits", &dun_check_stored_rows, "float_of_half", "& 0x7fffu", "& 0x7ffeu", "naive",
     false},
    {"half of an exponent", &dun_check_stored_rows, "value_bf16", "<< 16", "<< 15", "naive", false},
    {"a nibble of three bits", &dun_check_stored_rows, "nibble", "& 15", "& 7", "naive", false},
    {"a crumb of one bit", &dun_check_stored_rows, "crumb", "& 3", "& 1", "naive", false},
    {"another code_q4_0", &dun_check_stored_rows, "code_q4_0", "- 8", "- 7", "naive", false},
    {"another code_q4_1", &dun_check_stored_rows, "code_q4_1", "4 + j", "5 + j", "naive", false},
    {"another least_q4_1", &dun_check_stored_rows, "least_q4_1", "at + 2", "at", "naive", false},
    {"another code_q5_0", &dun_check_stored_rows, "code_q5_0", "- 16", "- 15", "naive", false},
    {"another code_q5_1", &dun_check_stored_rows, "code_q5_1", "<< 4", "<< 3", "naive", false},
    {"another least_q5_1", &dun_check_stored_rows, "least_q5_1", "at + 2", "at", "naive", false},
    {"another code_q8_0", &dun_check_stored_rows, "code_q8_0", "- 128", "- 127", "naive", false},
    {"another scale_q2_k", &dun_check_stored_rows, "scale_q2_k", "& 15", "& 7", "naive", false},
    {"another least_q2_k", &dun_check_stored_rows, "least_q2_k", ">> 4", ">> 5", "naive", false},
    {"another code_q2_k", &dun_check_stored_rows, "code_q2_k", "% 8 / 2)", "% 8 / 4)", "naive", false},
    {"another scale_q3_k", &dun_check_stored_rows, "scale_q3_k", "/ 4 * 2 & 3", "/ 4 * 2 & 1", "naive",
     false},
    {"another code_q3_k", &dun_check_stored_rows, "code_q3_k", "0 : 4", "0 : 3", "naive", false},
    {"another scale_of_k", &dun_check_stored_rows, "scale_of_k", ">> 6 << 4", ">> 6 << 3", "naive", false},
    {"another minimum_of_k", &dun_check_stored_rows, "minimum_of_k", ">> 6 << 4", ">> 6 << 3", "naive",
     false},
    {"another scale_q4_k", &dun_check_stored_rows, "scale_q4_k", "h / 2)", "h / 4)", "naive", false},
    {"another least_q4_k", &dun_check_stored_rows, "least_q4_k", "h / 2)", "h / 4)", "naive", false},
    {"another code_q4_k", &dun_check_stored_rows, "code_q4_k", "h / 2 % 2", "h / 4 % 2", "naive", false},
    {"another code_q5_k", &dun_check_stored_rows, "code_q5_k", "16 : 0", "8 : 0", "naive", false},
    {"another scale_q6_k", &dun_check_stored_rows, "scale_q6_k", "- 128", "- 127", "naive", false},
    {"another code_q6_k", &dun_check_stored_rows, "code_q6_k", "j], quarter)", "j], quarter / 2)", "naive",
     false},
    {"another code_iq4_nl", &dun_check_stored_rows, "code_iq4_nl", "2 + j", "3 + j", "naive", false},
    {"another scale_iq4_xs", &dun_check_stored_rows, "scale_iq4_xs", "- 32", "- 31", "naive", false},
    {"another code_iq4_xs", &dun_check_stored_rows, "code_iq4_xs", "h % 2)", "0)", "naive", false},
    {"half of a group's sum", &dun_check_norm, "group_sum", "half_ > 0", "half_ > 1", "naive", true},
};
enum { N_BREAKS = sizeof breaks / sizeof *breaks };
/* What fails is a kernel, which no sanitizer sees: of the host's way through a failure a part of the rows is
 * enough. */
#ifdef DUN_SANITIZED
enum { STEP = 6 };
#else
enum { STEP = 3 };
#endif

static bool is_tried(size_t i) {
    return i % STEP == 0 || getenv("DUNLIN_TEST_WHOLE") || getenv("DUNLIN_TEST_FILTER");
}

static dun_device *device;

/* A precision instead of a provider: split by the portable variant, or by the one for AVX512_BF16. */
static bool by_avx512(size_t i) {
    return strcmp(breaks[i].gemm, "avx512") == 0;
}
static bool in_parts(size_t i) {
    return strcmp(breaks[i].gemm, "split") == 0 || by_avx512(i);
}

/* Where the text begins that a row is about: files of stored weights are part of several programs. */
static const char *begin_of(const char *whole, size_t i) {
    char start[64] = "";
    if (breaks[i].topic == &dun_check_stored && strcmp(breaks[i].gemm, "naive") != 0)
        snprintf(start, sizeof start, "#pragma topic %s_stored\n", in_parts(i) ? "parts" : breaks[i].gemm);
    else if (by_avx512(i))
        snprintf(start, sizeof start, "#pragma topic parts_avx512\n");
    const char *begin = strstr(whole, start);
    if (!begin)
        fail_msg("there is no %s", start);
    return begin;
}

/* The kernels with a row's text, where it first occurs after "kernel(", replaced. */
static char *broken_text(size_t i) {
    char start[64];
    snprintf(start, sizeof start, " %s(", breaks[i].kernel);
    const char *whole = dun_kernel_text(), *kernel = strstr(begin_of(whole, i), start);
    const char *at = kernel ? strstr(kernel, breaks[i].text) : NULL;
    if (!at)
        fail_msg("\"%s\" is not in %s any more: choose another piece of it", breaks[i].text,
                 breaks[i].kernel);
    size_t before = (size_t)(at - whole), inserted = strlen(breaks[i].replacement);
    const char *rest = at + strlen(breaks[i].text);
    char *text = dun_calloc(before + inserted + strlen(rest) + 1, 1);
    assert_non_null(text);
    memcpy(text, whole, before);
    memcpy(text + before, breaks[i].replacement, inserted);
    memcpy(text + before + inserted, rest, strlen(rest));
    return text;
}

static void test_break(void **state) {
    size_t i = (size_t)(uintptr_t)*state;
    dun_compute compute;
    dun_check c;
    if (by_avx512(i) && !(dun_quirk_of(dun_device_describe(device), DUN_QUIRK_CACHES_ITSELF) &&
                          !dun_avx512_cannot(dun_device_describe(device))))
        skip();
    char *text = broken_text(i);
    if (!is_tried(i)) {
        dun_free(text);
        skip();
    }
    if (breaks[i].groups) {
        dun_tiles tiles = check_tiles_as(device, DUN_DEVICE_GPU, 1, HEAD_DIM);
        check_ok(check_compute_create(&compute, device, &tiles, text, breaks[i].gemm));
    } else {
        check_ok(dun_compute_create_text(&compute, device, text, HEAD_DIM,
                                         in_parts(i) ? "naive" : breaks[i].gemm));
    }
    if (in_parts(i))
        check_ok(dun_gemm_set_precision(compute.gemm, "split", by_avx512(i) ? "avx512_bf16" : "portable",
                                        "the test"));
    dun_free(text);
    dun_check_init(&c, &compute);
    dun_check_run(&c, breaks[i].topic, true);
    size_t n_failed = c.n_failed;
    dun_compute_free(&compute);
    if (n_failed == 0)
        fail_msg("all %zu cases of %s pass although %s has %s", c.n_cases, breaks[i].topic->name,
                 breaks[i].kernel, breaks[i].name);
    print_message("%s\n", c.message);
}

/* Every topic has a row here. */
static void test_topics(void **state) {
    static const dun_check_topic *const topics[] = {
        &dun_check_rows,     &dun_check_norm,        &dun_check_rope,      &dun_check_attention,
        &dun_check_distance, &dun_check_loss,        &dun_check_optim,     &dun_check_centroid,
        &dun_check_gemm,     &dun_check_cache,       &dun_check_normalize, &dun_check_traits,
        &dun_check_stored,   &dun_check_stored_rows, &dun_check_words,     &dun_check_metric};
    (void)state;
    for (size_t k = 0; k < sizeof topics / sizeof *topics; k++) {
        size_t n = 0;
        for (size_t i = 0; i < N_BREAKS; i++)
            n += breaks[i].topic == topics[k];
        assert_true(n > 0);
    }
}

/* A broken kernel is wrong however it is compiled: as plainly as can be takes PoCL half of the time. */
static int open_all(void **state) {
    (void)state;
    if (setenv("POCL_EXTRA_BUILD_FLAGS", "-cl-opt-disable", 0) != 0)
        return -1;
    device = check_open_device();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    return check_close_device(device);
}

int main(void) {
    struct CMUnitTest tests[N_BREAKS + 1] = {cmocka_unit_test(test_topics)};
    for (size_t i = 0; i < N_BREAKS; i++)
        tests[i + 1] = (struct CMUnitTest){breaks[i].name, test_break, NULL, NULL, (void *)(uintptr_t)i};
    cmocka_set_test_filter(getenv("DUNLIN_TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_all, close_all);
}
