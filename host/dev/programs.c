/* Topic by topic: text, defines, program, kernels; each once. See programs.h. */
#include "dev/programs.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "dev/kernel_text.h"
#include "dev/program_cache.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TOPICS = 20, MAX_LISTS = 4, SAID_BYTES = 200 };

struct dun_programs {
    dun_device *device;
    dun_tiles tiles;
    const char *text;
    dun_str read; /* what text is, when it comes from a file or the caller */
    bool own;     /* the cache is used */
    bool told;    /* that something is being compiled */
    struct {
        const char *topic;
        dun_program *program;
    } built[MAX_TOPICS];
    size_t n_built;
    struct {
        const dun_kernel_list *list;
        dun_kernel **kernels; /* [list->n_rows]; NULL: its topic is not in use */
    } lists[MAX_LISTS];
    size_t n_lists;
    size_t n_said; /* of those built */
};

int dun_programs_create(dun_programs **out, dun_device *device, const char *text, const dun_tiles *tiles) {
    int rc = DUN_OK;
    dun_programs *programs = NULL;
    *out = NULL;
    TRY_NEW(programs, 1);
    programs->device = device;
    programs->tiles = *tiles;
    programs->own = !text;
    if (text) {
        TRY(dun_str_add(&programs->read, text, strlen(text)));
        programs->text = programs->read.bytes;
    } else {
        TRY(dun_kernel_text_find(&programs->text, &programs->read));
    }
    *out = programs;
    programs = NULL;
out:
    dun_programs_free(programs);
    return rc;
}

void dun_programs_free(dun_programs *programs) {
    if (!programs)
        return;
    for (size_t i = 0; i < programs->n_lists; i++) {
        for (size_t k = 0; k < programs->lists[i].list->n_rows; k++)
            dun_kernel_free(programs->lists[i].kernels[k]);
        dun_free(programs->lists[i].kernels);
    }
    for (size_t i = 0; i < programs->n_built; i++)
        dun_program_free(programs->built[i].program);
    dun_str_free(&programs->read);
    dun_free(programs);
}

static int build(dun_program **out, dun_programs *programs, const dun_topic *topic) {
    int rc = DUN_OK;
    dun_str text = {0}, defines = {0};
    TRY(dun_kernel_text_topic(&text, programs->text, topic->name));
    TRY(dun_tiles_defines(&defines, &programs->tiles, topic->cut));
    const char *flags = defines.length ? defines.bytes : "";
    if (programs->own)
        TRY(dun_program_build(out, programs->device, topic->name, text.bytes, flags, &programs->told));
    else
        TRY(dun_program_build_text(out, programs->device, text.bytes, flags));
out:
    dun_str_free(&defines);
    dun_str_free(&text);
    return rc;
}

int dun_programs_topic(dun_program **out, dun_programs *programs, const dun_topic *topic) {
    int rc = DUN_OK;
    for (size_t i = 0; i < programs->n_built; i++)
        if (strcmp(programs->built[i].topic, topic->name) == 0) {
            *out = programs->built[i].program;
            goto out;
        }
    assert(programs->n_built < MAX_TOPICS);
    TRY(build(out, programs, topic));
    programs->built[programs->n_built].topic = topic->name;
    programs->built[programs->n_built++].program = *out;
out:
    return rc;
}

/* The kernels of a list; NULL: none is in use. */
static dun_kernel **kernels_of(const dun_programs *programs, const dun_kernel_list *list) {
    for (size_t i = 0; i < programs->n_lists; i++)
        if (programs->lists[i].list == list)
            return programs->lists[i].kernels;
    return NULL;
}

static int add_list(dun_kernel ***out, dun_programs *programs, const dun_kernel_list *list) {
    int rc = DUN_OK;
    *out = kernels_of(programs, list);
    if (*out)
        goto out;
    assert(programs->n_lists < MAX_LISTS);
    TRY_NEW(*out, list->n_rows);
    programs->lists[programs->n_lists].list = list;
    programs->lists[programs->n_lists++].kernels = *out;
out:
    return rc;
}

int dun_programs_use(dun_programs *programs, const dun_kernel_list *list, unsigned topics) {
    int rc = DUN_OK;
    dun_kernel **kernels;
    TRY(add_list(&kernels, programs, list));
    for (size_t i = 0; i < list->n_rows; i++) {
        const struct dun_kernel_row *row = &list->rows[i];
        dun_program *program;
        if (kernels[i] || !(topics >> row->topic & 1))
            continue;
        TRY(dun_programs_topic(&program, programs, &list->topics[row->topic]));
        TRY(dun_kernel_create(&kernels[i], program, row->name));
        rc = dun_kernel_check(kernels[i], list->group(&programs->tiles, i));
        if (rc < 0) { /* asked again, it is checked again */
            dun_kernel_free(kernels[i]);
            kernels[i] = NULL;
        }
        TRY(rc);
    }
out:
    return rc;
}

