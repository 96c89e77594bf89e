/* Records of claims in a temporary folder, which the tests of claims work in: whose they are, and how old. */
#ifndef CLAIM_SAMPLE_H
#define CLAIM_SAMPLE_H

#include "data_expect.h"
#include "own_folder.h"
#include "run/claim_record.h"
#include "run/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char warned[1000];

static inline void hear(void *self, const char *message) {
    (void)self;
    snprintf(warned, sizeof warned, "%s", message);
}

static inline int begin_claims(void **state) {
    dun_warn_listen(hear, folder);
    return enter_folder(state);
}

static inline int end_claims(void **state) {
    dun_warn_ignore(folder);
    return leave_folder(state) == 0 && dun_mem_live() == 0 ? 0 : -1;
}

static inline void refuses(const char *part, int rc) {
    expect_error(rc, DUN_FAILED, "", part);
}

static inline void shell(const char *command) {
    if (system(command) != 0)
        fail_msg("%s", command);
}

static inline void make(const char *path, const char *bytes, size_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* A record as `change` makes it of this process's, last touched so many seconds ago. */
static inline void leave_record(void (*change)(dun_holder *holder), long age_s) {
    dun_holder holder;
    dun_str text = {0};
    shell("rm -rf run && mkdir run");
    dun_holder_self(&holder);
    change(&holder);
    expect_ok(dun_holder_write(&text, &holder));
    make("run/.dunlin", text.bytes, text.length);
    dun_str_free(&text);
    const struct timespec at = {.tv_sec = time(NULL) - age_s};
    assert_int_equal(utimensat(AT_FDCWD, "run/.dunlin", (struct timespec[]){at, at}, 0), 0);
}

static inline void ours(dun_holder *holder) {
    (void)holder;
}
static inline void given_back(dun_holder *holder) {
    holder->held = false;
}
static inline void dead(dun_holder *holder) {
    holder->pid = 0x7fffffff;
}
static inline void number_again(dun_holder *holder) {
    holder->start += 1;
}
static inline void before_boot(dun_holder *holder) {
    strcpy(holder->boot, "another");
}
static inline void container(dun_holder *holder) {
    strcpy(holder->host, "a container's name");
    strcpy(holder->pids, "pid:[1]");
}
static inline void unknown_boot(dun_holder *holder) {
    holder->boot[0] = '\0';
}
static inline void elsewhere(dun_holder *holder) {
    strcpy(holder->host, "far");
    strcpy(holder->boot, "another");
}
static inline void elsewhere_given_back(dun_holder *holder) {
    elsewhere(holder);
    holder->held = false;
}

#endif
