/* A learning curve's JSON on its page. See curve_page.h. */
#include "report/curve_page.h"

#include "base/err.h"
#include "base/json.h"
#include "report/page.h"

int dun_curve_page(dun_str *html, const dun_curve *curve) {
    int rc = DUN_OK;
    dun_str json = {0}, title = {0};
    json_t *root = NULL;
    TRY(dun_curve_json(&root, curve));
    TRY(dun_json_dump(&json, root));
    TRY(dun_str_addf(&title, "%s: learning curve", curve->name));
    TRY(dun_page_add(html, DUN_PAGE_CURVE, title.bytes, &json));
out:
    json_decref(root);
    dun_str_free(&title);
    dun_str_free(&json);
    return rc;
}
