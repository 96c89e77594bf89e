/* Files as text: unpacked, decoded to UTF-8, and told from what is no text, before anybody reads records. */
#ifndef DUN_TEXT_FILE_H
#define DUN_TEXT_FILE_H

#include "base/file.h"

#include <stdbool.h>

/* The bytes of a file as text, without a byte order mark. */
typedef struct {
    const char *bytes; /* [length]; UTF-8 without NUL */
    size_t length;
    size_t skipped;    /* bytes of the mark in front of them */
    char *name;        /* for messages */
    bool mild;         /* its records are to be answered, whatever they hold: see dun_text_file_open_any */
    size_t n_repaired; /* then: lines in which U+FFFD was put */
    dun_file file;
    void *unpacked, *decoded; /* owned, where the bytes are not the file's own */
} dun_text_file;

/* Maps a file; unpacks gzip, decodes UTF-16 that has a byte order mark. DUN_BAD_INPUT, by its cause: what the
 * file is instead of text (Parquet, a workbook, an archive, HTML, ...) and how to get text from it; the line
 * and byte of what is no UTF-8, with the `iconv` to run. */
int dun_text_file_open(dun_text_file *text, const char *path);

/* The same from bytes that stay where they are as long as `text` is used; gzip is not looked for. */
int dun_text_file_of(dun_text_file *text, const void *bytes, size_t length, const char *name);

/* The same for texts that are to be answered, whatever they hold: U+FFFD stands for NUL and for bytes that
 * are no text, and records that cannot be cut or read are handed out with what there is of them
 * (io/data/records.h). What is no text at all is refused all the same. */
int dun_text_file_open_any(dun_text_file *text, const char *path);
int dun_text_file_of_any(dun_text_file *text, const void *bytes, size_t length, const char *name);

void dun_text_file_close(dun_text_file *text);

#endif
