/* dunlin as a library: soft prompts on frozen language models, trained and used from C and C++.
 *
 * Conventions, which hold for every function unless it says otherwise
 *
 * - Status. A call returns a dunlin_status: DUNLIN_OK, or why not; the values are the exit codes of the
 *   program dunlin. The message is dunlin_error()'s. After a failure nothing was made: out-parameters that
 *   are handles are NULL, arrays may be partly written, and the library can be used on.
 * - NULL. A pointer that "may be NULL" may; any other NULL is DUNLIN_USAGE with the argument's name, never
 *   a crash.
 * - Text is UTF-8, zero-terminated where no length is given. Bytes that are not UTF-8 are read as U+FFFD.
 * - Arrays lie row by row without gaps: (n, K) is n rows of K. They belong to the caller, who has made them
 *   large enough.
 * - Text that comes back goes into a buffer of the caller's: `size` bytes at `buffer`, of which the zero at
 *   the end is one. *needed becomes the bytes it takes, that zero included (for dunlin_to_bytes there is
 *   none). `buffer` NULL, or too few bytes: nothing is written. The former is DUNLIN_OK, the latter
 *   DUNLIN_USAGE. `needed` may be NULL.
 * - What a call is given is copied before it returns: nothing of the caller's is kept but the log function.
 * - A handle belongs to whoever got it, who gives it to the matching free function once. NULL is fine
 *   there. Frees return nothing.
 * - Threads. A dunlin_run, or a dunlin_config that is written to, is used by one thread at a time;
 *   different handles may be used by different threads at once. Calls that take a handle as const only read
 *   it, and may share it. A handle that two threads use against this rule, or that was freed, is
 *   DUNLIN_USAGE with a message, as far as it can be known: always while the other call runs, and until the
 *   memory of a freed handle is given out again.
 * - Fork. Drivers of OpenCL do not live through fork(). In a child of a process that had called one of
 *   dunlin_devices, dunlin_check, dunlin_train, dunlin_resume, dunlin_open, dunlin_from_bytes,
 *   dunlin_embed, every call that needs a device is DUNLIN_BAD_DEVICE with a message, at once; a run's
 *   dunlin_free does nothing there. A child that is the first to call them, or that has called exec, is
 *   free to.
 * - Process. No function ends the process, installs signal handlers, sets the locale, or writes to stdout
 *   or stderr. The environment is as it was when a call returns, and of it is read only what drivers,
 *   caches and the search for files need (docs/library.md lists it); variables DUNLIN_SECTION_KEY are the
 *   program's. Where something must be tried that may end a process, the installed program dunlin-probe
 *   tries it; without that program nothing risky is tried, and a warning in the log says so.
 * - Names "section.key" and their values are those of dunlin's config files: `dunlin help config`.
 * - OpenCL is looked for when it is first needed: libOpenCL.so.1 and libOpenCL.so by the system's rules,
 *   then libOpenCL.so.1 beside this library. Without it calls are DUNLIN_BAD_DEVICE, and the message has
 *   all names that were tried. */
#ifndef DUNLIN_H
#define DUNLIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#    define DUNLIN_API __attribute__((visibility("default")))
#else
#    define DUNLIN_API
#endif

/* MAJOR * 10000 + MINOR * 100 + PATCH of this header. */
#define DUNLIN_VERSION 200

typedef enum {
    DUNLIN_OK = 0,
    DUNLIN_FAILED = 1,       /* could not finish: no memory, disk full, a loss that is not a number */
    DUNLIN_USAGE = 2,        /* a wrong argument, or a config that cannot be */
    DUNLIN_BAD_INPUT = 3,    /* a model, text, label, run directory or bytes are not what they must be */
    DUNLIN_BAD_DEVICE = 4,   /* no OpenCL, no such device, it failed, or its self-test did */
    DUNLIN_INTERRUPTED = 130 /* the progress function asked to stop now */
} dunlin_status;

typedef struct dunlin_config dunlin_config; /* every key of a config with its value */
typedef struct dunlin_texts dunlin_texts;   /* texts, perhaps with labels and weights; never changes */
typedef struct dunlin_run dunlin_run;       /* a trained prompt and centroids, with their model on a device */

/* ---------------------------------------------------------------- the library */

/* The library's own DUNLIN_VERSION, which may be another than the header's. Never fails. */
DUNLIN_API int dunlin_version(void);

/* The message of this thread's last call that failed, one line or, where it quotes a compiler, several; "" if
 * none has. It stays valid, and the same, until the next call on this thread that returns a status. Calls
 * that succeed leave "". Never fails. */
