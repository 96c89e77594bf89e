/* Two threads that train at once, each with a session, a device and a run of its own: both get the bytes of a
 * run that has the process for itself, and each its own error message and its own warnings. */
#include "device_check.h"
#include "train_sample.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>

enum { N_THREADS = 2 };
static const char config[] = "[prompt]\ninit = vocab\ntokens = 2\n[train]\nepochs = 2\nbatch_size = 3\n";

typedef struct {
    train_run run;
    char path[512];
    const char *name;
    int rc;
    char failure[256];        /* what stopped it */
    char message[256];        /* of a failure that it makes itself */
    unsigned n_own, n_others; /* warnings that it heard */
    atomic_uint *n_waiting;   /* threads that are not there yet */
} job;

static void hear(void *self, const char *message) {
    job *j = self;
    j->n_own += strstr(message, " begins") && strncmp(message, j->name, strlen(j->name)) == 0;
    j->n_others += strstr(message, " begins") && strncmp(message, j->name, strlen(j->name)) != 0;
}

static int train(job *j) {
    int rc = DUN_OK;
    train_run *t = &j->run;
    TRY(train_run_open(t, NULL));
    TRY(dun_run_dir_create(&t->run, j->path, j->name, &t->config));
    TRY(dun_train(&t->result, &t->session, &t->run, false));
out:
    return rc;
}

/* cmocka's checks are for the main thread: what is to be checked stays in the job. */
static void *work(void *self) {
    job *j = self;
    dun_warn_listen(hear, j);
    (void)dun_error(DUN_FAILED, "the failure of %s", j->name);
    atomic_fetch_sub(j->n_waiting, 1);
    while (atomic_load(j->n_waiting) > 0)
        ;
    dun_warn("%s begins", j->name);
    snprintf(j->message, sizeof j->message, "%s", dun_error_message());
    j->rc = train(j);
    if (j->rc < 0)
        snprintf(j->failure, sizeof j->failure, "%s", dun_error_message());
    dun_warn_ignore(j);
    return NULL;
}

static void test_threads(void **state) {
    static job jobs[N_THREADS];
    static const char *const names[N_THREADS] = {"first", "second"};
    pthread_t threads[N_THREADS];
    atomic_uint n_waiting = N_THREADS;
    train_run alone;
    char prompt[N_THREADS][600], wanted[600];
    (void)state;
    configure(&alone, config);
    train_run_all(&alone, "alone");
    snprintf(wanted, sizeof wanted, "%s/prompt.safetensors", train_path("alone"));
    for (int i = 0; i < N_THREADS; i++) {
        jobs[i] = (job){.name = names[i], .n_waiting = &n_waiting};
        snprintf(jobs[i].path, sizeof jobs[i].path, "%s", train_path(names[i]));
        configure(&jobs[i].run, config);
        snprintf(prompt[i], sizeof prompt[i], "%s/prompt.safetensors", jobs[i].path);
    }
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < N_THREADS; i++) {
        char message[64];
        if (jobs[i].rc < 0)
            fail_msg("%s: %s", names[i], jobs[i].failure);
        snprintf(message, sizeof message, "the failure of %s", names[i]);
        assert_string_equal(jobs[i].message, message);
        assert_int_equal(jobs[i].n_own, 1);
        assert_int_equal(jobs[i].n_others, 0);
        assert_true(train_same_file(prompt[i], wanted));
        dun_run_result_free(&jobs[i].run.result);
        dun_run_dir_close(&jobs[i].run.run);
        dun_session_close(&jobs[i].run.session);
        dun_config_free(&jobs[i].run.config);
    }
    train_run_close(&alone);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
