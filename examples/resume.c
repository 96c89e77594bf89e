/* Cancels a training after some steps, and goes on with it in a second call:
 *
 *   cc resume.c $(pkg-config --cflags --libs dunlin) -o resume
 *   ./resume CONFIG NEW-DIRECTORY
 *
 * CONFIG is a config file of dunlin that names a model and texts. */
#include <dunlin.h>

#include <stdio.h>

/* Stops at the first report of a training that has taken steps; shows the others. */
static int stop_early(const dunlin_progress *progress, void *user) {
    int *stopped = user;
    printf("%s: %llu of %llu\n", progress->stage, (unsigned long long)progress->step,
           (unsigned long long)progress->steps);
    *stopped =
        progress->loss == progress->loss && progress->step < progress->steps; /* a loss is there: no NaN */
    return *stopped ? 2 : 0;
}

static int show(const dunlin_progress *progress, void *user) {
    (void)user;
    printf("%s: %llu of %llu\n", progress->stage, (unsigned long long)progress->step,
           (unsigned long long)progress->steps);
    return 0;
}

int main(int argc, char **argv) {
    dunlin_config *config = NULL;
    dunlin_texts *training = NULL, *validation = NULL;
    dunlin_run *run = NULL;
    int stopped = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: resume CONFIG NEW-DIRECTORY\n");
        return DUNLIN_USAGE;
    }
    dunlin_status status = dunlin_config_new(&config);
    if (status == DUNLIN_OK)
        status = dunlin_config_read(config, argv[1]);
    if (status == DUNLIN_OK)
        status = dunlin_texts_read(&training, &validation, config);
    if (status == DUNLIN_OK)
        status = dunlin_train(&run, config, training, validation, argv[2], stop_early, &stopped);
    if (status == DUNLIN_INTERRUPTED) {
        printf("stopped: %s\n", dunlin_error());
        status = dunlin_resume(&run, argv[2], NULL, NULL, NULL, show, NULL);
    }
    if (status != DUNLIN_OK)
        fprintf(stderr, "%s: %s\n", dunlin_status_name(status), dunlin_error());
    else
        printf("%s\n", stopped ? "stopped and gone on with" : "it was over before it could be stopped");
    dunlin_free(run);
    dunlin_texts_free(training);
    dunlin_texts_free(validation);
    dunlin_config_free(config);
    return status;
}
