/* Launches the kernels of label words. */
#include "learn/label_words.h"

#include "base/err.h"
#include "base/mem.h"

int dun_label_words_create(dun_label_words *w, const dun_compute *compute, const float *rows, float weight,
                           uint32_t max_points, uint32_t n_classes, uint32_t width) {
    int rc = DUN_OK;
    const size_t K = n_classes, D = width;
    float *zeros = NULL;
    *w = (dun_label_words){.compute = compute, .n_classes = n_classes, .width = width, .weight = weight};
    TRY_NEW(zeros, K);
    TRY(dun_learn_use(compute, DUN_TOPIC_points));
    TRY(dun_buffer_create(&w->row, compute->device, K * D * sizeof(float), "rows of label words"));
    TRY(dun_buffer_create(&w->offset, compute->device, K * sizeof(float), "offsets of label words"));
    TRY(dun_buffer_create(&w->told, compute->device, max_points * K * sizeof(float),
                          "distances with label words"));
    TRY(dun_buffer_write(&w->row, 0, rows, K * D * sizeof *rows));
    TRY(dun_buffer_write(&w->offset, 0, zeros, K * sizeof *zeros));
out:
    dun_free(zeros);
    if (rc < 0)
        dun_label_words_free(w);
    return rc;
}

void dun_label_words_free(dun_label_words *w) {
    dun_buffer_free(&w->row);
    dun_buffer_free(&w->offset);
    dun_buffer_free(&w->told);
    *w = (dun_label_words){0};
}

int dun_label_words_fwd(dun_label_words *w, const dun_buffer *distance, const dun_buffer *points,
                        uint32_t n) {
    return DUN_LAUNCH(dun_learn_kernel(w->compute, DUN_K_words_fwd),
                      dun_rows(w->compute, (size_t)n * w->n_classes), DUN_BUF(w->told), DUN_BUF(*distance),
                      DUN_BUF(*points), DUN_BUF(w->row), DUN_BUF(w->offset), DUN_INT(w->n_classes),
                      DUN_INT(w->width), DUN_FLOAT(w->weight));
}

int dun_label_words_bwd(const dun_label_words *w, dun_buffer *d_points, const dun_buffer *d_told,
                        uint32_t n) {
    return DUN_LAUNCH(dun_learn_kernel(w->compute, DUN_K_words_bwd), dun_rows(w->compute, n),
                      DUN_BUF(*d_points), DUN_BUF(*d_told), DUN_BUF(w->row), DUN_INT(w->n_classes),
                      DUN_INT(w->width), DUN_FLOAT(w->weight));
}
