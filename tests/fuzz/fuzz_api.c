/* The doors of the public library through which a program hands bytes of others on. */
#include "base/err.h"
#include "base/hash.h"
#include "dunlin.h"
#include "targets.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER = 8, HEAD = 4 * NUMBER };

/* As base/err.h has a status, for fuzz_accepted. */
static int status_of(dunlin_status status) {
    return status == DUNLIN_OK          ? DUN_OK
           : status == DUNLIN_USAGE     ? DUN_USAGE
           : status == DUNLIN_BAD_INPUT ? DUN_BAD_INPUT
                                        : DUN_FAILED;
}

static void open_bytes(const uint8_t *bytes, size_t length) {
    dunlin_run *run = (dunlin_run *)(uintptr_t)1;
    if (fuzz_accepted(status_of(dunlin_from_bytes(&run, bytes, length, NULL)), DUN_BAD_INPUT, DUN_USAGE))
        dunlin_free(run);
    else
        FUZZ_EXPECT(!run);
}

static void put_number(uint8_t *at, uint64_t value) {
    for (int i = 0; i < NUMBER; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* As they are; and behind a head that they agree with, so that what is behind the checksum is read too. */
void fuzz_frombytes(const uint8_t *bytes, size_t length) {
    uint8_t *sealed = malloc(HEAD + length);
    if (!sealed)
        return;
    open_bytes(bytes, length);
    memcpy(sealed, "DUNRUN\r\n", NUMBER);
    put_number(sealed + NUMBER, 1);
    put_number(sealed + 2 * NUMBER, dun_hash(DUN_HASH_START, bytes, length));
    put_number(sealed + 3 * NUMBER, length);
    if (length)
        memcpy(sealed + HEAD, bytes, length);
    open_bytes(sealed, HEAD + length);
    free(sealed);
}

/* A line with the key, then its value. What was taken is given back as it can be set again. */
void fuzz_configset(const uint8_t *bytes, size_t length) {
    dunlin_config *config = NULL;
    char *text = calloc(length + 1, 1), value[3000], again[3000];
    FUZZ_EXPECT(text && dunlin_config_new(&config) == DUNLIN_OK);
    memcpy(text, length ? bytes : (const uint8_t *)"", length);
    char *line = strchr(text, '\n');
    if (line)
        *line++ = '\0';
    if (fuzz_accepted(status_of(dunlin_config_set(config, text, line ? line : "")), DUN_USAGE, DUN_USAGE)) {
        FUZZ_EXPECT(dunlin_config_get(config, text, value, sizeof value, NULL) == DUNLIN_OK);
        FUZZ_EXPECT(dunlin_config_set(config, text, value) == DUNLIN_OK);
        FUZZ_EXPECT(dunlin_config_get(config, text, again, sizeof again, NULL) == DUNLIN_OK);
        FUZZ_EXPECT(strcmp(value, again) == 0);
    }
    dunlin_config_free(config);
    free(text);
}
