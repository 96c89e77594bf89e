/* One message per thread; see err.h for the contract. */
#include "base/err.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 4096 }; /* long enough for the tail of a kernel build log */

static _Thread_local char message[MESSAGE_BYTES];

/* Names from files and file names may hold anything: control characters and what is not UTF-8 become '?', so
 * that a message is one line and cannot command a terminal. */
static void make_printable(char *text) {
    size_t length = strlen(text), at = 0;
    while (at < length) {
        size_t end = at + dun_utf8_valid(text + at, length - at);
        for (; at < end; at++)
            if ((unsigned char)text[at] < ' ' || text[at] == 0x7f)
                text[at] = '?';
        if (at < length)
            text[at++] = '?';
    }
}

int dun_error(enum dun_status status, const char *format, ...) {
    char text[MESSAGE_BYTES]; /* an argument may be the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (status != DUN_BAD_DEVICE) /* it may quote a compiler's lines */
        make_printable(text);
    memcpy(message, text, sizeof message);
    return status;
}

const char *dun_error_message(void) {
    return message;
}

void dun_error_clear(void) {
    message[0] = '\0';
}

int dun_exit_code(int status) {
    switch (status) {
    case DUN_USAGE:
        return 2;
    case DUN_BAD_INPUT:
        return 3;
    case DUN_BAD_DEVICE:
        return 4;
    case DUN_INTERRUPTED:
        return 130;
    default:
        return status < 0 ? 1 : 0;
    }
}

static _Thread_local struct {
    void (*hear)(void *self, const char *message);
    void *self;
} listeners[4];
static void (*_Atomic process_hears)(const char *message);
enum { N_LISTENERS = sizeof listeners / sizeof *listeners };

void dun_warn_listen(void (*hear)(void *self, const char *message), void *self) {
    for (size_t i = 0; i < N_LISTENERS; i++)
        if (!listeners[i].hear) {
            listeners[i].hear = hear;
            listeners[i].self = self;
            return;
        }
}

void dun_warn_ignore(const void *self) {
    for (size_t i = 0; i < N_LISTENERS; i++)
        if (listeners[i].self == self)
            listeners[i].hear = NULL;
}

void dun_warn_process(void (*hear)(const char *message)) {
    process_hears = hear;
}

void dun_warn(const char *format, ...) {
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    make_printable(text);
    for (size_t i = 0; i < N_LISTENERS; i++)
        if (listeners[i].hear)
            listeners[i].hear(listeners[i].self, text);
    void (*hear)(const char *message) = process_hears;
    if (hear)
        hear(text);
}
