/* Trains on a few texts that the program has in memory, and classifies others:
 *
 *   cc train.c $(pkg-config --cflags --libs dunlin) -o train
 *   ./train MODEL [DEVICE]
 */
#include <dunlin.h>

#include <stdio.h>

static const char *const texts[] = {"What a wonderful, warm film.",  "I loved every minute of it.",
                                    "A joy from beginning to end.",  "The best evening in years.",
                                    "Dull, loud and far too long.",  "I want those two hours back.",
                                    "A mess without a single idea.", "The worst film of the year."};
static const char *const labels[] = {"good", "good", "good", "good", "bad", "bad", "bad", "bad"};
static const char *const asked[] = {"Such a lovely story!", "Boring beyond belief."};
enum { N_TEXTS = sizeof texts / sizeof *texts, N_ASKED = sizeof asked / sizeof *asked, N_CLASSES = 2 };

/* Says what went wrong; 0 where nothing did. */
static int failed(dunlin_status status) {
    if (status != DUNLIN_OK)
        fprintf(stderr, "%s: %s\n", dunlin_status_name(status), dunlin_error());
    return status != DUNLIN_OK;
}

static int set_up(dunlin_config *config, const char *model, const char *device) {
    static const char *const keys[][2] = {{"prompt.text", " Overall, this was very"},
                                          {"prompt.lr", "0.003"},
                                          {"train.epochs", "6"},
                                          {"train.batch_size", "4"}};
    int wrong = failed(dunlin_config_set(config, "model.path", model)) ||
                failed(dunlin_config_set(config, "device.use", device));
    for (size_t i = 0; !wrong && i < sizeof keys / sizeof *keys; i++)
        wrong = failed(dunlin_config_set(config, keys[i][0], keys[i][1]));
    return wrong;
}

static int classify(dunlin_run *run) {
    dunlin_texts *questions = NULL;
    double probabilities[N_ASKED][N_CLASSES];
    uint32_t classes[N_ASKED];
    const char *name;
    int wrong = failed(dunlin_texts_new(&questions, N_ASKED, asked, NULL, NULL, NULL)) ||
                failed(dunlin_classify(run, questions, NULL, &probabilities[0][0], classes));
    for (size_t i = 0; !wrong && i < N_ASKED; i++) {
        wrong = failed(dunlin_class_name(run, classes[i], &name));
        if (!wrong)
            printf("%s\t%.3f\t%s\n", name, probabilities[i][classes[i]], asked[i]);
    }
    dunlin_texts_free(questions);
    return wrong;
}

int main(int argc, char **argv) {
    dunlin_config *config = NULL;
    dunlin_texts *training = NULL;
    dunlin_run *run = NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: train MODEL [DEVICE]\n");
        return DUNLIN_USAGE;
    }
    int wrong = failed(dunlin_config_new(&config)) || set_up(config, argv[1], argc > 2 ? argv[2] : "best") ||
                failed(dunlin_texts_new(&training, N_TEXTS, texts, NULL, labels, NULL)) ||
                failed(dunlin_train(&run, config, training, NULL, NULL, NULL, NULL)) || classify(run);
    dunlin_free(run);
    dunlin_texts_free(training);
    dunlin_config_free(config);
    return wrong;
}
