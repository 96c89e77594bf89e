#!/usr/bin/env bash
# Your file and what dunlin makes of it: every row of the table in docs/data.md, with files as people have them, is
# what init, train and classify make of them. Usage: shapes.sh DUNLIN FIXTURES SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
source=$3
export DUNLIN_MODEL_PATH=$fixtures/tiny-a.gguf

# rows N FORMAT: N lines of it, with %t a text of its own, %n a number and %a good or bad in turns.
rows() {
    local i line
    for ((i = 0; i < $1; i++)); do
        line="${2//%t/a text of number $i words}"
        line="${line//%n/$i}"
        printf '%s\n' "${line//%a/$([ $((i % 2)) -eq 0 ] && echo good || echo bad)}"
    done
}
: >shapes
# shape ROW: what follows is a row of the table, by its first column.
shape() {
    printf '%s\n' "$1" >>shapes
}
# read_as TEXTS ANSWERS FILE: init finds so many texts with two classes, its config trains with all of the file (and
# settings in `more`), and with that run the file has so many answers. FILE is there already. What training said is in
# `err-train`.
more=()
read_as() {
    local texts=$1 answers=$2 file=$3 found
    rm -rf made
    ends 0 init made --data "$file"
    found=$(sed -n 's/^split *\([0-9]*\) texts to train with, \([0-9]*\) to validate.*/\1 \2/p' out)
    [ $((${found/ /+})) -eq "$texts" ] || fail "init $file: '$found' texts, expected $texts"
    matches out 'bad \([0-9]+\), good \([0-9]+\)'
    ends 0 train made/config.ini --quiet --out made/run --device "$device" --set train.epochs=1 --set output.report=no \
        --set "data.train=$file" "${more[@]}"
    cp err err-train
    ends 0 classify made/run "$file" --json
    [ "$(wc -l <out)" -eq "$answers" ] || fail "classify $file: $(wc -l <out) answers, expected $answers"
}
# is FILE: the same, of a file with ten rows, which stdin is.
is() {
    cat >"$1"
    read_as 10 10 "$1"
}
# refused FILE MESSAGE [CLASSIFY]: init and train say that of stdin, and so does classify unless it answers (0).
refused() {
    local file=$1 message=$2
    cat >"$file"
    rm -rf made
    ends 3 init made --data "$file"
    says err "$file"
    says err "$message"
    [ ! -e made ] || fail "init $file leaves a folder"
    ends 3 train whole.ini --set "data.train=$file" --set data.header=no --set data.text_column= \
        --set data.label_column= --out made
    says err "$message"
    ends "${3:-3}" classify whole "$file"
    [ "${3:-3}" -eq 0 ] || says err "$message"
}

rows 10 $'%t\t%a' >data.tsv
tiny_config data.tsv >whole.ini <<'INI'
[prompt]
init = vocab
[train]
epochs = 1
INI
ends 0 train whole.ini --out whole --quiet

shape 'TSV: text, tab, label'
rows 10 $'%t\t%a' | is a.tsv
rows 10 $'%t "so"\t%a' | is quotes.tsv
says made/train.tsv '"so"'
(printf 'text\tlabel\n'; rows 10 $'"the ""%t"""\t%a') | is sheet.tsv
ends 0 classify made/run sheet.tsv --json
says out '"text":"the \"a text of number 0 words\""'

shape 'CSV (RFC 4180): commas, semicolons, bars or tabs'
rows 10 '"%t, ""quoted"" and
over lines",%a' | is commas.csv
rows 10 '%t; %a' | is semicolons.csv
rows 10 '%t: so it is|%a' | is bars.csv
ends 0 train whole.ini --set data.train=bars.csv --set data.valid=bars.csv --out bars --quiet
rows 10 $'%t\t%a' | is tabs.csv
(rows 99 '%t;%a'; echo 'one; column; too many') >some.csv
ends 3 train whole.ini --set data.train=some.csv --out some
says err 'some.csv:100: 3 columns, the others have 2'

# shellcheck disable=SC2016 # as the page has it
shape 'a first line `sep=;`'
(echo 'sep=;'; echo 'text;label'; rows 10 '%t, with commas;%a') | is sep.csv

