/* Trainings through the public library that are stopped by an answer to a report, at once or in good order,
 * and gone on with. */
#include "api_sample.h"

#include <math.h>
#include <pthread.h>
#include <time.h>

/* Answers from the first report of a training that took a step. */
typedef struct {
    int answer;
    unsigned n;
    double last;
    bool steps, sound;
    pthread_t thread;
} asked;

static int answer(const dunlin_progress *p, void *user) {
    asked *a = user;
    a->sound = (a->n == 0 || a->sound) && p->size == sizeof *p && p->phase && p->stage &&
               p->seconds >= a->last && pthread_equal(a->thread, pthread_self());
    a->last = p->seconds;
    a->n++;
    a->steps |= p->steps == 9 && !isnan(p->loss) && p->step > 0;
    return isnan(p->loss) ? 0 : a->answer;
}

/* A report comes at once, or when a tenth of a second has gone by; a tiny training is shorter than that. */
static int slow_answer(const dunlin_progress *p, void *user) {
    nanosleep(&(struct timespec){.tv_nsec = 110000000}, NULL);
    return answer(p, user);
}

static void test_stops_now(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    dunlin_texts *training, *validation;
    dunlin_run *run = NULL;
    asked a = {.answer = 2, .thread = pthread_self()};
    API_OK(dunlin_config_set(config, "output.checkpoint_every", "1"));
    API_OK(dunlin_config_set(config, "train.epochs", "60"));
    API_OK(dunlin_texts_read(&training, &validation, config));
    API_REFUSES(dunlin_train(&run, config, training, validation, train_path("stopped"), slow_answer, &a),
                DUNLIN_INTERRUPTED, "interrupted");
    assert_null(run);
    assert_true(a.n > 0 && a.sound);
    /* In memory nothing is left; steps without checkpoints are short, and a report needs a tenth of a second
     * of them. */
    API_OK(dunlin_config_set(config, "train.epochs", "100000"));
    API_REFUSES(dunlin_train(&run, config, training, validation, NULL, slow_answer, &a), DUNLIN_INTERRUPTED,
                "");
    API_OK(dunlin_config_set(config, "train.epochs", "60"));
    /* Gone on with, it ends in the bytes of a run that was not stopped; with other texts it is refused. */
    dunlin_texts *others = api_texts();
    API_REFUSES(dunlin_resume(&run, train_path("stopped"), NULL, others, NULL, NULL, NULL), DUNLIN_BAD_INPUT,
                "other data");
    API_OK(dunlin_resume(&run, train_path("stopped"), NULL, NULL, NULL, NULL, NULL));
    dunlin_free(run);
    API_OK(dunlin_train(&run, config, training, validation, train_path("unstopped"), NULL, NULL));
    dunlin_free(run);
    static const char *const trained[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv", NULL};
    api_expect_same("unstopped", "stopped", trained);
    API_OK(dunlin_resume(&run, train_path("stopped"), NULL, NULL, NULL, NULL,
                         NULL)); /* it is complete: opened */
    dunlin_free(run);
    API_REFUSES(dunlin_resume(&run, train_path("nowhere"), NULL, NULL, NULL, NULL, NULL), DUNLIN_USAGE,
                "nowhere");
    dunlin_texts_free(others);
    dunlin_texts_free(training);
    dunlin_texts_free(validation);
    dunlin_config_free(config);
}

static int stop_training(const dunlin_progress *p, void *user) {
    (void)user;
    return strcmp(p->phase, "train") == 0 ? 1 : 0;
}

static void test_stops_cleanly(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    dunlin_texts *training, *validation;
    dunlin_run *run;
    API_OK(dunlin_config_set(config, "train.epochs", "400"));
    API_OK(dunlin_texts_read(&training, &validation, config));
    API_OK(dunlin_train(&run, config, training, validation, train_path("ended"), stop_training, NULL));
    char *info = api_text(dunlin_info, run);
    assert_non_null(strstr(info, "\"stopped\":true"));
    free(info);
    train_write_file("lines.txt", "ab\n", 3);
    api_program("classify ended lines.txt"); /* it is whole */
    dunlin_free(run);
    dunlin_texts_free(training);
    dunlin_texts_free(validation);
    dunlin_config_free(config);
}

static int begin(void **state) {
    make_files(state);
    api_write_config();
    return 0;
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, note_live, compare_live)
    const struct CMUnitTest tests[] = {T(test_stops_now), T(test_stops_cleanly)};
    return cmocka_run_group_tests(tests, begin, remove_files);
}
