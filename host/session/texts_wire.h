/* Texts in messages between ranks: their tokens, never their words. */
#ifndef DUN_TEXTS_WIRE_H
#define DUN_TEXTS_WIRE_H

#include "ranks/wire.h"
#include "session/texts.h"

/* Adds the n texts `which`. */
int dun_texts_send(dun_str *message, const dun_texts *texts, const uint32_t *which, uint32_t n);

/* Adds those of a message to `texts`. DUN_FAILED: it does not hold together. */
int dun_texts_receive(dun_texts *texts, dun_wire *wire);

/* The same of the tokens that all texts share; what is there is replaced. */
int dun_texts_send_shared(dun_str *message, const dun_texts *texts);
int dun_texts_receive_shared(dun_texts *texts, dun_wire *wire);

#endif
