/* prompt.init = file: what a run or PEFT left behind, as a file or as the folder around it, and files that
 * are not prompts. */
#include "base/err.h"
#include "base/file.h"
#include "io/store/safetensors.h"
#include "train_sample.h"

#include <math.h>

enum { C = 32, ROWS = 4 };

static float rows[ROWS * C];

static size_t bytes_of(dun_dtype dtype) {
    return dtype == DUN_F32 ? 4 : dtype == DUN_I64 ? 8 : 2;
}

/* As PEFT writes it: one tensor, {"format": "pt"}. */
static void write_prompt(const char *name, const char *tensor, dun_dtype dtype, uint32_t n_dims,
                         uint64_t n_rows, uint64_t width) {
    json_t *metadata = json_pack("{s:s}", "format", "pt");
    void *data = calloc(n_rows * width, 8);
    assert_non_null(data);
    memcpy(data, rows,
           n_rows * width * bytes_of(dtype) < sizeof rows ? n_rows * width * bytes_of(dtype) : sizeof rows);
    const dun_tensor written = {
        tensor, dtype, n_dims, {n_rows, width, 1, 1}, data, n_rows * width * bytes_of(dtype)};
    check_ok(dun_safetensors_write(train_path(name), &written, 1, metadata));
    json_decref(metadata);
    free(data);
}

static int open_prompt(train_run *t, const char *file, const char *more) {
    int rc = DUN_OK;
    char lines[700];
    snprintf(lines, sizeof lines, "[prompt]\ninit = file\nfile = %s\n%s\n", train_path(file), more);
    configure(t, lines);
    TRY(dun_session_open(&t->session, &t->config, NULL));
    TRY(dun_session_start_prompt(&t->session));
out:
    return rc;
}

static void expect_rows(const char *file, const char *more) {
    train_run t;
    check_ok(open_prompt(&t, file, more));
    assert_int_equal(t.session.prompt.n_rows, ROWS);
    assert_int_equal(t.session.prompt.width, C);
    assert_memory_equal(t.session.prompt.rows, rows, sizeof rows);
    train_run_close(&t);
}

static void expect_refused(const char *file, const char *more, int status, const char *part) {
    train_run t;
    assert_int_equal(open_prompt(&t, file, more), status);
    if (!strstr(dun_error_message(), part))
        fail_msg("%s: \"%s\" has no \"%s\"", file, dun_error_message(), part);
    train_run_close(&t);
}

static void test_accepted(void **state) {
    (void)state;
    check_ok(dun_dir_make(train_path("adapter")));
    write_prompt("adapter/adapter_model.safetensors", "prompt_embeddings", DUN_F32, 2, ROWS, C);
    write_prompt("alone.safetensors", "prompt_embeddings", DUN_F32, 2, ROWS, C);
    static const char *const files[] = {"alone.safetensors", "adapter/adapter_model.safetensors", "adapter",
                                        "adapter/"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        expect_rows(files[i], "");
        expect_rows(files[i], "tokens = 4");
        expect_rows(files[i], "template = {text} so {soft:3} and {soft:1}");
        expect_rows(files[i], "placement = prefix");
    }
}

/* Halves as PEFT saves them, at the ends of their range too: the values are the file's, to the bit. */
static const struct {
    dun_dtype dtype;
    uint16_t bits;
    float value; /* NAN: refused */
} halves[] = {
    {DUN_F16, 0x0000, 0.0f},         {DUN_F16, 0x8000, -0.0f},      {DUN_F16, 0x3c00, 1.0f},
    {DUN_F16, 0x7bff, 65504.0f},     {DUN_F16, 0x0001, 0x1p-24f},   {DUN_F16, 0x83ff, -0x1.ff8p-15f},
    {DUN_F16, 0x3555, 0x1.554p-2f},  {DUN_F16, 0x7c00, NAN},        {DUN_F16, 0xfe01, NAN},
    {DUN_BF16, 0x0000, 0.0f},        {DUN_BF16, 0x8000, -0.0f},     {DUN_BF16, 0x3f80, 1.0f},
    {DUN_BF16, 0x7f7f, 0x1.fep127f}, {DUN_BF16, 0x0001, 0x1p-133f}, {DUN_BF16, 0xc049, -3.140625f},
    {DUN_BF16, 0x7f80, NAN},         {DUN_BF16, 0xffc1, NAN},
};

