/* Opens, trains and resumes runs in a temporary folder, and takes the folder away again. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "train_run.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "device_check.h"

#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[256];

const char *train_folder(void) {
    const char *parent = getenv("TMPDIR");
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/dunlin-test-XXXXXX", parent && *parent ? parent : "/tmp");
        if (!mkdtemp(folder))
            fail_msg("%s cannot be made", folder);
    }
    return folder;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void train_folder_remove(void) {
    if (folder[0])
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

static const char *join(const char *parent, const char *name) {
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", parent, name);
    return path;
}

const char *train_path(const char *name) {
    return join(train_folder(), name);
}

void train_write_file(const char *name, const char *bytes, size_t length) {
    check_ok(dun_file_write(train_path(name), bytes, length));
}

bool train_same_file(const char *a, const char *b) {
    dun_file x = {0}, y = {0};
    check_ok(dun_file_map(&x, a));
    check_ok(dun_file_map(&y, b));
    bool same = x.length > 0 && x.length == y.length && memcmp(x.bytes, y.bytes, x.length) == 0;
    dun_file_unmap(&x);
    dun_file_unmap(&y);
    return same;
}

void train_run_config(train_run *t, const char *format, ...) {
    char text[4096];
    const char *device = getenv("DUNLIN_TEST_DEVICE");
    va_list args;
    *t = (train_run){.blocks_before = dun_mem_live(),
                     .objects_before = dun_device_live_objects(),
                     .bytes_before = dun_buffer_live_bytes()};
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(length, 0, sizeof text - 1);
    check_ok(dun_config_init(&t->config));
    check_ok(dun_config_put(&t->config, DUN_KEY_device_precision, "f32", "the test"));
    check_ok(dun_config_parse(&t->config, text, (size_t)length, "test.ini"));
    check_ok(dun_config_put(&t->config, DUN_KEY_device_use, device ? device : "cpu", "the test"));
}

int train_run_open(train_run *t, const char *name) {
    int rc = DUN_OK;
    TRY(dun_session_open(&t->session, &t->config, NULL));
    TRY(dun_session_start_prompt(&t->session));
    TRY(dun_session_read_data(&t->session, true));
    if (name)
        TRY(dun_run_dir_create(&t->run, train_path(name), name, &t->config));
    TRY(dun_session_start_engine(&t->session, true));
    TRY(dun_session_read_texts(&t->session));
out:
    return rc;
}

static void read_losses(train_run *t) {
    char line[512];
    FILE *file = fopen(train_run_file(t, "history.jsonl"), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        json_t *object = json_loads(line, 0, NULL);
        const json_t *loss = json_object_get(object, "loss");
        if (!object)
            fail_msg("history.jsonl: not JSON: %s", line);
        if (loss) {
            assert_in_range(t->n_losses, 0, TRAIN_LOSSES - 1);
            assert_int_equal(json_integer_value(json_object_get(object, "step")), t->n_losses + 1);
            t->losses[t->n_losses++] = (float)json_number_value(loss);
        }
        json_decref(object);
    }
    fclose(file);
}

int train_run_train(train_run *t) {
    int rc = DUN_OK;
    TRY(dun_train(&t->result, &t->session, &t->run, false));
    read_losses(t);
    assert_int_equal(t->n_losses, t->result.steps);
out:
    return rc;
}

void train_run_all(train_run *t, const char *name) {
    check_ok(train_run_open(t, name));
    check_ok(train_run_train(t));
}

void train_run_resume(train_run *t, const char *name) {
    check_ok(dun_session_open(&t->session, &t->config, NULL));
    check_ok(dun_session_start_prompt(&t->session));
    check_ok(dun_session_read_data(&t->session, true));
    check_ok(dun_run_dir_resume(&t->run, train_path(name)));
    check_ok(dun_session_start_engine(&t->session, true));
    check_ok(dun_session_read_texts(&t->session));
    check_ok(dun_train(&t->result, &t->session, &t->run, true));
}

const char *train_run_file(const train_run *t, const char *name) {
    return join(t->run.path, name);
}

void train_run_close(train_run *t) {
    size_t blocks = t->blocks_before, objects = t->objects_before;
    uint64_t bytes = t->bytes_before;
    dun_run_result_free(&t->result);
    dun_run_dir_close(&t->run);
    dun_session_close(&t->session);
    dun_config_free(&t->config);
    assert_int_equal(dun_buffer_live_bytes(), bytes);
    assert_int_equal(dun_device_live_objects(), objects);
    assert_int_equal(dun_mem_live(), blocks);
}