DUNLIN_API const char *dunlin_error(void);

/* The constant's name, "DUNLIN_BAD_INPUT"; "unknown status" for a number that is none. Never fails. */
DUNLIN_API const char *dunlin_status_name(int status);

enum {
    DUNLIN_LOG_WARNING = 1, /* a fact that somebody should know and that stopped nothing */
    DUNLIN_LOG_INFO = 2,    /* what a run does and has chosen: device, products, memory, measurements */
    DUNLIN_LOG_DETAIL = 3
};

/* `text` is one line without its end, valid during the call. It comes on the thread whose call has something
 * to say, or on one of the library's own; several may call at once. */
typedef void dunlin_log_fn(int level, const char *text, void *user);

/* Who hears what the library has to say, in all threads of the process, from now on. NULL, as at the start:
 * nobody. After it has returned, a call that another thread had begun may still end with the function of
 * before. The function must not call the library. */
DUNLIN_API dunlin_status dunlin_set_log(dunlin_log_fn *log, void *user);

/* ---------------------------------------------------------------- devices and models */

/* How a long call says where it is. Members are only added at the end, and `size` (bytes of the struct) tells
 * which there are. */
typedef struct {
    size_t size;
    const char *phase; /* "load", "texts", "start", "train", "measure", "check"; more may come */
    const char *stage; /* the same for people, as "epoch 2/3"; never NULL */
    uint64_t step;     /* "train": optimisation steps done; else units of the phase (texts, cases) */
    uint64_t steps;    /* of so many; 0: not known */
    double loss;       /* of the last step; NaN before the first */
    double seconds;    /* since the call began */
} dunlin_progress;

/* Called on the thread of the call, at most every 100 ms; `progress` is valid during the call. Returns
 *   0  go on;
 *   1  stop cleanly at the next step with what there is: a training ends as if it had no more steps. It is
 *      measured, its files are written, its info says "stopped": true, and the call is DUNLIN_OK. Before the
 *      first step, what the start is worth is the result;
 *   2  stop now, at the next place where that can be: DUNLIN_INTERRUPTED, and no run. The directory of a
 *      training keeps a checkpoint, if a step had been taken, that dunlin_resume goes on from.
 * Where a call has no result that could be partly there (dunlin_check, dunlin_embed), 1 is as 2. Any other
 * number is as 2. The function must not call the library but for dunlin_version, dunlin_error and
 * dunlin_status_name, and must return: no longjmp, no C++ exception. */
typedef int dunlin_progress_fn(const dunlin_progress *progress, void *user);

/* The OpenCL devices as JSON, as `dunlin devices --json` prints them: an array of objects. `buffer` may be
 * NULL. DUNLIN_BAD_DEVICE: there is no loader, or no driver. */
DUNLIN_API dunlin_status dunlin_devices(char *buffer, size_t size, size_t *needed);

/* Tests whether devices compute right, as `dunlin check --json` does, and keeps the verdict for trainings to
 * come. `device`: a selector of device.use, "all" too; may be NULL: the best. `quick` other than 0: a few
 * cases of each test. The JSON (an array of an object a device) comes at the end, also where a device fails,
 * which is DUNLIN_BAD_DEVICE with the message of the first that does. `buffer` may be NULL. A full test takes
 * half a minute and more: with fewer than 256 KiB a device, be ready to run it again. `progress` and `user`
 * may be NULL. */
DUNLIN_API dunlin_status dunlin_check(char *buffer, size_t size, size_t *needed, const char *device,
                                      int quick, dunlin_progress_fn *progress, void *user);

/* The models on this computer as JSON, as `dunlin models --json` prints them: an array of objects, perhaps
 * empty. `buffer` may be NULL. Needs no device. */
DUNLIN_API dunlin_status dunlin_models(char *buffer, size_t size, size_t *needed);

/* ---------------------------------------------------------------- configs */

/* A config with the default of every key. */
DUNLIN_API dunlin_status dunlin_config_new(dunlin_config **config);

/* Reads a config file over what is there; a path is looked for as the program looks for it, and so are the
 * paths in it. DUNLIN_USAGE: "file:line: what; what would be right"; the keys before the fault are set then.
 */
DUNLIN_API dunlin_status dunlin_config_read(dunlin_config *config, const char *path);

/* Sets a key, "prompt.text", to a value as plain text, without quotes; a value that a key may be without is
 * unset by "". DUNLIN_USAGE: there is no such key (the message names the nearest), or the value is none for
 * it; the config is then as it was. */
DUNLIN_API dunlin_status dunlin_config_set(dunlin_config *config, const char *key, const char *value);