dun_kernel *dun_programs_kernel(const dun_programs *programs, const dun_kernel_list *list, size_t kernel) {
    dun_kernel **kernels = kernels_of(programs, list);
    assert(kernels && kernels[kernel]);
    return kernels[kernel];
}

/* The text with a kernel in front that no text had before: what drivers keep by it, or by what they made of
 * it, does not fit. */
static int add_fresh_text(dun_str *out, const char *text) {
    return dun_str_addf(out,
                        "__kernel void dun_fresh_%lx_%llx(__global uint *x) { x[0] = (uint)0x%llx; }\n%s",
                        (long)getpid(), (unsigned long long)(dun_clock_now() * 1e6),
                        (unsigned long long)(dun_clock_seconds() * 1e6) & 0xffffffff, text);
}

static int use_kernels_of(dun_programs *again, const dun_kernel_list *list, dun_kernel *const *in_use) {
    int rc = DUN_OK;
    dun_kernel *kernel = NULL;
    for (size_t k = 0; k < list->n_rows; k++) {
        dun_program *program;
        if (!in_use[k])
            continue;
        TRY(dun_programs_topic(&program, again, &list->topics[list->rows[k].topic]));
        TRY(dun_kernel_create(&kernel, program, list->rows[k].name));
        dun_kernel_free(kernel);
        kernel = NULL;
    }
out:
    dun_kernel_free(kernel);
    return rc;
}

int dun_programs_build_again(const dun_programs *programs) {
    int rc = DUN_OK;
    dun_programs *again = NULL;
    dun_str text = {0};
    TRY(add_fresh_text(&text, programs->text));
    TRY(dun_programs_create(&again, programs->device, text.bytes, &programs->tiles));
    for (size_t i = 0; i < programs->n_lists; i++)
        TRY(use_kernels_of(again, programs->lists[i].list, programs->lists[i].kernels));
out:
    dun_programs_free(again);
    dun_str_free(&text);
    return rc;
}

bool dun_programs_launched(const dun_programs *programs, const dun_kernel_list *list, size_t kernel) {
    dun_kernel **kernels = kernels_of(programs, list);
    return kernels && kernels[kernel] && dun_kernel_was_launched(kernels[kernel]);
}

int dun_programs_identity(dun_str *out, const dun_device_info *info, const dun_tiles *tiles) {
    int rc = DUN_OK;
    dun_str read = {0}, defines = {0};
    const char *text;
    TRY(dun_kernel_text_find(&text, &read));
    TRY(dun_tiles_defines(&defines, tiles, DUN_CUT_ALL));
    TRY(dun_program_key(out, info, "all kernels", text, defines.bytes));
out:
    dun_str_free(&defines);
    dun_str_free(&read);
    return rc;
}

/* One line for those that came from the cache, or those that were compiled. */
static void say_some(const dun_programs *programs, bool from_cache) {
    char names[SAID_BYTES] = "";
    const char *problem = "";
    double seconds = 0;
    size_t used = 0;
    for (size_t i = programs->n_said; i < programs->n_built; i++) {
        const dun_program_origin *origin = dun_program_origin_of(programs->built[i].program);
        if (origin->from_cache != from_cache)
            continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                 programs->built[i].topic);
        assert(used < sizeof names);
        seconds += origin->seconds;
        problem = *problem ? problem : origin->problem;
    }
    if (used)
        dun_device_say(programs->device, "kernels   %s in %.2f s: %s%s%s",
                       from_cache ? "from the cache" : "compiled", seconds, names,
                       *problem ? "; they cannot be kept: " : "", problem);
}

void dun_programs_say(dun_programs *programs) {
    if (!programs)
        return;
    if (programs->own) {
        say_some(programs, true);
        say_some(programs, false);
    }
    programs->n_said = programs->n_built;
}

dun_programs_count dun_programs_counted(const dun_programs *programs) {
    dun_programs_count count = {0};
    for (size_t i = 0; i < programs->n_built; i++)
        *(dun_program_origin_of(programs->built[i].program)->from_cache ? &count.n_cached
                                                                        : &count.n_compiled) += 1;
    return count;
}
