/* The page of a learning curve: one file that needs nothing else. */
#ifndef DUN_CURVE_PAGE_H
#define DUN_CURVE_PAGE_H

#include "run/curve.h"

int dun_curve_page(dun_str *html, const dun_curve *curve);

#endif
