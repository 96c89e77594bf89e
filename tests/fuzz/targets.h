/* The fuzz targets: each gives hostile bytes to one reader and holds it to its promises. The fuzzers of
 * tools/fuzz call them, and so does test_fuzz_corpus with the files of corpus/<target>/. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_TARGETS(X)                                                                                      \
    X(gguf)                                                                                                  \
    X(model)                                                                                                 \
    X(door)                                                                                                  \
    X(parts)                                                                                                 \
    X(index)                                                                                                 \
    X(hfconfig)                                                                                              \
    X(tokenizer)                                                                                             \
    X(tokenizerjson)                                                                                         \
    X(scores)                                                                                                \
    X(config)                                                                                                \
    X(json)                                                                                                  \
    X(labels)                                                                                                \
    X(safetensors)                                                                                           \
    X(tsv)                                                                                                   \
    X(csv)                                                                                                   \
    X(jsonl)                                                                                                 \
    X(records)                                                                                               \
    X(gzip)                                                                                                  \
    X(lines)                                                                                                 \
    X(prompt)                                                                                                \
    X(body)                                                                                                  \
    X(media)                                                                                                 \
    X(checkpoint)                                                                                            \
    X(plan)                                                                                                  \
    X(frombytes)                                                                                             \
    X(configset)

#define X(name) void fuzz_##name(const uint8_t *bytes, size_t length);
FUZZ_TARGETS(X)
#undef X

/* Ends the process when a promise is broken. */
#define FUZZ_EXPECT(promise) fuzz_expect((promise), #promise, __FILE__, __LINE__)
void fuzz_expect(bool kept, const char *promise, const char *file, int line);

/* True for success. A failure must be one of two statuses (give one twice) with a message of one line, in
 * UTF-8, without control characters. */
bool fuzz_accepted(int rc, int refusal, int other_refusal);

/* Writes the bytes to a file of a folder that lasts as long as the process; returns its path. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t length);
const char *fuzz_folder(void);

#endif
