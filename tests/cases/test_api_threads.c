/* The public library in many threads, and what it leaves to the process that it works in. */
#include "api_sample.h"

#include "dev/buffer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

extern char **environ;

enum { THREADS = 4 };
typedef struct {
    float distances[2][API_TEXTS * 2];
    dunlin_status status;
    char message[300];
} thread_job;

/* cmocka's checks are for the main thread. */
static dunlin_status work_here(thread_job *job) {
    dunlin_config *config = NULL;
    dunlin_texts *texts = NULL;
    dunlin_run *run = NULL, *opened = NULL;
    dunlin_status status = dunlin_config_new(&config);
    if (!status)
        status = dunlin_config_set(config, "model.path", train_path("tiny.gguf"));
    if (!status)
        status = dunlin_config_set(config, "device.use", api_device());
    for (size_t i = 0; !status && i < API_KEYS; i++)
        status = dunlin_config_set(config, api_keys[i][0], api_keys[i][1]);
    if (!status)
        status = dunlin_texts_new(&texts, API_TEXTS, api_letters, NULL, api_labels, NULL);
    if (!status)
        status = dunlin_train(&run, config, texts, NULL, NULL, NULL, NULL);
    if (!status)
        status = dunlin_open(&opened, train_path("trained"), NULL);
    for (int i = 0; !status && i < 20; i++) {
        status = dunlin_classify(run, texts, job->distances[0], NULL, NULL);
        if (!status)
            status = dunlin_classify(opened, texts, job->distances[1], NULL, NULL);
    }
    snprintf(job->message, sizeof job->message, "%s", dunlin_error());
    dunlin_free(opened);
    dunlin_free(run);
    dunlin_texts_free(texts);
    dunlin_config_free(config);
    return status;
}

static void *work(void *self) {
    thread_job *job = self;
    job->status = work_here(job);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    static thread_job alone, jobs[THREADS];
    pthread_t threads[THREADS];
    work(&alone);
    if (alone.status)
        fail_msg("alone: %s", alone.message);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        if (jobs[i].status)
            fail_msg("thread %d: %s", i, jobs[i].message);
        assert_memory_equal(jobs[i].distances, alone.distances, sizeof alone.distances);
    }
}

/* A run that another thread works with, and one whose training has not returned. */
static int use_meanwhile(const dunlin_progress *p, void *user) {
    (void)p;
    dunlin_texts *texts = user;
    size_t n;
    return dunlin_texts_count(texts, &n) == DUNLIN_OK ? 2 : 3; /* shared by readers: fine */
}

/* One run in two threads at once, against the rule, until one of them is told so; the other must not notice.
 */
typedef struct {
    dunlin_run *run;
    dunlin_texts *texts;
    atomic_bool *caught;
    char message[300]; /* of what was refused, or is wrong */
    bool wrong;
    float distances[API_TEXTS * 2];
} intruder;

static void *use_run(void *self) {
    enum { MOST = 100000 };
    intruder *one = self;
    for (int i = 0; i < MOST && !*one->message && !atomic_load(one->caught); i++)
        if (dunlin_classify(one->run, one->texts, one->distances, NULL, NULL) != DUNLIN_OK)
            snprintf(one->message, sizeof one->message, "%s", dunlin_error());
    one->wrong =
        *one->message && !strstr(one->message, "run: another thread, or a call that has not returned");
    if (*one->message)
        atomic_store(one->caught, true);
    return NULL;
}

static void test_two_threads(void **state) {
    (void)state;
    atomic_bool caught = false;
    dunlin_run *run = api_run();
    float before[API_TEXTS * 2], after[API_TEXTS * 2];
    intruder both[2];
    pthread_t threads[2];
    api_distances(before, run);
    for (int i = 0; i < 2; i++) {
        both[i] = (intruder){.run = run, .texts = api_texts(), .caught = &caught};
        assert_int_equal(pthread_create(&threads[i], NULL, use_run, &both[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(caught);
    for (int i = 0; i < 2; i++) {
        if (both[i].wrong)
            fail_msg("%s", both[i].message);
        if (!*both[i].message)
            assert_memory_equal(both[i].distances, before, sizeof before);
        dunlin_texts_free(both[i].texts);
    }
    api_distances(after, run);
    assert_memory_equal(after, before, sizeof before);
    dunlin_free(run);
}

static void test_at_work(void **state) {
    (void)state;
    dunlin_config *config = api_config();
    dunlin_texts *texts = api_texts();
    dunlin_run *run;
    API_REFUSES(dunlin_train(&run, config, texts, NULL, NULL, use_meanwhile, texts), DUNLIN_INTERRUPTED, "");
    dunlin_texts_free(texts);
    dunlin_config_free(config);
}

static void hear(int level, const char *text, void *user) {
    *(unsigned *)user |= strchr(text, '\n') ? 1u << 31 : 1u << level;
}

static void test_process(void **state) {
    (void)state;
    size_t n = 0;
    unsigned heard = 0;
    while (environ[n])
        n++;
    char **before = calloc(n + 1, sizeof *before);
    assert_non_null(before);
    for (size_t i = 0; i < n; i++)
        before[i] = environ[i];
    const int out = dup(1), err = dup(2);
    assert_true(out >= 0 && err >= 0 && freopen(train_path("printed"), "w", stdout) &&
                freopen(train_path("printed.err"), "w", stderr));
    (void)dunlin_set_log(hear, &heard);
    dunlin_run *run = api_run();
    (void)dunlin_set_log(NULL, NULL);
    dunlin_free(run);
    (void)fflush(stdout);
    (void)fflush(stderr);
    assert_true(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    close(out);
    close(err);
    char *printed = api_file("printed"), *complained = api_file("printed.err");
    assert_string_equal(printed, "");
    assert_string_equal(complained, "");
    assert_true((heard & 1u << DUNLIN_LOG_INFO) && (heard & 1u << DUNLIN_LOG_DETAIL) && !(heard & 1u << 31));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(environ[i], before[i]);
    if (environ[n])
        fail_msg("the environment has %s now", environ[n]);
    free(printed);
    free(complained);
    free(before);
}

static int begin(void **state) {
    make_files(state);
    dunlin_config *config = api_config();
    dunlin_texts *texts = api_texts();
    dunlin_run *run;
    API_OK(dunlin_train(&run, config, texts, NULL, train_path("trained"), NULL, NULL));
    dunlin_free(run);
    dunlin_texts_free(texts);
    dunlin_config_free(config);
    return 0;
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, note_live, compare_live)
    const struct CMUnitTest tests[] = {T(test_process), T(test_threads), T(test_at_work),
                                       T(test_two_threads)};
    return cmocka_run_group_tests(tests, begin, remove_files);
}
