/* What dunlin serve sends: the page, health, metrics, answers, and refusals. */
#ifndef DUN_SERVE_REPLY_H
#define DUN_SERVE_REPLY_H

#include "cmd/serve/serve_map.h"
#include "cmd/serve/serve_shared.h"
#include "session/answer.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* Where an answer goes. */
typedef struct {
    struct MHD_Connection *connection;
    bool last;                /* the connection is closed behind it */
    dun_serve_shared *shared; /* where it is counted */
} dun_serve_answer;

/* {"error": message}, with one more header field where there is one. */
typedef struct {
    unsigned status;
    const char *message;
    const char *header, *value;
} dun_serve_refusal;

/* All return MHD_NO without memory: the connection is then closed. */
enum MHD_Result dun_serve_refuse(dun_serve_answer to, const dun_serve_refusal *refusal);
enum MHD_Result dun_serve_send_page(dun_serve_answer to);
enum MHD_Result dun_serve_send_health(dun_serve_answer to, const dun_answer_rule *rule);
enum MHD_Result dun_serve_send_metrics(dun_serve_answer to);
enum MHD_Result dun_serve_send_map(dun_serve_answer to, const dun_serve_map *map);

/* What is known of the n texts of a request. */
typedef struct {
    const float *distances; /* (n, K) */
    const float *places;    /* (n, 2), or NULL */
    size_t n;
    bool many;
} dun_serve_answers;

/* {"label", ...} for one text, or {"answers": [{"label", ...}, ...]} for many. */
enum MHD_Result dun_serve_send_answers(dun_serve_answer to, const dun_answer_rule *rule,
                                       const dun_serve_answers *answers);

#endif
