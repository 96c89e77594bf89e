/* What stands where a file is to be written: new names, files with a mode of their own, links, FIFOs,
 * devices, a full disk; and streams, which take back what did not get out whole. */
#define _GNU_SOURCE /* mkdtemp, mknod */
#include "base/file.h"
#include "base/stream.h"
#include "data_expect.h"
#include "own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const char text[] = "what is written";

static void make(const char *path, const char *bytes, mode_t mode) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(bytes, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_file(const char *path, const char *bytes) {
    dun_file file;
    expect_ok(dun_file_map(&file, path));
    if (file.length != strlen(bytes) || (file.length && memcmp(file.bytes, bytes, file.length) != 0))
        fail_msg("%s holds %.*s", path, (int)file.length, file.length ? (const char *)file.bytes : "");
    dun_file_unmap(&file);
}

static unsigned mode_of(const char *path) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode;
}

/* No temporary file stays, whatever happened. */
static void expect_no_temp(void) {
    assert_int_not_equal(system("ls -d *.tmp* d/*.tmp* 2>/dev/null | grep -q ."), 0);
}

/* A name, the commands of the shell that make what stands there, the file that holds the text afterwards, and
 * the mode of the name then. */
static const struct {
    const char *path, *shell, *holds;
    unsigned mode;
} places[] = {
    {"new", "true", "new", S_IFREG | 0644},
    {"old", "echo old >old && chmod 640 old", "old", S_IFREG | 0640},
    {"tool", "echo old >tool && chmod 755 tool", "tool", S_IFREG | 0755},
    {"link", "echo old >target && ln -s target link", "target", S_IFLNK | 0777},
    {"far", "mkdir d && echo old >d/t && chmod 600 d/t && ln -s d/t far", "d/t", S_IFLNK | 0777},
    {"chain",
     "mkdir d && echo old >d/t && ln -s ../second d/first && ln -s d/t second && ln -s d/first chain", "d/t",
     S_IFLNK | 0777},
    {"dangling", "mkdir d && ln -s d/new dangling", "d/new", S_IFLNK | 0777},
    {"./d/../up", "mkdir d && echo old >up", "up", S_IFREG | 0644},
};

static void test_places(void **state) {
    umask(022);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        enter_folder(state);
        assert_int_equal(system(places[i].shell), 0);
        expect_ok(dun_file_write(places[i].path, text, sizeof text - 1));
        expect_file(places[i].path, text);
        expect_file(places[i].holds, text);
        if (mode_of(places[i].path) != places[i].mode || !S_ISREG(mode_of(places[i].holds)))
            fail_msg("%s: mode %o", places[i].path, mode_of(places[i].path));
        expect_no_temp();
        leave_folder(state);
    }
}

static const struct {
    const char *path, *shell, *message;
    bool not_root;
} refused[] = {
    {"d", "mkdir d", "d: cannot be written: Is a directory", false},
    {"to-d", "mkdir d && ln -s d to-d", "to-d: cannot be written: Is a directory", false},
    {"loop", "ln -s loop loop", "loop: cannot be written: Too many", false},
    {"none/f", "true", "none/f: cannot be written: No such file", false},
    {"f/g", "echo >f", "f/g: cannot be written: Not a directory", false},
    {"fixed", "echo old >fixed && chmod 444 fixed", "fixed: cannot be written: Permission denied", true},
    {"d/f", "mkdir d && chmod 555 d", "d/f: cannot be written: Permission denied", true},
};

static void test_refused(void **state) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (refused[i].not_root && geteuid() == 0)
            continue;
        enter_folder(state);
        assert_int_equal(system(refused[i].shell), 0);
        expect_error(dun_file_write(refused[i].path, text, sizeof text - 1), DUN_FAILED, refused[i].path,
                     refused[i].message);
        expect_no_temp();
        leave_folder(state);
    }
}