/* A key's value as text that dunlin_config_set takes. `buffer` may be NULL. */
DUNLIN_API dunlin_status dunlin_config_get(const dunlin_config *config, const char *key, char *buffer,
                                           size_t size, size_t *needed);

DUNLIN_API void dunlin_config_free(dunlin_config *config);

/* ---------------------------------------------------------------- texts */

/* Copies `count` texts. `texts` may be NULL if `count` is 0. `lengths`, bytes of each, may be NULL: they are
 * zero-terminated. `labels`, the class of each as a word, may be NULL: the texts are then for classifying
 * alone. `weights`, by which a text's loss is multiplied in training, may be NULL: all are 1. Equal labels
 * are one class; blanks around a label do not count, equal numbers are one label, and so are true and false
 * in any case. An empty text is a text. DUNLIN_BAD_INPUT, with the index (from 0) of the first: a text or
 * label that is NULL, a text with a zero byte inside, or of more than 64 MiB, a label that is empty or of
 * more than 255 bytes, a weight that is negative or not finite; or all weights are 0. */
DUNLIN_API dunlin_status dunlin_texts_new(dunlin_texts **out, size_t count, const char *const *texts,
                                          const size_t *lengths, const char *const *labels,
                                          const double *weights);

/* Reads the training and validation texts that a config names (section [data]). `validation` may be NULL: it
 * is not handed out. *validation is NULL where the config names no validation texts; what data.valid_share
 * splits off is among the training texts, and split off by dunlin_train. Errors as the program's:
 * DUNLIN_USAGE, DUNLIN_BAD_INPUT with file and line. */
DUNLIN_API dunlin_status dunlin_texts_read(dunlin_texts **training, dunlin_texts **validation,
                                           const dunlin_config *config);

/* How many there are. */
DUNLIN_API dunlin_status dunlin_texts_count(const dunlin_texts *texts, size_t *count);

DUNLIN_API void dunlin_texts_free(dunlin_texts *texts);

/* ---------------------------------------------------------------- runs */

/* Trains as the config says, as `dunlin train` does, to the same bits on the same device.
 * `training`: texts with labels; their different labels, in byte order or, if all are whole numbers, by
 * value, are the classes 0 .. K-1, unless data.label_map gives them. At least two must occur. What the config
 * says of files of texts (data.train, data.valid, ...) is not looked at. `validation`: texts with labels that
 * occur among the training labels, measured on during and after training; may be NULL: what data.valid_share
 * splits off the training texts takes their place, and without it nothing is measured. With both it is
 * DUNLIN_USAGE. Their weights are not looked at. `directory`: a new or empty folder that gets what the
 * program leaves in a run's, but for pages and pictures
 * (`dunlin report` makes them); may be NULL: nothing is left on disk. output.dir is not looked at.
 * `progress`, `user`: may be NULL.
 * DUNLIN_USAGE: the config; DUNLIN_BAD_INPUT: the model, a label; DUNLIN_BAD_DEVICE: the device, or its
 * self-test before a first training; DUNLIN_FAILED: the loss is not finite any more, no memory, the directory
 * is not for a new run or cannot be written; DUNLIN_INTERRUPTED: `progress` said 2. */
DUNLIN_API dunlin_status dunlin_train(dunlin_run **run, const dunlin_config *config,
                                      const dunlin_texts *training, const dunlin_texts *validation,
                                      const char *directory, dunlin_progress_fn *progress, void *user);

/* Goes on with a training that was stopped, from the last checkpoint in its directory, to the same result as
 * if it had not been. A directory whose training has ended is opened, as dunlin_open does. `device`: a
 * selector; may be NULL: the run's. Another than the run's may compute other bits and is refused. `training`,
 * `validation`: the texts again, if they were not read from files; both may be NULL: those of the run's
 * config are read. `progress`, `user`: may be NULL. Errors as dunlin_train has them; DUNLIN_BAD_INPUT: these
 * are not the texts, or this is not the model, that the run was trained with; DUNLIN_USAGE: it is not the
 * directory of a run; DUNLIN_FAILED: another process is at work there. */
DUNLIN_API dunlin_status dunlin_resume(dunlin_run **run, const char *directory, const char *device,
                                       const dunlin_texts *training, const dunlin_texts *validation,
                                       dunlin_progress_fn *progress, void *user);

/* Opens the directory of a finished run: its model is loaded on its device. `device`: a selector to use
 * instead; may be NULL. The directory may change or go afterwards. DUNLIN_BAD_INPUT: it is not such a
 * directory, or its model is not there or is another. */
