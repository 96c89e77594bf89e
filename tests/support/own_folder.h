/* A folder of the test's own below /tmp: entered before its cases, with all that is in it removed after them.
 */
#ifndef OWN_FOLDER_H
#define OWN_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char before_folder[4096], folder[32];

static inline int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/dunlin-test-XXXXXX");
    assert_non_null(getcwd(before_folder, sizeof before_folder));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    return 0;
}

static inline int leave_folder(void **state) {
    (void)state;
    char command[100];
    assert_int_equal(chdir(before_folder), 0);
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -r %s", folder, folder);
    assert_int_equal(system(command), 0);
    return 0;
}

#endif