/* A reader in another process gets the bytes, and the FIFO stays one. */
static void test_fifo(void **state) {
    enter_folder(state);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("fifo", "link"), 0);
    for (int through_link = 0; through_link < 2; through_link++) {
        pid_t reader = fork();
        assert_true(reader >= 0);
        if (reader == 0)
            _exit(system("cat fifo >got") ? 1 : 0);
        expect_ok(dun_file_write(through_link ? "link" : "fifo", text, sizeof text - 1));
        int status;
        assert_int_equal(waitpid(reader, &status, 0), reader);
        assert_int_equal(status, 0);
        expect_file("got", text);
        assert_int_equal(mode_of("fifo"), S_IFIFO | 0600);
    }
    leave_folder(state);
}

/* Devices of our own: the one that takes all, and the one that is always full. */
static void test_devices(void **state) {
    enter_folder(state);
    if (mknod("null", S_IFCHR | 0600, makedev(1, 3)) < 0 ||
        mknod("full", S_IFCHR | 0600, makedev(1, 7)) < 0) {
        leave_folder(state);
        skip();
    }
    int fd = open("null", O_WRONLY); /* a file system may forbid their use */
    if (fd < 0) {
        leave_folder(state);
        skip();
    }
    close(fd);
    expect_ok(dun_file_write("null", text, sizeof text - 1));
    assert_true(S_ISCHR(mode_of("null")));
    expect_error(dun_file_write("full", text, sizeof text - 1), DUN_FAILED, "full: ", "No space left");
    assert_true(S_ISCHR(mode_of("full")));
    dun_stream stream;
    expect_ok(dun_stream_begin(&stream, "full"));
    expect_error(dun_stream_add(&stream, text, sizeof text - 1), DUN_FAILED, "full: ", "No space left");
    dun_stream_discard(&stream);
    assert_true(S_ISCHR(mode_of("full")));
    leave_folder(state);
}