DUNLIN_API dunlin_status dunlin_open(dunlin_run **run, const char *directory, const char *device);

/* For each of the n texts, in order, the answer that `dunlin classify` gives; labels and weights are not
 * looked at. Each of the arrays may be NULL: `distances` (n, K): to each class's centroid, less what label
 * words say where the run has some (loss.label_words), so that they may be below 0; `probabilities` (n, K):
 * softmax of -distance / loss.temperature, of which the program's confidence is the largest; they order
 * answers, and are no measured probability of being right, unless the run was calibrated (output.calibrate),
 * whose temperature then stands in; `labels` (n): the number of the nearest centroid's
 * class, the lower one of equals. DUNLIN_FAILED: a distance that is not finite. */
DUNLIN_API dunlin_status dunlin_classify(dunlin_run *run, const dunlin_texts *texts, float *distances,
                                         double *probabilities, uint32_t *labels);

/* The n texts' points (n, D) under the trained prompt, as `dunlin points` writes them. */
DUNLIN_API dunlin_status dunlin_points(dunlin_run *run, const dunlin_texts *texts, float *points);

/* K, the number of classes, and D, the width of a point; each may be NULL. */
DUNLIN_API dunlin_status dunlin_sizes(const dunlin_run *run, size_t *n_classes, size_t *point_width);

/* The name of a class, 0 .. K-1, valid as long as the run; DUNLIN_USAGE: there is no such class. */
DUNLIN_API dunlin_status dunlin_class_name(const dunlin_run *run, size_t index, const char **name);

/* What is known of a run, as a JSON object; what is not known is null.
 * {"version": the library's, "classes": [names], "n_classes": K, "point_width": D, "prompts": how many,
 *  "prompt_rows": P of each, "width": C, "calibration_temperature": fitted with output.calibrate, "model":
 * {"path", "hash", "name"}, "device": {"name", "driver", ...}, "directory": path, "stopped": true|false,
 * "config": {"section.key": "value", ...}, "metrics": what metrics.json has} `buffer` may be NULL. */
DUNLIN_API dunlin_status dunlin_info(const dunlin_run *run, char *buffer, size_t size, size_t *needed);

/* The steps of the training as a JSON array of the objects in history.jsonl; empty where they are not known.
 * `buffer` may be NULL. */
DUNLIN_API dunlin_status dunlin_history(const dunlin_run *run, char *buffer, size_t size, size_t *needed);

/* Writes the run as a directory that dunlin_open and every command of the program take. `directory` is new or
 * an empty folder: never written over. DUNLIN_FAILED: it is not, or cannot be written; nothing is left then.
 */
DUNLIN_API dunlin_status dunlin_save(const dunlin_run *run, const char *directory);

/* Everything of a run but the model, to keep in a database or to send: some C * (P + K) floats, the config
 * and the metrics. The same run gives the same bytes. `bytes` may be NULL. */
DUNLIN_API dunlin_status dunlin_to_bytes(const dunlin_run *run, void *bytes, size_t size, size_t *needed);

/* The run of such bytes, whose model is looked for where the run's config says, and by its name. `device` may
 * be NULL: the run's. DUNLIN_BAD_INPUT: bytes of another kind or version, damaged or cut short, or of another
 * model than the one that is there. */
DUNLIN_API dunlin_status dunlin_from_bytes(dunlin_run **run, const void *bytes, size_t size,
                                           const char *device);

/* Frees a run. Runs on one model and device share its weights, which go with the last of them. */
DUNLIN_API void dunlin_free(dunlin_run *run);

/* ---------------------------------------------------------------- texts without training */

typedef enum {
    DUNLIN_POOL_LAST = 0, /* the last row of a text */
    DUNLIN_POOL_MEAN = 1  /* the mean of all its rows */
} dunlin_pool;

/* What a model makes of texts without any prompt: rows of its last hidden state, pooled, as `dunlin embed`
 * writes them. `model`: a path or name, as model.path takes it. `device`: a selector; may be NULL: the best.
 * `out` (n, C), room for `room` floats; may be NULL: only *width becomes C, without any device. `width` may
 * be NULL. `progress` and `user` may be NULL. Labels and weights are not looked at. DUNLIN_USAGE: `room` is
 * less than n * C, or `pool` is none. The model is loaded for the call, unless a run has it on that device.
 */
DUNLIN_API dunlin_status dunlin_embed(const char *model, const char *device, const dunlin_texts *texts,
                                      dunlin_pool pool, float *out, size_t room, size_t *width,
                                      dunlin_progress_fn *progress, void *user);

#ifdef __cplusplus
}
#endif

#endif
