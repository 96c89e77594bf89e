/* Writes event records, protocol buffers by hand.
 * A record is
 *   uint64 length | uint32 masked CRC of the length | bytes | uint32 masked CRC of the bytes
 * all little-endian, and its bytes are an Event:
 *   double wall_time = 1; int64 step = 2; string file_version = 3 | Summary summary = 5 | SessionLog = 7
 * with Summary { repeated Value { string tag = 1; float simple_value = 2; } value = 1; } and
 * SessionLog { enum status = 1; }. */
#include "io/tfevents.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2 };
enum { SESSION_STATUS = 1, SESSION_START = 1 };

static const char prefix[] = "events.out.tfevents.";

struct dun_tfevents {
    dun_stream file;
    dun_str record, message, part; /* scratch */
};

static int add_little_endian(dun_str *out, uint64_t value, size_t n_bytes) {
    char bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (char)(value >> 8 * i);
    return dun_str_add(out, bytes, n_bytes);
}

static int add_varint(dun_str *out, uint64_t value) {
    char bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    return dun_str_add(out, bytes, n);
}

static int add_tag(dun_str *out, unsigned field, enum wire wire) {
    return add_varint(out, field << 3 | (unsigned)wire);
}

static int add_bytes(dun_str *out, unsigned field, const char *bytes, size_t length) {
    int rc;
    TRY(add_tag(out, field, BYTES));
    TRY(add_varint(out, length));
    TRY(dun_str_add(out, bytes, length));
out:
    return rc;
}

static int add_double(dun_str *out, unsigned field, double value) {
    int rc;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    TRY(add_tag(out, field, FIXED64));
    TRY(add_little_endian(out, bits, sizeof bits));
out:
    return rc;
}

static int add_float(dun_str *out, unsigned field, float value) {
    int rc;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    TRY(add_tag(out, field, FIXED32));
    TRY(add_little_endian(out, bits, sizeof bits));
out:
    return rc;
}

/* The checksum as TFRecord stores it, turned and shifted, so that checksums of checksums keep their worth. */
static uint32_t masked(const char *bytes, size_t length) {
    uint32_t crc = dun_crc32c(bytes, length);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* Writes events->message as one record. */
static int write_record(dun_tfevents *events) {
    int rc;
    dun_str *record = &events->record;
    const dun_str *message = &events->message;
    dun_str_clear(record);
    TRY(add_little_endian(record, message->length, 8));
    TRY(add_little_endian(record, masked(record->bytes, 8), 4));
    TRY(dun_str_add(record, message->bytes, message->length));
    TRY(add_little_endian(record, masked(message->bytes, message->length), 4));
    TRY(dun_stream_add(&events->file, record->bytes, record->length));
out:
    return rc;
}

static int begin_event(dun_tfevents *events, uint64_t step) {
    int rc;
    dun_str_clear(&events->message);
    TRY(add_double(&events->message, EVENT_TIME, dun_clock_now()));
    TRY(add_tag(&events->message, EVENT_STEP, VARINT));
    TRY(add_varint(&events->message, step));
out:
    return rc;
}

static int write_version(dun_tfevents *events) {
    static const char version[] = "brain.Event:2";
    int rc;
    TRY(begin_event(events, 0));
    TRY(add_bytes(&events->message, EVENT_VERSION, version, sizeof version - 1));
    TRY(write_record(events));
out:
    return rc;
}

/* Readers drop what older files say of this step and those after it. */
static int write_session_start(dun_tfevents *events, uint64_t step) {
    static const char start[] = {SESSION_STATUS << 3 | VARINT, SESSION_START};
    int rc;
    TRY(begin_event(events, step));
    TRY(add_bytes(&events->message, EVENT_SESSION, start, sizeof start));
    TRY(write_record(events));
out:
    return rc;
}

/* The latest TIME of the event files in a folder, 0 when there is none. */
static long long latest_time(const char *folder) {
    long long latest = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0) {
            long long time = strtoll(entry->d_name + sizeof prefix - 1, NULL, 10);
            latest = time > latest && time < 9999999999 ? time : latest;
        }
    if (entries)
        closedir(entries);
    return latest;
}

int dun_tfevents_open(dun_tfevents **out, const char *folder, uint64_t step) {
    int rc;
    dun_tfevents *events = NULL;
    dun_str path = {0};
    *out = NULL;
    TRY_NEW(events, 1);
    long long latest = latest_time(folder), time = (long long)dun_clock_now();
    time = time > latest ? time : latest + 1;
    TRY(dun_str_addf(&path, "%s/%s%010lld.dunlin", folder, prefix, time));
    TRY(dun_stream_begin(&events->file, path.bytes));
    TRY(write_version(events));
    if (latest)
        TRY(write_session_start(events, step + 1));
    *out = events;
    events = NULL;
out:
    dun_str_free(&path);
    dun_tfevents_close(events);
    return rc;
}

int dun_tfevents_add(dun_tfevents *events, uint64_t step, const dun_tfevents_scalar *scalars, size_t n) {
    int rc;
    dun_str summary = {0};
    for (size_t i = 0; i < n; i++) {
        dun_str_clear(&events->part);
        TRY(add_bytes(&events->part, VALUE_TAG, scalars[i].tag, strlen(scalars[i].tag)));
        TRY(add_float(&events->part, VALUE_SIMPLE, (float)scalars[i].value));
        TRY(add_bytes(&summary, SUMMARY_VALUE, events->part.bytes, events->part.length));
    }
    TRY(begin_event(events, step));
    TRY(add_bytes(&events->message, EVENT_SUMMARY, summary.bytes ? summary.bytes : "", summary.length));
    TRY(write_record(events));
out:
    dun_str_free(&summary);
    return rc;
}

int dun_tfevents_sync(dun_tfevents *events) {
    return dun_stream_sync(&events->file);
}

void dun_tfevents_close(dun_tfevents *events) {
    if (!events)
        return;
    dun_stream_close(&events->file);
    dun_str_free(&events->part);
    dun_str_free(&events->message);
    dun_str_free(&events->record);
    dun_free(events);
}
