/* A trained run in the formats of other programs. */
#ifndef DUN_EXPORT_H
#define DUN_EXPORT_H

#include "session/session.h"

/* To be asked before a run is opened for it: DUN_FAILED where dun_export_peft could not have the folder. */
int dun_export_look(const char *folder);

/* A folder that PEFT loads: adapter_config.json and adapter_model.safetensors (`prompt_embeddings` F32 (P, C)
 * alone). PEFT puts a prompt before the text and knows no centroids, so dunlin.json says how the prompt is
 * meant and dunlin.safetensors holds the centroids and the normalization of points. DUN_FAILED: it is not
 * new or empty, or cannot be written; nothing stays there then. */
int dun_export_peft(const char *folder, const dun_session *session, const dun_saved_prompt *saved);

/* NumPy: `prompt_embeddings` (P, C), `centroids` (K, D), `classes` (K) as UTF-8 bytes, `settings` (1) the
 * text of dunlin.json, `normalization` (2, D) where points have one. */
int dun_export_npz(const char *path, const dun_session *session, const dun_saved_prompt *saved);

/* Points of texts to a file: points F32 (n, D) and, unless it is NULL, labels I64 (n), as .npz when the path
 * ends so, else as safetensors; the points alone as .npy. */
int dun_points_write(const char *path, const float *points, const int64_t *labels, uint64_t n, uint64_t D);

#endif
