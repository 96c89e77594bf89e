/* Joins the pieces of a page, and escapes every text that goes into it. */
#include "report/page.h"

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

/* Made by tools/embed.c from host/report/page/. */
extern const char dun_page_style[], dun_page_common[], dun_page_report_body[], dun_page_report_script[],
    dun_page_boids_body[], dun_page_boids_script[], dun_page_devices_body[], dun_page_devices_script[],
    dun_page_curve_body[], dun_page_curve_script[];

static const struct {
    const char *body, *script;
} pages[] = {
    [DUN_PAGE_REPORT] = {dun_page_report_body, dun_page_report_script},
    [DUN_PAGE_BOIDS] = {dun_page_boids_body, dun_page_boids_script},
    [DUN_PAGE_DEVICES] = {dun_page_devices_body, dun_page_devices_script},
    [DUN_PAGE_CURVE] = {dun_page_curve_body, dun_page_curve_script},
};

/* C0 controls and DEL have pictures; C1 (U+0080 to U+009F, bytes C2 80 to C2 9F) become U+FFFD. */
static int add_visible(dun_str *out, const char *bytes, size_t length) {
    int rc = DUN_OK;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i], next = i + 1 < length ? (unsigned char)bytes[i + 1] : 0;
        if (c < ' ' || c == 0x7f) {
            const char picture[] = {(char)0xe2, (char)0x90, (char)(c == 0x7f ? 0xa1 : 0x80 + c)};
            TRY(dun_str_add(out, picture, sizeof picture));
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            TRY(dun_str_add(out, "\xef\xbf\xbd", 3));
            i++;
        } else {
            TRY(dun_str_add(out, bytes + i, 1));
        }
    }
out:
    return rc;
}

int dun_page_add_string(dun_str *json, const char *bytes, size_t length, size_t most_bytes) {
    int rc = DUN_OK;
    json_t *string = NULL;
    dun_str repaired = {0}, visible = {0};
    size_t kept = length;
    if (length > most_bytes)
        for (kept = most_bytes; kept > 0 && ((unsigned char)bytes[kept] & 0xc0) == 0x80;)
            kept--;
    TRY(dun_utf8_repair(&repaired, bytes, kept));
    TRY(add_visible(&visible, repaired.bytes ? repaired.bytes : "", repaired.length));
    if (kept < length)
        TRY(dun_str_addf(&visible, "\xe2\x80\xa6 (cut; %zu bytes)", length));
    string = json_stringn(visible.bytes ? visible.bytes : "", visible.length);
    if (!string)
        TRY(dun_error(DUN_FAILED, "out of memory for a page"));
    TRY(dun_json_dump(json, string));
out:
    json_decref(string);
    dun_str_free(&repaired);
    dun_str_free(&visible);
    return rc;
}

int dun_page_add_numbers(dun_str *json, const float *values, size_t n, size_t stride, int digits) {
    int rc = DUN_OK;
    TRY(dun_str_add(json, "[", 1));
    for (size_t i = 0; i < n; i++)
        TRY(dun_str_addf(json, "%s%.*g", i ? "," : "", digits, (double)values[i * stride]));
    TRY(dun_str_add(json, "]", 1));
out:
    return rc;
}

int dun_page_add_escaped(dun_str *html, const char *json, size_t length) {
    int rc = DUN_OK;
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)json[i];
        bool separator = c == 0xe2 && i + 2 < length && (unsigned char)json[i + 1] == 0x80 &&
                         ((unsigned char)json[i + 2] & 0xfe) == 0xa8;
        if (c != '<' && c != '>' && c != '&' && !separator)
            continue;
        TRY(dun_str_add(html, json + from, i - from));
        TRY(dun_str_addf(html, "\\u%04x", separator ? 0x2028 + ((unsigned)json[i + 2] & 1) : (unsigned)c));
        i += separator ? 2 : 0;
        from = i + 1;
    }
    TRY(dun_str_add(html, json + from, length - from));
out:
    return rc;
}

/* Text of an element: only the two characters that could begin markup. */
static int add_plain(dun_str *html, const char *text) {
    int rc = DUN_OK;
    for (; *text; text++) {
        if (*text == '<' || *text == '&')
            TRY(dun_str_addf(html, "&#%d;", *text));
        else
            TRY(dun_str_add(html, text, 1));
    }
out:
    return rc;
}

static int add(dun_str *html, const char *text) {
    return dun_str_add(html, text, strlen(text));
}

int dun_page_add(dun_str *html, enum dun_page_kind kind, const char *title, const dun_str *json) {
    int rc = DUN_OK;
    TRY(add(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
                  "form-action 'none'\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n<title>"));
    TRY(add_plain(html, title));
    TRY(add(html, "</title>\n<style>\n"));
    TRY(add(html, dun_page_style));
    TRY(add(html, "</style>\n</head>\n<body>\n"));
    TRY(add(html, pages[kind].body));
    TRY(add(html, "<script type=\"application/json\" id=\"data\">"));
    TRY(dun_page_add_escaped(html, json->bytes, json->length));
    TRY(add(html, "</script>\n<script>\n\"use strict\";\n"));
    TRY(add(html, dun_page_common));
    TRY(add(html, pages[kind].script));
    TRY(add(html, "</script>\n</body>\n</html>\n"));
out:
    return rc;
}
