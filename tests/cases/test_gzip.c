/* gzip: members, damage at every byte, caps, and every allocation failing. */
#include "data_expect.h"
#include "io/data/gzip.h"

#include <stdlib.h>
#include <zlib.h>

/* Bytes that hardly shrink, the same in every run. */
static void fill(uint8_t *bytes, size_t n) {
    uint32_t state = 12345;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

/* A gzip file of one member; malloc'ed. */
static uint8_t *pack(size_t *length, const void *bytes, size_t n) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, n);
    uint8_t *out = malloc(room);
    assert_non_null(out);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (unsigned)n;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *length = room - z.avail_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    return out;
}

/* A copy of exactly n bytes, so that reading over the end is noticed. */
static uint8_t *copy_of(const uint8_t *bytes, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    return copy;
}

static void expect_refused(const uint8_t *bytes, size_t n, const char *start, const char *part) {
    uint8_t *out = (uint8_t *)&out;
    size_t length = 1;
    uint8_t *copy = copy_of(bytes, n);
    int rc = dun_gzip_expand(&out, &length, copy, n, "d.gz");
    free(copy);
    assert_null(out);
    assert_int_equal(length, 0);
    expect_error(rc, DUN_BAD_INPUT, start, part);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_sizes(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 1000, 262143, 262144, 262145, 524288, 3000017};
    uint8_t *bytes = malloc(3000017);
    assert_non_null(bytes);
    fill(bytes, 3000017);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n, length;
        uint8_t *out, *packed = pack(&n, bytes, sizes[i]);
        assert_true(dun_gzip_is(packed, n));
        expect_ok(dun_gzip_expand(&out, &length, packed, n, "d.gz"));
        assert_int_equal(length, sizes[i]);
        assert_memory_equal(out, bytes, length);
        dun_free(out);
        free(packed);
    }
    free(bytes);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_members(void **state) {
    (void)state;
    uint8_t joined[512], *out;
    size_t used = 0, length;
    const char *const parts[] = {"one\n", "", "three\n"};
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        uint8_t *packed = pack(&n, parts[i], strlen(parts[i]));
        memcpy(joined + used, packed, n);
        used += n;
        free(packed);
    }
    expect_ok(dun_gzip_expand(&out, &length, joined, used, "d.gz"));
    assert_int_equal(length, 10);
    assert_memory_equal(out, "one\nthree\n", 10);
    dun_free(out);
    memcpy(joined + used, "\0", 1);
    char start[40];
    snprintf(start, sizeof start, "d.gz: byte %zu: ", used);
    expect_refused(joined, used + 1, start, "1 bytes after the gzip data");
    memcpy(joined + used, "\x1f\x8b", 2);
    snprintf(start, sizeof start, "d.gz: byte %zu: ", used + 2);
    expect_refused(joined, used + 2, start, "end too early");
    memcpy(joined + used, "text", 4);
    expect_refused(joined, used + 4, "d.gz: byte ", "4 bytes after the gzip data");
}

static void test_damage(void **state) {
    (void)state;
    static const char text[] = "a text, a text and another text with its label\tgood\n";
    size_t n;
    uint8_t *packed = pack(&n, text, strlen(text));
    for (size_t cut = 2; cut < n; cut++)
        expect_refused(packed, cut, "d.gz: byte ", "end too early (truncated download?)");
    expect_refused(packed, 1, "d.gz: byte 0: ", "not gzip data");
    expect_refused(packed, 0, "d.gz: byte 0: ", "not gzip data");
    expect_refused((const uint8_t *)"PK\x03\x04", 4, "d.gz: byte 0: ", "not gzip data");
    const struct {
        size_t at;
        const char *part;
    } flips[] = {
        {n - 1, "the length does not match"},
        {n - 4, "the length does not match"},
        {n - 5, "the checksum (CRC) does not match"},
        {n - 8, "the checksum (CRC) does not match"},
        {2, "unknown compression method"},
        {3, "unknown header flags set"},
    };
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        packed[flips[i].at] ^= 0xe0;
        expect_refused(packed, n, "d.gz: byte ", flips[i].part);
        packed[flips[i].at] ^= 0xe0;
    }
    /* Whatever bit is wrong, it is noticed or harmless (the header's time and system, the bits that fill up a
     * byte). */
    for (size_t bit = 0; bit < 8 * n; bit++) {
        uint8_t *out;
        size_t length;
        packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int rc = dun_gzip_expand(&out, &length, packed, n, "d.gz");
        if (rc == DUN_OK) {
            assert_int_equal(length, strlen(text));
            assert_memory_equal(out, text, length);
        }
        dun_free(out);
        packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(packed);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_caps(void **state) {
    (void)state;
    const size_t large = 8 << 20;
    size_t n, length;
    uint8_t *out, *bytes = calloc(large, 1);
    assert_non_null(bytes);
    /* All zero: shrinks a thousandfold. Fine up to 1 MiB, refused above. */
    uint8_t *packed = pack(&n, bytes, 1 << 20);
    expect_ok(dun_gzip_expand(&out, &length, packed, n, "d.gz"));
    assert_int_equal(length, 1 << 20);
    dun_free(out);
    free(packed);
    packed = pack(&n, bytes, large);
    expect_refused(packed, n, "d.gz: byte ", "unpacks to more than 200 times its size");
    free(packed);
    /* A tenth of it random: about a tenth of the size, so only the cap stops it. */
    fill(bytes, large / 10);
    packed = pack(&n, bytes, large);
    expect_ok(dun_gzip_expand_within(&out, &length, large, packed, n, "d.gz"));
    assert_int_equal(length, large);
    dun_free(out);
    expect_error(dun_gzip_expand_within(&out, &length, large - 1, packed, n, "d.gz"), DUN_BAD_INPUT,
                 "d.gz: byte ", "unpacks to more than 8388607 bytes");
    assert_null(out);
    expect_error(dun_gzip_expand_within(&out, &length, 0, packed, n, "d.gz"), DUN_BAD_INPUT, "d.gz: byte ",
                 "unpacks to more than 0 bytes");
    free(packed);
    free(bytes);
    assert_int_equal(dun_mem_live(), 0);
}

static int expand(void) {
    int rc;
    uint8_t *out, *bytes = malloc(2000000);
    size_t n, length;
    assert_non_null(bytes);
    fill(bytes, 2000000);
    uint8_t *packed = pack(&n, bytes, 2000000);
    rc = dun_gzip_expand(&out, &length, packed, n, "d.gz");
    assert_true((rc == 0) == (out != NULL));
    dun_free(out);
    free(packed);
    free(bytes);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    walk_failures(expand);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_members),   cmocka_unit_test(test_damage),
        cmocka_unit_test(test_caps),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
