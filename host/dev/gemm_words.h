/* The ways to multiply matrices by their words, once for the config's key and for the providers behind them:
 * a word is the name of its provider, and their order is that in which one stands in for another. */
#ifndef DUN_GEMM_WORDS_H
#define DUN_GEMM_WORDS_H

#define DUN_GEMM_WORDS(X) X(REG, reg) X(LOCAL, local) X(CLBLAST, clblast) X(NAIVE, naive)

#endif
