/* Label words of the config (loss.label_words): their tokens, the rows that the model's head has for them,
 * and the offsets that calibrate what it says of them. The mathematics is in host/kernels/words.cl.
 *
 * A word is encoded as it stands inside a text, with one space before it. Of several tokens, and of several
 * words of a class, the rows are averaged, and with them the logits. A bias of the head and what the classes'
 * words share change nothing that is asked: the first goes into the offsets, the second is taken away.
 *
 * Calibration is contextual as Zhao et al. 2021 have it, but by the training texts instead of texts without
 * content: offset_k is what word k gets at the mean of the classes' mean points under the starting prompt, so
 * that no word is likelier than another from the start, whatever shares the classes have. The mean points are
 * made anyway, and they are of the kind that is asked about later. */
#ifndef DUN_LABEL_ROWS_H
#define DUN_LABEL_ROWS_H

#include "session/session.h"

/* Reads the words of the config for K classes, where it names some and they are not read yet, and says their
 * tokens. DUN_USAGE: another number of words than classes, an empty word, one word for two classes;
 * DUN_BAD_INPUT: a model that caps its logits. */
int dun_session_read_label_words(dun_session *session, uint32_t K);

/* The offsets from the class means (K, D) of the training texts; of a class without texts that is 0 and left
 * out. */
int dun_session_fit_label_words(dun_session *session, const float *means);

/* Words and offsets of a saved prompt, where the config names words. DUN_BAD_INPUT: it has other words, or
 * none. */
int dun_session_use_label_words(dun_session *session, const dun_saved_prompt *saved, const char *path);

/* Zeros in the place of the offsets there were. */
int dun_label_rows_new_offsets(dun_label_rows *words);

void dun_label_rows_free(dun_label_rows *words);

#endif