static void test_halves(void **state) {
    (void)state;
    check_ok(dun_dir_make(train_path("halves")));
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        train_run t;
        uint16_t kept[ROWS * C], bits[ROWS * C];
        memcpy(kept, rows, sizeof kept);
        for (size_t j = 0; j < ROWS * C; j++)
            bits[j] = halves[i].bits;
        memcpy(rows, bits, sizeof bits);
        write_prompt("halves/adapter_model.safetensors", "prompt_embeddings", halves[i].dtype, 2, ROWS, C);
        memcpy(rows, kept, sizeof kept);
        if (isnan(halves[i].value)) {
            expect_refused("halves", "", DUN_BAD_INPUT, "not finite in row 0");
            continue;
        }
        check_ok(open_prompt(&t, "halves", ""));
        for (size_t j = 0; j < ROWS * C; j++)
            assert_memory_equal(&t.session.prompt.rows[j], &halves[i].value, sizeof halves[i].value);
        train_run_close(&t);
    }
}

/* A run's folder, trained a little; training goes on from where it ended. */
static void test_run_folder(void **state) {
    (void)state;
    train_run t;
    configure(&t, "[prompt]\ninit = vocab\ntokens = 4\nlr = 0.05\n");
    train_run_all(&t, "before");
    memcpy(rows, t.session.prompt.rows, sizeof rows);
    train_run_close(&t);
    expect_rows("before", "");
    expect_rows("before/prompt.safetensors", "");
}

static void test_refused(void **state) {
    (void)state;
    check_ok(dun_dir_make(train_path("empty")));
    expect_refused("empty", "", DUN_BAD_INPUT,
                   "a folder without prompt.safetensors or adapter_model.safetensors");
    expect_refused("missing", "", DUN_BAD_INPUT, "missing: ");
    expect_refused("tiny.gguf", "", DUN_BAD_INPUT, "tiny.gguf: ");
    expect_refused("alone.safetensors", "tokens = 3", DUN_USAGE, "prompt.tokens = 3 rows, but prompt.file (");
    expect_refused("alone.safetensors", "template = {text}{soft:3}", DUN_USAGE,
                   "prompt.template has 3 rows, but prompt.file (");
    static const struct {
        const char *tensor;
        dun_dtype dtype;
        uint32_t n_dims;
        uint64_t n_rows, width;
        const char *part;
    } files[] = {
        {"base_model.lora_A", DUN_F32, 2, ROWS, C, "has no tensor prompt_embeddings"},
        {"prompt_embeddings", DUN_I64, 2, ROWS, C, "must be F32, F16 or BF16 with two dimensions"},
        {"prompt_embeddings", DUN_F32, 1, ROWS * C, 1, "must be F32, F16 or BF16 with two dimensions"},
        {"prompt_embeddings", DUN_F32, 3, ROWS, C, "1 wide; the model's embeddings are 32 wide"},
        {"prompt_embeddings", DUN_F32, 4, ROWS, C, "must be F32, F16 or BF16 with two dimensions"},
        {"prompt_embeddings", DUN_F32, 2, ROWS * C, 2, "2 wide; the model's embeddings are 32 wide"},
        {"prompt_embeddings", DUN_F32, 2, 4097, C, "4097 rows; 1 to 4096"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_prompt("bad.safetensors", files[i].tensor, files[i].dtype, files[i].n_dims, files[i].n_rows,
                     files[i].width);
        expect_refused("bad.safetensors", "", DUN_BAD_INPUT, files[i].part);
    }
    float kept = rows[2 * C + 5];
    rows[2 * C + 5] = NAN;
    write_prompt("nan.safetensors", "prompt_embeddings", DUN_F32, 2, ROWS, C);
    rows[2 * C + 5] = kept;
    expect_refused("nan.safetensors", "", DUN_BAD_INPUT, "not finite in row 2");
}

/* Cut off anywhere, the file is refused and nothing leaks. */
static void test_cut(void **state) {
    (void)state;
    dun_file whole;
    check_ok(dun_file_map(&whole, train_path("alone.safetensors")));
    for (size_t length = 0; length < whole.length; length += length < 120 ? 1 : 31) {
        train_write_file("cut.safetensors", (const char *)whole.bytes, length);
        expect_refused("cut.safetensors", "", DUN_BAD_INPUT, "cut.safetensors");
    }
    dun_file_unmap(&whole);
}

static int open_all(void **state) {
    for (size_t i = 0; i < ROWS * C; i++)
        rows[i] = (float)dun_random_normal(4, DUN_STREAM_TEST, i);
    return make_files_and_programs(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted), cmocka_unit_test(test_halves),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),      cmocka_unit_test(test_run_folder),
    };
    return cmocka_run_group_tests(tests, open_all, remove_files);
}
