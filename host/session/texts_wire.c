/* Tokens of texts, packed into messages and taken out. */
#include "session/texts_wire.h"

#include "base/err.h"
#include "base/mem.h"

static int broken(void) {
    return dun_error(DUN_FAILED, "a message with texts does not hold together");
}

int dun_texts_send(dun_str *message, const dun_texts *texts, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    TRY(dun_wire_u32(message, n));
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t length = dun_texts_length(texts, which[i]);
        TRY(dun_wire_u32(message, length));
        TRY(dun_wire_u32(message, texts->shares[which[i]]));
        TRY(dun_wire_bytes(message, texts->tokens.ids + texts->start[which[i]], length * sizeof(uint32_t)));
    }
out:
    return rc;
}

int dun_texts_receive(dun_texts *texts, dun_wire *wire) {
    int rc = DUN_OK;
    const uint32_t n = dun_wire_take_u32(wire);
    uint32_t *ids = NULL, label = 0;
    size_t room = 0;
    double weight = 1;
    for (uint32_t i = 0; i < n && !wire->lost; i++) {
        uint32_t start[2] = {0, dun_wire_take_u32(wire)};
        bool shares = dun_wire_take_u32(wire) != 0;
        if (wire->lost || start[1] > wire->left / sizeof *ids)
            TRY(broken());
        if (start[1] > room) {
            dun_free(ids);
            TRY_NEW(ids, start[1]);
            room = start[1];
        }
        dun_wire_take_bytes(ids, wire, start[1] * sizeof *ids);
        const dun_texts one = {.tokens = {.ids = ids, .n = start[1]},
                               .start = start,
                               .label = &label,
                               .weight = &weight,
                               .shares = &shares,
                               .n = 1};
        TRY(dun_texts_take(texts, &one, 0));
    }
    if (wire->lost)
        TRY(broken());
out:
    dun_free(ids);
    return rc;
}

int dun_texts_send_shared(dun_str *message, const dun_texts *texts) {
    int rc = DUN_OK;
    TRY(dun_wire_u32(message, (uint32_t)texts->shared.n));
    TRY(dun_wire_bytes(message, texts->shared.ids, texts->shared.n * sizeof *texts->shared.ids));
out:
    return rc;
}

int dun_texts_receive_shared(dun_texts *texts, dun_wire *wire) {
    int rc = DUN_OK;
    const uint32_t n = dun_wire_take_u32(wire);
    dun_texts whole = {0};
    if (wire->lost || n > wire->left / sizeof(uint32_t))
        TRY(broken());
    if (n > 0) {
        TRY_NEW(whole.shared.ids, n);
        whole.shared.n = n;
        dun_wire_take_bytes(whole.shared.ids, wire, n * sizeof(uint32_t));
    }
    texts->shared.n = 0;
    TRY(dun_texts_begin_part(texts, &whole));
out:
    dun_free(whole.shared.ids);
    return rc;
}