shape 'a quote inside a field that does not begin with one (24" screen), blanks round a quoted field'
rows 10 'a 24" screen %t,%a' | is inch.csv
rows 10 '%n, "%t, it is" ,%a' | is blanks.csv
ends 0 classify made/run blanks.csv --json
says out '"text":"a text of number 0 words, it is"'

shape 'JSON lines; an array of objects; objects over several lines'
rows 10 '{"text":"%t","label":"%a"}' | is a.jsonl
(echo '['; rows 9 '{"text":"%t","label":"%a"},'; echo '{"text":"the last","label":"bad"}]') | is array.json
rows 10 '{"text":"%t",
  "label":"%a"}' | is objects.json
rows 10 '{"text":"%t","label":["%a"]}' | is lists.jsonl
rows 10 '{"id":123456789012345678%n,"text":"%t","label":"%a"}' | is ids.jsonl
says out '"text":"a text of number 0 words"'
# The classes are numbers, true and false.
for value in 'true false' '1 0' '1.0 0'; do
    rows 10 '{"text":"%t","label":%a}' | sed "s/:good/:${value% *}/; s/:bad/:${value#* }/" >values.jsonl
    rm -rf made
    ends 0 init made --data values.jsonl
    matches out '^classes   (0|false) \(5\), (1|true) \(5\)$'
done

# shellcheck disable=SC2016 # as the page has it
shape 'fastText: `__label__good the text`'
rows 10 '__label__%a %t' | is a.ft

shape 'lines that end with LF, CRLF, or CR alone; gzip; a byte order mark; links to files without an ending'
(echo 'text,label'; rows 10 '%t,%a') >lf.csv
read_as 10 10 lf.csv
sed 's/$/\r/' lf.csv | is crlf.csv
tr '\n' '\r' <lf.csv | is cr.csv
gzip -n <lf.csv | is packed.csv.gz
(printf '\xef\xbb\xbf'; cat lf.csv) | is mark.csv
(printf '\xff\xfe'; iconv -f UTF-8 -t UTF-16LE lf.csv) | is utf16.csv
(printf '\xfe\xff'; iconv -f UTF-8 -t UTF-16BE lf.csv) | is utf16be.csv
mkdir blobs
mv lf.csv blobs/0123
ln -s blobs/0123 link.csv
read_as 10 10 link.csv

shape 'columns without a name behind the text, as spilled commas leave them'
(echo 'label,text,,'; rows 10 '%a,%t, and, more') | is spilled.csv
says err-train '10 texts go on in columns without a name'
says out 'words, and, more"'

shape 'a header with one name less than rows have cells, as R writes it'
(echo 'text,label'; rows 10 '%n,%t,%a') | is short.csv
says out '"text":"a text of number 0 words"'
(echo 'text , label'; rows 10 '%t,%a,') | is comma.csv
says out '"text":"a text of number 0 words"'

shape 'blank lines, rows of empty fields, empty texts'
(rows 30 '%t,%a'; printf '\n  \n,\n,good\n'; rows 10 'more of %t,%a'; printf '\n') >blank.csv
read_as 40 42 blank.csv
says err-train 'read 40 of 41 rows: 1 empty text (34); 4 blank lines'
(rows 10 '%t,%a'; printf '\n,\n') >rows.csv
read_as 10 11 rows.csv
says err-train 'read 10 of 10 rows: 2 blank lines'

shape 'a row without a label, or with another number of columns'
(rows 40 '%t,%a'; printf 'none,\na,b,c\n') >uneven.csv
ends 3 train whole.ini --set data.train=uneven.csv --out uneven
says err 'uneven.csv:41: the label is empty; one for every text is needed, or data.bad_rows = skip'
more=(--set data.bad_rows=skip)
read_as 40 42 uneven.csv
more=()
says err-train 'read 40 of 42 rows: 1 without a label (41), 1 with another number of columns (42)'

# shellcheck disable=SC2016 # as the page has it
shape 'a JSON object with the records in a list (`{"data": [...]}`); `NaN` in JSON'
printf '{"data":[%s]}' '{"text":"a b","label":"good"},{"text":"c d","label":"bad"}' |
    refused wrapped.json 'the records are in the list "data"'
