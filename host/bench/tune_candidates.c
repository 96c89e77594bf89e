/* The rows that are tried, products first; tiles that a row does not name are the device's default. */
#include "bench/tune_candidates.h"

#include <stddef.h>

#define TS(m, n, k, wm, wn, vw, pad)                                                                         \
    "TS_M=" #m " TS_N=" #n " TS_K=" #k " WPT_M=" #wm " WPT_N=" #wn " TS_VW=" #vw " TS_PAD=" #pad

const dun_tune_candidate dun_tune_products[] = {
    {DUN_TUNE_CPU, true, "reg", ""},
    {DUN_TUNE_CPU, true, "reg", "REG_AHEAD=0"},
    {DUN_TUNE_CPU, false, "reg", "REG_MR=12 REG_VW=16"},
    {DUN_TUNE_CPU, true, "reg", "REG_MR=6 REG_VW=8"},
    {DUN_TUNE_CPU, false, "reg", "REG_MR=12 REG_VW=8"},
    {DUN_TUNE_CPU, false, "reg", "REG_MR=6 REG_VW=16"},
    {DUN_TUNE_CPU, false, "reg", "REG_MR=4 REG_VW=8"},
    {DUN_TUNE_CPU, false, "reg", "REG_MR=4 REG_VW=4"},
    {DUN_TUNE_CPU, false, "local", ""},
    {DUN_TUNE_CPU, false, "local", TS(16, 16, 32, 16, 16, 4, 0)},
    {DUN_TUNE_CPU, false, "clblast", ""},
    {DUN_TUNE_GPU, true, "local", ""},
    {DUN_TUNE_GPU, true, "local", TS(128, 128, 16, 8, 8, 4, 4)},
    {DUN_TUNE_GPU, true, "local", TS(64, 64, 16, 4, 4, 4, 4)},
    {DUN_TUNE_GPU, true, "local", TS(64, 128, 16, 8, 8, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(64, 64, 16, 8, 8, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(64, 64, 32, 8, 4, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(64, 64, 8, 8, 4, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(128, 64, 16, 8, 8, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(128, 64, 8, 8, 4, 4, 4)},
    {DUN_TUNE_GPU, true, "local", TS(32, 64, 16, 4, 4, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(32, 64, 32, 4, 4, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(32, 32, 16, 4, 4, 4, 4)},
    {DUN_TUNE_GPU, false, "local", TS(64, 64, 16, 4, 4, 2, 2)},
    {DUN_TUNE_GPU, true, "clblast", ""},
    {DUN_TUNE_GPU, false, "reg", ""},
    {0},
};

const dun_tune_candidate dun_tune_rows[] = {
    {DUN_TUNE_GPU, false, "local", "TS_SPLIT=1"}, {DUN_TUNE_GPU, true, "local", "TS_SPLIT=16"},
    {DUN_TUNE_ALL, false, "local", "TS_HALF=1"}, /* shown, never chosen: it changes the results */
    {DUN_TUNE_CPU, false, NULL, "VW=8"},          {DUN_TUNE_CPU, true, NULL, "WG=16 ATT_WG=16"},
    {DUN_TUNE_GPU, true, NULL, "ATT_WG=32"},      {DUN_TUNE_GPU, false, NULL, "ATT_WG=128"},
    {DUN_TUNE_GPU, false, NULL, "ATT_WG=1"},      {DUN_TUNE_GPU, true, NULL, "WG=128"},
    {DUN_TUNE_GPU, false, NULL, "WG=256"},        {DUN_TUNE_GPU, false, NULL, "WG=32"},
    {DUN_TUNE_GPU, true, NULL, "SUB_GROUPS=1"},   {0},
};
