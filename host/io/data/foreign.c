/* The first bytes of formats that people take for text files, and what to do with each. */
#include "io/data/foreign.h"

#include "base/err.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define MAGIC(text) text, sizeof(text) - 1
static const char as_csv[] = "save the table as CSV in UTF-8";
static const char unpack[] = "unpack it first";

/* `at`: where the bytes stand. */
static const struct {
    size_t at;
    const char *magic;
    size_t n;
    const char *what, *way;
} formats[] = {
    {0, MAGIC("PAR1\x15"), "a Parquet file",
     "write it as JSON lines or CSV (pandas: read_parquet, then to_csv)"},
    {0, MAGIC("ARROW1"), "an Arrow or Feather file", "write it as JSON lines or CSV"},
    {0, MAGIC("\xff\xff\xff\xff"), "an Arrow stream", "write it as JSON lines or CSV"},
    {0, MAGIC("Obj\x01"), "an Avro file", "write it as JSON lines or CSV"},
    {0, MAGIC("SQLite format 3"), "an SQLite database",
     "export the table (sqlite3 -csv -header FILE 'SELECT ...')"},
    {0, MAGIC("\x89HDF\r\n"), "an HDF5 file", "write it as JSON lines or CSV"},
    {0, MAGIC("\x93NUMPY"), "a NumPy array", "texts and labels are needed, as CSV or JSON lines"},
    {0, MAGIC("\x80\x03"), "a Python pickle", "write its data as JSON lines or CSV"},
    {0, MAGIC("\x80\x04\x95"), "a Python pickle", "write its data as JSON lines or CSV"},
    {0, MAGIC("\x80\x05\x95"), "a Python pickle", "write its data as JSON lines or CSV"},
    {0, MAGIC("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old Excel workbook or Word document", as_csv},
    {0, MAGIC("%PDF-"), "a PDF document", "its text is needed, as CSV or JSON lines"},
    {0, MAGIC("{\\rtf"), "an RTF document", as_csv},
    {0, MAGIC("7z\xbc\xaf\x27\x1c"), "a 7z archive", unpack},
    {0, MAGIC("Rar!\x1a\x07"), "a RAR archive", unpack},
    {0, MAGIC("BZh91AY&SY"), "compressed by bzip2", "unpack it first (bunzip2), or use gzip"},
    {0,
     MAGIC("\xfd"
           "7zXZ"),
     "compressed by xz", "unpack it first (unxz), or use gzip"},
    {0, MAGIC("\x28\xb5\x2f\xfd"), "compressed by zstd", "unpack it first (unzstd), or use gzip"},
    {0, MAGIC("\x04\x22\x4d\x18"), "compressed by lz4", "unpack it first (unlz4), or use gzip"},
    {257, MAGIC("ustar"), "a tar archive", unpack},
    {0, MAGIC("GGUF\x02\0\0\0"), "a model in GGUF",
     "that belongs to model.path; texts and labels are needed here"},
    {0, MAGIC("GGUF\x03\0\0\0"), "a model in GGUF",
     "that belongs to model.path; texts and labels are needed here"},
    {0, MAGIC("version https://git-lfs"), "a Git LFS pointer",
     "the file itself was not fetched: git lfs pull"},
    {0,
     MAGIC("\x7f"
           "ELF"),
     "a program", "a file of texts and labels is needed"},
    {0, MAGIC("\x89PNG"), "a picture", "a file of texts and labels is needed"},
    {0, MAGIC("\xff\xd8\xff"), "a picture", "a file of texts and labels is needed"},
};

/* Does the part occur near the beginning? */
static bool holds(const char *bytes, size_t length, const char *part) {
    const size_t n = strlen(part), most = length < 4096 ? length : 4096;
    for (size_t at = 0; at + n <= most; at++)
        if (memcmp(bytes + at, part, n) == 0)
            return true;
    return false;
}

/* ZIP is a family: what is inside tells which. */
static int refuse_zip(const char *bytes, size_t length, const char *name) {
    const bool excel = holds(bytes, length, "xl/") || holds(bytes, length, "[Content_Types].xml");
    const bool calc = holds(bytes, length, "opendocument");
    return dun_error(DUN_BAD_INPUT, "%s: is %s, not text; %s", name,
                     excel  ? "an Excel workbook (or another Office document)"
                     : calc ? "an OpenDocument file"
                            : "a ZIP archive",
                     excel || calc ? as_csv : unpack);
}

static int refuse_markup(const char *bytes, size_t length, const char *name) {
    static const char *const html[] = {"<!doctype html", "<html"};
    while (length && strchr(" \t\r\n", *bytes)) {
        bytes++;
        length--;
    }
    for (size_t i = 0; i < sizeof html / sizeof *html; i++)
        if (length >= strlen(html[i]) && strncasecmp(bytes, html[i], strlen(html[i])) == 0)
            return dun_error(DUN_BAD_INPUT,
                             "%s: is an HTML page, not the file; a page that was downloaded instead of it, "
                             "perhaps of a login or an error: fetch the raw file",
                             name);
    if (length >= 5 && memcmp(bytes, "<?xml", 5) == 0)
        return dun_error(DUN_BAD_INPUT, "%s: is XML, which is not read; CSV or JSON lines are needed", name);
    return DUN_OK;
}

int dun_foreign_refuse(const char *bytes, size_t length, const char *name) {
    if (length >= 4 && memcmp(bytes, "PK\x03\x04", 4) == 0)
        return refuse_zip(bytes, length, name);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (length >= formats[i].at + formats[i].n &&
            memcmp(bytes + formats[i].at, formats[i].magic, formats[i].n) == 0)
            return dun_error(DUN_BAD_INPUT, "%s: is %s, not text; %s", name, formats[i].what, formats[i].way);
    return DUN_OK;
}

int dun_foreign_refuse_file(const char *bytes, size_t length, const char *name) {
    int rc;
    TRY(dun_foreign_refuse(bytes, length, name));
    TRY(refuse_markup(bytes, length, name));
out:
    return rc;
}
