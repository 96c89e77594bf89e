/* The data sets of a session, from the files of its config or given in memory, and their tokens. */
#include "session/session.h"

#include "base/clock.h"
#include "base/err.h"
#include "config/paths.h"
#include "io/data/doubles.h"
#include "session/label_rows.h"

static int read_dataset(dun_dataset **out, dun_session *session, enum dun_config_id key, const char *path,
                        int64_t limit) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    dun_dataset_options options = {.format = dun_config_word(config, DUN_KEY_data_format),
                                   .text_column = config->data.text_column,
                                   .label_column = config->data.label_column,
                                   .weight_column =
                                       key == DUN_KEY_data_train ? config->data.weight_column : "",
                                   .header = config->data.header,
                                   .training = key == DUN_KEY_data_train,
                                   .skip_bad_rows = config->data.bad_rows == DUN_BAD_ROWS_SKIP,
                                   .limit = limit > 0 ? (size_t)limit : 0};
    TRY(dun_config_require(config, key));
    TRY(dun_paths_check(config, key));
    TRY(dun_dataset_read(out, &session->labels, path, &options));
out:
    return rc;
}

static int read_files(dun_session *session) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    TRY(read_dataset(&session->train, session, DUN_KEY_data_train, config->data.train,
                     config->data.limit_train));
    if (*config->data.valid)
        TRY(read_dataset(&session->valid, session, DUN_KEY_data_valid, config->data.valid,
                         config->data.limit_valid));
    TRY(dun_doubles_tell(session->train, config->data.train, session->valid, config->data.valid,
                         &session->labels));
out:
    return rc;
}

static int take_given(dun_session *session) {
    int rc = DUN_OK;
    const dun_given *train = session->given->train, *valid = session->given->valid;
    TRY(dun_dataset_of_given(&session->train, &session->labels, train, true));
    if (valid)
        TRY(dun_dataset_of_given(&session->valid, &session->labels, valid, false));
    TRY(dun_doubles_tell(session->train, train->name, session->valid, valid ? valid->name : "",
                         &session->labels));
out:
    return rc;
}

int dun_session_read_sets(dun_session *session) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    TRY(dun_labels_parse(&session->labels, config->data.label_map,
                         dun_config_origin(config, DUN_KEY_data_label_map)));
    TRY(session->given ? take_given(session) : read_files(session));
out:
    return rc;
}

/* What data.valid_share asks for, of texts that were read or given. */
static int split_off(dun_session *session) {
    const dun_config *config = session->config;
    if (!(config->data.valid_share > 0))
        return DUN_OK;
    if (session->valid)
        return dun_error(DUN_USAGE,
                         "%s: data.valid_share = %g does not go with validation texts that are given",
                         dun_config_origin(config, DUN_KEY_data_valid_share), config->data.valid_share);
    return dun_session_split_off(session, session->given ? session->given->train->name : config->data.train);
}

int dun_session_read_data(dun_session *session, bool train) {
    int rc = DUN_OK;
    double begun = dun_clock_seconds();
    uint32_t max_length = (uint32_t)session->config->data.max_length;
    TRY(dun_session_read_sets(session));
    TRY(split_off(session));
    if (train)
        TRY(dun_texts_add_dataset(&session->texts, session->tokenizer, session->train, max_length));
    session->first_train = 0;
    session->n_train = session->first_valid = session->texts.n;
    TRY(dun_session_weigh_classes(session));
    TRY(dun_session_read_label_words(session, session->labels.n_classes));
    if (session->valid)
        TRY(dun_texts_add_dataset(&session->texts, session->tokenizer, session->valid, max_length));
    session->n_valid = session->texts.n - session->first_valid;
    dun_observe_say(session->observer,
                    "data      %zu training and %zu validation texts, %u classes, %zu tokens%s",
                    session->train->n, session->valid ? session->valid->n : 0, session->labels.n_classes,
                    session->texts.tokens.n, session->n_valid ? "" : "; nothing is measured");
    if (session->texts.shared.n > 0)
        dun_observe_say(session->observer, "data      %zu tokens stand before each of them and are run once",
                        session->texts.shared.n);
out:
    session->timings.load += dun_clock_seconds() - begun;
    return rc;
}