printf '%s\n' '{"text":"a b","label":"good","n":NaN}' '{"text":"c d","label":"bad"}' |
    refused nan.jsonl 'nan.jsonl:1:34: NaN is no JSON; a number or null is needed' 0

shape 'more than 5 of 100 rows that would be passed over'
(rows 40 '%t,%a'; printf 'none,\nnone,\nnone,\n') >many.csv
ends 3 train whole.ini --set data.train=many.csv --set data.bad_rows=skip --out many
says err 'more than 5 of 100 rows'
ends 3 init many --data many.csv

shape 'Windows-1252, UTF-16 without a mark'
(rows 9 '%t,%a'; printf 'caf\xe9,bad\n') | refused windows.csv "windows.csv:10: 0xe9 at byte" 0
says err 'lines that are not all UTF-8: 1'
ends 3 init made --data windows.csv
says err "iconv -f WINDOWS-1252 -t UTF-8 'windows.csv' > NEW"
rows 10 '%t,%a' | iconv -f UTF-8 -t UTF-16LE | refused silent.csv "iconv -f UTF-16LE -t UTF-8 'silent.csv' > NEW"

shape 'Parquet, Excel, ZIP and other archives, HTML, PDF, ...'
# What it is, and its first bytes.
while IFS='~' read -r what bytes; do
    # shellcheck disable=SC2059 # the bytes are a format
    printf "$bytes" | refused foreign.csv "is $what"
done <<'ROWS'
a Parquet file~PAR1\x15\x04
an Arrow or Feather file~ARROW1\x00\x00
an Excel workbook~PK\x03\x04\x14\x00\x06\x00[Content_Types].xml
an OpenDocument file~PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet
a ZIP archive~PK\x03\x04\x0a\x00data.csv
an old Excel workbook~\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1
a PDF document~%%PDF-1.7\n%%\xe2\xe3
an RTF document~{\\rtf1\\ansi text\\tab label\\par}
an HTML page~<!DOCTYPE html>\n<html><body>Sign in</body></html>
an HTML page~\n<html>
XML~<?xml version="1.0"?><rows/>
an SQLite database~SQLite format 3\x00
an HDF5 file~\x89HDF\r\n\x1a\n
a NumPy array~\x93NUMPY\x01\x00
a Python pickle~\x80\x04\x95\x10
a 7z archive~7z\xbc\xaf\x27\x1c
a RAR archive~Rar!\x1a\x07\x00
compressed by bzip2~BZh91AY&SY
compressed by xz~\xfd7zXZ\x00
compressed by zstd~\x28\xb5\x2f\xfd
a model in GGUF~GGUF\x03\x00\x00\x00
a Git LFS pointer~version https://git-lfs.example/spec/v1\n
a picture~\x89PNG\r\n\x1a\n
a program~\x7fELF\x02
ROWS
tar -cf - data.tsv | refused archive.csv 'is a tar archive'

# shellcheck disable=SC2016 # as the page has it
shape 'a label that is a list of several, or an object; `\"` inside quotes'
for label in '["good","bad"]' '{"is":"good"}'; do
    (rows 40 '{"text":"%t","label":"%a"}'; echo "{\"text\":\"x\",\"label\":$label}") >label.jsonl
    ends 3 train whole.ini --set data.train=label.jsonl --out label
    matches err 'label.jsonl:41: the label is (a list|an object)'
done
(rows 10 '%t,%a'; echo '"a \"b\" c",good') >backslash.csv
for command in 'init made --data backslash.csv' 'train whole.ini --set data.train=backslash.csv --out label'; do
    # shellcheck disable=SC2086 # several words
    ends 3 $command
    says err 'backslash.csv:11: \" inside quotes'
done
ends 0 classify whole backslash.csv
[ "$(wc -l <out)" -eq 11 ] || fail 'classify: not an answer for each row of backslash.csv'

# The table has these rows and no others.
sed -n '/^| your file /,/^$/s/^| \(.*\) | [^|]*|$/\1/p' "$source/docs/data.md" | tail -n +2 >in-docs
diff in-docs shapes >err || fail "docs/data.md has other rows than are tested: $(cat err)"

finish
echo "all as expected"