/* A file that our own output goes to gets the bytes behind what it has, for the name must stay with it. */
static void test_own_output(void **state) {
    enter_folder(state);
    make("log", "before ", 0644);
    fflush(stderr);
    int kept = dup(STDERR_FILENO), fd = open("log", O_WRONLY | O_APPEND);
    assert_true(kept >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    int rc = dun_file_write("log", text, sizeof text - 1);
    assert_int_equal(write(STDERR_FILENO, " after", 6), 6);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    close(fd);
    expect_ok(rc);
    expect_file("log", "before what is written after");
    leave_folder(state);
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full in the middle: the old file stays whole, a stream keeps its whole records. */
static void test_full(void **state) {
    dun_stream stream = {0};
    enter_folder(state);
    signal(SIGXFSZ, SIG_IGN);
    make("old", "old", 0640);
    limit_files(8);
    int replaced = dun_file_write("old", text, sizeof text - 1);
    char message[200];
    snprintf(message, sizeof message, "%s", dun_error_message());
    int begun = dun_stream_begin(&stream, "records");
    int first = dun_stream_add(&stream, "12345\n", 6), second = dun_stream_add(&stream, "67890\n", 6);
    int third = dun_stream_add(&stream, "7\n", 2), synced = dun_stream_sync(&stream);
    dun_stream_close(&stream);
    limit_files(RLIM_INFINITY);
    assert_int_equal(replaced, DUN_FAILED);
    assert_non_null(strstr(message, "old: cannot be written: File too large"));
    expect_file("old", "old");
    assert_int_equal(mode_of("old"), S_IFREG | 0640);
    expect_no_temp();
    assert_true(begun == DUN_OK && first == DUN_OK && second == DUN_FAILED && third == DUN_OK &&
                synced == DUN_OK);
    expect_file("records", "12345\n7\n");
    leave_folder(state);
}

static void test_streams(void **state) {
    dun_stream stream;
    enter_folder(state);
    make("log", "one\n", 0644);
    expect_ok(dun_stream_go_on(&stream, "log"));
    assert_int_equal(stream.bytes, 4);
    expect_ok(dun_stream_add(&stream, "two\n", 4));
    expect_ok(dun_stream_cut(&stream, 6));
    expect_ok(dun_stream_add(&stream, "!\n", 2));
    expect_ok(dun_stream_sync(&stream));
    dun_stream_close(&stream);
    expect_file("log", "one\ntw!\n");
    assert_int_equal(symlink("log", "link"), 0);
    expect_ok(dun_stream_begin(&stream, "link"));
    expect_ok(dun_stream_add(&stream, "new", 3));
    dun_stream_discard(&stream); /* a link is somebody's, and stays */
    assert_true(S_ISLNK(mode_of("link")));
    expect_file("log", "new");
    expect_ok(dun_stream_begin(&stream, "log"));
    dun_stream_discard(&stream);
    assert_int_equal(access("log", F_OK), -1);
    dun_stream_close(&stream); /* fine when it is not open */
    expect_ok(dun_stream_sync(&stream));
    leave_folder(state);
}

static int write_both(void) {
    int rc = DUN_OK;
    dun_stream stream = {0};
    TRY(dun_file_write("old", text, sizeof text - 1));
    TRY(dun_stream_begin(&stream, "records"));
    TRY(dun_stream_add(&stream, "1\n", 2));
    TRY(dun_stream_cut(&stream, 0));
    TRY(dun_stream_sync(&stream));
out:
    dun_stream_close(&stream);
    expect_no_temp();
    return rc;
}

static int write_new(void) {
    bool made;
    const int rc = dun_file_write_new(&made, "new", text, sizeof text - 1);
    assert_int_equal(made, rc == DUN_OK);
    assert_int_equal(access("new", F_OK), made ? 0 : -1);
    expect_no_temp();
    return rc;
}

/* A file that one of many makes, whole. */
static void test_new(void **state) {
    enum { PROCESSES = 8 };
    bool made;
    int status, n_made = 0;
    enter_folder(state);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            const int rc = dun_file_write_new(&made, "file", text, sizeof text - 1);
            _exit(rc < 0 ? 2 : made);
        }
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) < 2);
        n_made += WEXITSTATUS(status);
    }
    assert_int_equal(n_made, 1);
    expect_file("file", text);
    make("here", "before", 0644);
    expect_ok(dun_file_write_new(&made, "here", text, sizeof text - 1));
    assert_false(made);
    expect_file("here", "before");
    expect_no_temp();
    expect_error(dun_file_write_new(&made, "nowhere/file", text, 1), DUN_FAILED, "nowhere/file: ", "");
    walk_failures(write_new);
    expect_file("new", text);
    leave_folder(state);
}

static void test_faults(void **state) {
    enter_folder(state);
    make("old", "old", 0644);
    walk_failures(write_both);
    leave_folder(state);
}

/* A folder whose parent could be made and which could not: why, not that it is not there. */
static void test_folders(void **state) {
    (void)state;
    char path[300] = "new/parent/";
    size_t there;
    bool made;
    memset(path + strlen(path), 'x', sizeof path - 1 - strlen(path));
    path[sizeof path - 1] = '\0';
    expect_error(dun_dir_make(path), DUN_FAILED, "new/parent/x", strerror(ENAMETOOLONG));
    assert_true(dun_dir_exists("new/parent"));
    assert_int_equal(dun_dir_make_new(&there, "new/parent/one/two"), DUN_OK);
    assert_int_equal(there, strlen("new/parent"));
    dun_dir_remove_new("new/parent/one/two", there);
    assert_false(dun_dir_exists("new/parent/one"));
    assert_true(dun_dir_exists("new/parent"));
    assert_int_equal(dun_dir_claim(&made, &there, "new/parent"), DUN_OK);
    assert_false(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),     cmocka_unit_test(test_refused), cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_devices),    cmocka_unit_test(test_full),    cmocka_unit_test(test_streams),
        cmocka_unit_test(test_own_output), cmocka_unit_test(test_faults),  cmocka_unit_test(test_new),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
