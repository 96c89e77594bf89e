/* Makes bodies and header fields of what is sent. */
#include "cmd/serve/serve_reply.h"

#include "base/err.h"
#include "base/json.h"
#include "cmd/serve/serve_metrics.h"

#include <stdint.h>
#include <string.h>

extern const char dun_serve_page[];

static const char json_media[] = "application/json", page_media[] = "text/html; charset=utf-8",
                  metrics_media[] = "text/plain; version=0.0.4; charset=utf-8";

static enum MHD_Result send_bytes(dun_serve_answer to, unsigned status, const char *type, const void *bytes,
                                  size_t length, const char *header, const char *value) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (header)
        MHD_add_response_header(response, header, value);
    if (to.last)
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(to.connection, status, response);
    MHD_destroy_response(response);
    if (result == MHD_YES)
        dun_serve_count(to.shared, status);
    return result;
}

static enum MHD_Result send_json(dun_serve_answer to, unsigned status, const json_t *value,
                                 const char *header, const char *header_value) {
    dun_str text = {0};
    enum MHD_Result result = MHD_NO;
    if (value && dun_json_dump(&text, value) == DUN_OK && dun_str_add(&text, "\n", 1) == DUN_OK)
        result = send_bytes(to, status, json_media, text.bytes, text.length, header, header_value);
    dun_str_free(&text);
    return result;
}

enum MHD_Result dun_serve_refuse(dun_serve_answer to, const dun_serve_refusal *refusal) {
    json_t *object = json_pack("{s:s}", "error", refusal->message);
    enum MHD_Result result = send_json(to, refusal->status, object, refusal->header, refusal->value);
    json_decref(object);
    return result;
}

enum MHD_Result dun_serve_send_page(dun_serve_answer to) {
    return send_bytes(to, MHD_HTTP_OK, page_media, dun_serve_page, strlen(dun_serve_page),
                      "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                      "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

enum MHD_Result dun_serve_send_health(dun_serve_answer to, const dun_answer_rule *rule) {
    const dun_saved_prompt *saved = rule->saved;
    json_t *classes = json_array(), *object = NULL;
    for (uint32_t k = 0; k < saved->n_classes; k++)
        json_array_append_new(classes, json_string(saved->class_names[k]));
    object = json_pack("{s:s, s:s, s:s, s:O, s:I, s:I, s:I}", "status", "ok", "version", DUN_VERSION, "model",
                       saved->model_name, "classes", classes, "pending",
                       (json_int_t)dun_serve_n_waiting(to.shared), "workers",
                       (json_int_t)to.shared->n_workers, "workers_up", (json_int_t)dun_serve_n_up(to.shared));
    enum MHD_Result result = send_json(to, MHD_HTTP_OK, object, NULL, NULL);
    json_decref(object);
    json_decref(classes);
    return result;
}

enum MHD_Result dun_serve_send_metrics(dun_serve_answer to) {
    dun_str text = {0};
    enum MHD_Result result = MHD_NO;
    if (dun_serve_metrics(&text, to.shared) == DUN_OK)
        result = send_bytes(to, MHD_HTTP_OK, metrics_media, text.bytes, text.length, NULL, NULL);
    dun_str_free(&text);
    return result;
}

enum MHD_Result dun_serve_send_map(dun_serve_answer to, const dun_serve_map *map) {
    return send_bytes(to, MHD_HTTP_OK, json_media, map->json.bytes, map->json.length, NULL, NULL);
}

static int make_answer(json_t *object, const dun_answer_rule *rule, const dun_serve_answers *a, size_t i) {
    int rc = DUN_OK;
    TRY(dun_answer_json(object, rule, a->distances + i * rule->saved->n_classes));
    if (a->places)
        TRY(dun_json_set(object, "map",
                         json_pack("[f, f]", (double)a->places[2 * i], (double)a->places[2 * i + 1])));
out:
    return rc;
}

static int make_answers(json_t *object, const dun_answer_rule *rule, const dun_serve_answers *a) {
    int rc = DUN_OK;
    json_t *all = json_array();
    for (size_t i = 0; i < a->n; i++) {
        json_t *one = a->many ? json_object() : object;
        if (a->many)
            TRY(dun_json_append(all, one));
        TRY(make_answer(one, rule, a, i));
    }
    if (a->many)
        TRY(dun_json_set(object, "answers", json_incref(all)));
out:
    json_decref(all);
    return rc;
}

enum MHD_Result dun_serve_send_answers(dun_serve_answer to, const dun_answer_rule *rule,
                                       const dun_serve_answers *answers) {
    json_t *object = json_object();
    enum MHD_Result result = MHD_NO;
    if (make_answers(object, rule, answers) >= 0)
        result = send_json(to, MHD_HTTP_OK, object, NULL, NULL);
    json_decref(object);
    return result;
}
