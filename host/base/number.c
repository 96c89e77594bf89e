/* strtod and printf follow the thread's locale, so it is made "C" for them. See number.h. */
#include "base/number.h"

#include "base/err.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    locale_t plain, before;
} plain_locale;

static int enter(plain_locale *locale) {
    locale->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!locale->plain)
        return dun_error(DUN_FAILED, "out of memory: no locale for reading numbers");
    locale->before = uselocale(locale->plain);
    return DUN_OK;
}

static void leave(const plain_locale *locale) {
    uselocale(locale->before);
    freelocale(locale->plain);
}

int dun_number_read(double *number, bool *lost, const char *text) {
    int rc;
    plain_locale locale = {0};
    char *end;
    *lost = false;
    TRY(enter(&locale));
    errno = 0;
    *number = strtod(text, &end);
    const bool range = errno == ERANGE && (isinf(*number) || !(fabs(*number) > 0)); /* subnormals are kept */
    leave(&locale);
    /* Without hexadecimal, inf, nan and leading spaces, which strtod takes. */
    rc = end != text && !*end && strspn(text, "+-.0123456789eE") == strlen(text);
    *lost = rc && range;
    rc = rc && !range;
out:
    return rc;
}

int dun_number_add(dun_str *out, double number) {
    int rc;
    plain_locale locale = {0};
    char digits[40];
    TRY(enter(&locale));
    snprintf(digits, sizeof digits, "%.9g", number);
    double again = strtod(digits, NULL);
    if (again < number || again > number)
        snprintf(digits, sizeof digits, "%.17g", number);
    leave(&locale);
    rc = dun_str_addf(out, "%s", digits);
out:
    return rc;
}
