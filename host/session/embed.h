/* Texts as vectors of a model, without a prompt and without any training. */
#ifndef DUN_EMBED_H
#define DUN_EMBED_H

#include "session/vectors.h"

/* What a text's vector is, (C): the hidden state of its last token, or the mean over all of its tokens, those
 * that the tokenizer puts before or after a text among them; after the last block and the final norm, or
 * after the block that model.layer names. */
enum dun_pool { DUN_POOL_LAST, DUN_POOL_MEAN };

typedef struct {
    dun_session session;
    dun_vectors vectors;
} dun_embedder;

/* Opens the model that the config names, on its device. Of the config, which stays the caller's and is
 * settled here, count model.path, model.layer, model.normalize, device.* and data.max_length, special_tokens;
 * where nobody set data.max_length it becomes 512, or as many tokens as the model reads. `pass_texts`: most
 * texts that are run at once, 0: the usual number; it changes no bit. DUN_USAGE: a longer data.max_length
 * than the model reads, logits, or a normalisation that is fitted on training texts. The embedder needs
 * dun_embed_close whatever is returned. */
int dun_embed_open(dun_embedder *embedder, dun_config *config, enum dun_pool pool, uint32_t pass_texts,
                   const dun_observer *observer);
void dun_embed_close(dun_embedder *embedder);

/* C: then dun_vectors_of and dun_vectors_of_asked, on embedder->vectors, give rows of so many floats. */
uint32_t dun_embed_width(const dun_embedder *embedder);

#endif
