/* Writes the vectors of the lines of standard input as an .npy file of NumPy:
 *
 *   cc embed.c $(pkg-config --cflags --libs dunlin) -o embed
 *   ./embed MODEL OUT.npy [DEVICE] < texts.txt
 */
#include <dunlin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 100000, LINE_BYTES = 8192 };

/* The lines of a stream, without their ends; how many. */
static size_t read_lines(char **lines, FILE *stream) {
    static char line[LINE_BYTES];
    size_t n = 0;
    while (n < MOST_LINES && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = '\0';
        lines[n] = malloc(strlen(line) + 1);
        if (!lines[n])
            break;
        strcpy(lines[n++], line);
    }
    return n;
}

/* Version 1 of the format: magic, the header's length, the header, padded so that the values begin at 64
 * bytes. */
static int write_npy(const char *path, const float *values, size_t rows, size_t columns) {
    char header[128], head[10] = "\x93NUMPY\x01";
    FILE *file = fopen(path, "wb");
    if (!file)
        return 0;
    const int length =
        snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lu, %lu), }",
                 (unsigned long)rows, (unsigned long)columns);
    memset(header + length, ' ', sizeof header - (size_t)length);
    header[117] = '\n'; /* 10 + 118 = 128 */
    head[8] = 118;
    size_t written = fwrite(head, 1, 10, file) + fwrite(header, 1, 118, file);
    written += fwrite(values, sizeof *values, rows * columns, file);
    return fclose(file) == 0 && written == 128 + rows * columns;
}

int main(int argc, char **argv) {
    static char *lines[MOST_LINES];
    dunlin_texts *texts = NULL;
    float *vectors = NULL;
    size_t width = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: embed MODEL OUT.npy [DEVICE] < texts.txt\n");
        return DUNLIN_USAGE;
    }
    const char *device = argc > 3 ? argv[3] : NULL;
    const size_t n = read_lines(lines, stdin);
    dunlin_status status = dunlin_texts_new(&texts, n, (const char *const *)lines, NULL, NULL, NULL);
    if (status == DUNLIN_OK) /* how wide they are, without a device */
        status = dunlin_embed(argv[1], device, texts, DUNLIN_POOL_MEAN, NULL, 0, &width, NULL, NULL);
    if (status == DUNLIN_OK) {
        vectors = malloc((n * width + 1) * sizeof *vectors);
        status = vectors ? dunlin_embed(argv[1], device, texts, DUNLIN_POOL_MEAN, vectors, n * width, NULL,
                                        NULL, NULL)
                         : DUNLIN_FAILED;
    }
    if (status != DUNLIN_OK)
        fprintf(stderr, "%s: %s\n", dunlin_status_name(status), dunlin_error());
    else if (!write_npy(argv[2], vectors, n, width))
        status = DUNLIN_FAILED;
    else
        printf("%lu vectors of %lu floats\n", (unsigned long)n, (unsigned long)width);
    free(vectors);
    for (size_t i = 0; i < n; i++)
        free(lines[i]);
    dunlin_texts_free(texts);
    return status;
}
