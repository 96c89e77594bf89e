/* The precisions of products by their words, once for the config's key and for what computes them: X(ID,
 * "word", parts of a product in the text pass, in what else goes forward, backward, meaning); 0 parts:
 * floats. */
#ifndef DUN_PRECISION_H
#define DUN_PRECISION_H

#define DUN_PRECISIONS(X)                                                                                    \
    X(F32, "f32", 0, 0, 0, "float32")                                                                        \
    X(SPLIT, "split", 2, 2, 2, "three products of bfloat16 parts, float32 sums")                             \
    X(HALF_TEXTS, "half-texts", 1, 0, 0, "bfloat16 factors in the text pass, float32 elsewhere")             \
    X(HALF, "half", 1, 1, 1, "bfloat16 factors, float32 sums")

#endif
