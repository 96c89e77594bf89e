#!/usr/bin/env bash
# dunlin init on files as people have them, and on hostile ones: what it finds, that its config trains at once,
# that nothing is overwritten or left behind. Usage: init.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
export DUNLIN_MODEL_PATH=$fixtures/tiny-a.gguf

# init STATUS DIR ARGS...
init() {
    local wanted=$1 status
    shift
    "$dunlin" init "$@" >out 2>err
    status=$?
    [ $status -eq "$wanted" ] || fail "init $*: exit status $status, expected $wanted: $(cat err)"
    [ "$wanted" -eq 0 ] || [ ! -e "${1-}/config.ini" ] || fail "init $*: failed, but left a config"
}
hasnt() {
    ! grep -qF -e "$2" "$1" || fail "$1 contains '$2'"
}
# trains DIR: from another folder than that of the config.
trains() {
    (cd / && "$dunlin" train -q "$work/$1/config.ini" --out "$work/$1/run" --device "$device" \
        --set train.epochs=1) >out 2>err || fail "the config of $1 does not train: $(cat err)"
}

# TSV without a header: every text is on one side, each class on both, and twice the same.
for i in {1..20}; do
    printf 'what a fine day number %d\tgood\nnothing works in week %d\tbad\n' "$i" "$i"
done >plain.tsv
init 0 plain --data plain.tsv
says out 'bad (20), good (20)'
says out '32 texts to train with, 8 to validate'
hasnt plain/config.ini 'header = yes'
hasnt plain/config.ini text_column
sort plain/train.tsv plain/valid.tsv | cmp -s - <(sort plain.tsv) || fail "the split loses or doubles texts"
[ "$(grep -c good plain/valid.tsv)" -eq 4 ] || fail "the split is not the same share of every class"
init 0 again --data plain.tsv
cmp -s plain/train.tsv again/train.tsv || fail "the split is another one the second time"
trains plain
says plain/run/config.ini "train = $work/plain/train.tsv"

# Nothing is overwritten.
cp plain/config.ini before.ini
"$dunlin" init plain --data plain.tsv >out 2>err && fail "a config was overwritten"
says err 'exists already'
cmp -s plain/config.ini before.ini || fail "a config was changed"
mkdir kept
printf 'mine' >kept/train.tsv
init 1 kept --data plain.tsv
[ "$(cat kept/train.tsv)" = mine ] || fail "a file was overwritten"
[ ! -e kept/config.ini ] || fail "a config beside a file that is in the way"

# CSV with a header, an id, quotes, newlines inside, CRLF and a byte order mark.
{
    printf '\xef\xbb\xbfid,Review,Stars\r\n'
    for i in {1..10}; do
        printf '%d,"so ""good"", really\r\nvery %d",5\r\n%d,poor and dull,1\r\n%d,middling,3\r\n' \
            $((3 * i)) "$i" $((3 * i + 1)) $((3 * i + 2))
    done
} >stars.csv
init 0 stars --data stars.csv
says stars/config.ini 'text_column = Review'
says stars/config.ini 'label_column = Stars'
says stars/config.ini 'header = yes'
says out '1 (10), 3 (10), 5 (10)'
[ "$(head -c 9 stars/valid.csv)" = id,Review ] || fail "the split has no header"
[ "$(grep -c very stars/valid.csv)" -eq 2 ] || fail "the split breaks texts with newlines"
trains stars

# The label before the text, no header, and the file's name says nothing.
for i in {1..8}; do printf 'spam\tbuy %d pills now\nham\tsee you at %d o clock\n' "$i" "$i"; done >mail.txt
init 0 mail --data mail.txt
says out 'tsv, text in column 1, label in column 0'
says mail/config.ini 'label_column = 0'
trains mail

# JSON lines with keys of their own, gzip, and a file to validate with.
for i in {1..9}; do
    printf '{"n": %d, "body": "a first kind, \\u00e9 %d", "topic": true}\n{"n": 0, "body": "another %d", "topic": false}\n' \
        "$i" "$i" "$i"
done >body.jsonl
gzip -k body.jsonl
init 0 body --data body.jsonl.gz --valid body.jsonl
says body/config.ini 'text_column = body'
says body/config.ini 'label_column = topic'
says body/config.ini "valid = $work/body.jsonl"
[ "$(ls body)" = config.ini ] || fail "init --valid leaves more than a config"
trains body

# Columns that are told, and the data that come with dunlin.
for i in {1..6}; do printf 'a%d\tx%d\tone\tp\nb%d\ty%d\ttwo\tq\n' "$i" "$i" "$i" "$i"; done >four.tsv
init 0 four --data four.tsv --text 1 --label 2
says four/config.ini 'text_column = 1'
says four/config.ini 'label_column = 2'
init 0 shipped
says out 'bad (270), good (270)'
says shipped/config.ini 'this text sounds very'
says shipped/config.ini 'count = 3'
says shipped/config.ini 'it felt"'

# Long texts: nineteen of twenty fit.
for i in {1..40}; do
    printf '%s\tlong\nshort %d\tshort\n' "$(head -c $((i * 40)) /dev/zero | tr '\0' 'w')" "$i"
done >long.tsv
init 0 long --data long.tsv
length=$(sed -n 's/^max_length = //p' long/config.ini)
if ! [ "$length" -ge 64 ] || ! [ "$length" -le 512 ]; then
    fail "max_length = $length"
fi
trains long

# A model that is not there yet: said, not refused.
DUNLIN_MODEL_PATH=$work/none.gguf init 0 later --data plain.tsv
says err 'there is no such model file yet'
says later/config.ini 'day number'
says later/config.ini ' Label: good\nText: {text} Label:{soft}"'
hasnt plain/config.ini 'Label: good' # that model reads 128 tokens
says plain/config.ini 'template = Text: {text} Label:{soft}'

# Texts that would break a template: braces are doubled; a class without a short line shows no example.
for i in {1..9}; do
    printf 'a set {%d} of {soft} things, open {\tx {y}\n%0120d\tz\nshort one here %d\tw\n' "$i" "$i" "$i"
done >braces.tsv
grep -v 0000 braces.tsv >shown.tsv
DUNLIN_MODEL_PATH=$work/none.gguf init 0 shown --data shown.tsv
says shown/config.ini '{{soft}} things, open {{ Label: x {{y}}'
DUNLIN_MODEL_PATH=$work/none.gguf init 0 unshown --data braces.tsv
says unshown/config.ini 'template = Text: {text} Label:{soft}'
"$dunlin" eval shown/config.ini --set "model.path=$fixtures/tiny-a.gguf" --set data.max_length=8 \
    --set prompt.tokens=1 --device "$device" >out 2>err
hasnt err 'prompt.template ='

# judged LABEL FILE: which column of the file on stdin is the label, among others that could be; "close": none is.
judged() {
    local wanted=$1 file=$2
    shift 2
    cat >"$file"
    rm -rf judged
    if [ "$wanted" = close ]; then
        init 2 judged --data "$file"
        says err 'two columns could be the label'
        cp err close-err
    else
        init 0 judged --data "$file" "$@"
        says out "label in column $wanted"
        trains judged
    fi
}
rows() { # COUNT FORMAT: the format with %t a text of its own, %n a number, %a good or bad, %b one of three
    local i text
    for ((i = 0; i < $1; i++)); do
        text="${2//%t/a text of number $i words}"
        text="${text//%n/$i}"
        text="${text//%a/$([ $((i % 2)) -eq 0 ] && echo good || echo bad)}"
        printf '%s\n' "${text//%b/team $((i % 3))}"
    done
}
(echo 'id,mood_sentiment,team,votes,text'; rows 12 '%n,%a,%b,0,%t') | judged mood_sentiment export.csv
(echo 'text;confidence;label'; rows 12 '"%t; more";0.5;%a') | judged label semicolons-2.csv
(echo 'sep=|'; echo 'review|stars'; rows 12 '%t|%a') | judged stars sep.csv
(echo 'v1,v2,,'; rows 12 '%a,%t, and more,') | judged v1 spilled.csv
(echo ',sentence,class'; rows 12 '%n,%t,%a') | judged class pandas.csv
(rows 12 '{"id":%n,"text":"%t","tags":["%a"],"meta":{"x":1}}') | judged tags lists.jsonl
(echo '['; rows 12 '{"text":"%t","label":"%a"},'; echo '{"text":"the last one","label":"bad"}]') | judged label array.json
(rows 12 '__label__%a %t') | judged 1 fast.txt
(echo 'text,label'; rows 12 '%t,%a') | tr '\n' '\r' | judged label mac.csv
(echo 'text,label'; rows 12 '%t,%a') | iconv -f UTF-8 -t UTF-16 | judged label excel.csv
(printf 'text\tlabel\n'; rows 12 $'"the ""%t"" of it"\t%a') | judged label quoted.tsv
(echo "text,label"; rows 12 "%t,%a,") | judged label trailing.csv
{
    printf '['
    for i in {1..6}; do
        printf '{"text":"a 24\\" text %d","label":"good"},{"text":"a 27\\" text %d","label":"bad"},' "$i" "$i"
    done
    printf '{"text":"","label":"bad"},{"text":"the last one","label":"bad"}]'
} | judged label one-line.json
grep -q '"text":""' judged/*.jsonl && fail 'an empty text was copied'
[ "$(cat judged/train.jsonl judged/valid.jsonl | sort -u | wc -l)" -eq 13 ] || fail 'a split of records in one line'
(echo 'text,topic,category'; rows 12 '%t,%b,%a') | judged close close.csv
(echo 'text,topic,category'; rows 12 '%t,%b,%a') | judged topic close.csv --label topic
# The same on a terminal, which is asked. typed ANSWER STATUS: what is typed, as printf reads it, and how init ends.
typed() {
    local status
    rm -rf asked
    # shellcheck disable=SC2059 # the answer is a format
    printf -- "$1" | script -qec "'$dunlin' init asked --data close.csv" /dev/null >out 2>err
    status=$?
    [ $status -eq "$2" ] || fail "init on a terminal, '$1': exit status $status, expected $2"
    says out 'close.csv: which column is the label?'
    matches out '^1  (topic|category) \([23] values: '
    matches out '^2  (topic|category) \([23] values: '
}
first=$(sed -n "s/.*--label \([a-z]*\)$/\1/p" close-err)
case $first in topic) second=category ;; *) second=topic ;; esac
for answer in '\n' '1\n'; do
    typed "$answer" 0
    says asked/config.ini "label_column = $first"
done
typed '2\n' 0
says asked/config.ini "label_column = $second"
for answer in '3\n' '0\n' 'x\n' '-1\n'; do
    typed "$answer" 2
    says out '1 to 2 was to be answered'
    [ ! -e asked ] || fail "init on a terminal, '$answer': leaves a folder"
done
typed '' 2
says out 'no answer; --label COLUMN is needed'

{
    for ((i = 0; i < 1200; i++)); do printf 'bad thing %d\tneg\n' "$i"; done
    for ((i = 0; i < 300; i++)); do printf 'good thing %d\tpos\n' "$i"; done
} | judged 1 sorted.tsv
(echo "text,$(seq -s , 100),label"; rows 12 "%t,$(printf '0,%.0s' {1..100})%a") | judged label wide.csv

# What cannot be right.
printf 'a\tx\nb\tx\nc\tx\n' >one.tsv
init 3 no --data one.tsv
says err 'at least two classes'
printf 'only texts\nand more\nand more of it\n' >none.tsv
init 3 no --data none.tsv
says err 'one column only'
printf 'a;x\nb;y\nc;x\nd;y\n' >semicolons.csv
init 0 semicolons --data semicolons.csv
says out 'x (2), y (2)'
printf 'text one\tl1\ntext two\tl2\ntext three\tl3\n' >unique.tsv
init 3 no --data unique.tsv
says err 'no column looks like labels'
printf 'a\tx\nb\ty\nc\t\tx\nd\ty\na\tx\nb\ty\n' >uneven.tsv
init 0 uneven --data uneven.tsv
says err 'read 5 of 6 rows: 1 with another number of columns (3)'
printf 'a,x\n"b,y\nc,x\nd,y\n' >open.csv
init 3 no --data open.csv
printf 'a\tx\n\xff\ty\n' >latin.tsv
init 3 no --data latin.tsv
says err 'UTF-8'
printf 'a\0\tx\n' >nul.tsv
init 3 no --data nul.tsv
: >empty.tsv
init 3 no --data empty.tsv
printf '{"text": "a", "label": [1]}\n{"text": "b"}\n' >wrong.jsonl
init 3 no --data wrong.jsonl
printf '{"text": "a"\n' >broken.jsonl
init 3 no --data broken.jsonl
says err 'broken.jsonl:2:1:'
for name in wrapped.json wrapped.jsonl; do
    printf '{"name": "a set", "data": [%s]}\n' "$(rows 12 '{"text":"%t","label":"%a"},')0" >$name
    sed -i 's/},0/}/' $name
    init 3 no --data $name
    says err "$name: the records are in the list \"data\"; that list alone, or one object a line, is needed"
done
while IFS='~' read -r name content message; do
    # shellcheck disable=SC2059 # the content is a format
    printf "$content" >"$name"
    init 3 no --data "$name"
    says err "$name$message"
    [ ! -e no ] || fail "init $name: leaves a folder"
done <<'ROWS'
blank.csv~\n\n\n~:4: no texts, only 3 blank lines; a text and its label
blank.csv~,\n ,""\n~:3: no texts, only 2 blank lines
blank.tsv~text\tlabel\n\n\t\n~:4: no texts, only 2 blank lines
blank.jsonl~\n~:2: no texts, only 1 blank line;
none.csv~~:1: no texts; a text
textless.csv~text,label\n,a\n,b\n~: no record has a text in column text; what is not empty: label
textless.jsonl~{"text":"","label":"a"}\n{"text":null,"label":"b"}\n~: no record has a text at the key "text"
unlabelled.csv~text,label\na,\nb,\n~: column label is empty in all 2 rows
alike.csv~text,label\na,x\nb,x\n~: column label has the same value in all 2 rows
mixed.jsonl~{"text":"a","label":["x","y"]}\n{"text":"b","label":{"x":1}}\n~: "label" holds lists and objects in 2 of 2 rows
ROWS
(printf ',,\ntext,label,\n'; rows 12 '%t,%a,'; printf ',,\n,,\n') >late.csv
init 0 late --data late.csv
says err 'read 12 of 12 rows: 3 blank lines'
says late/config.ini 'text_column = text'
head -1 late/train.csv | grep -qx 'text,label,' || fail "init: the header of late.csv: $(head -2 late/train.csv)"
for value in '["x","y"]=lists' '{"is":"x"}=objects'; do
    rows 4 "{\"text\":\"%t\",\"label\":${value%=*}}" >held.jsonl
    init 3 no --data held.jsonl
    says err "\"label\" holds ${value#*=} in 4 of 4 rows"
done
(echo 'left,right,label'; rows 12 'of %t,so %t,%a') >two.csv
init 2 no --data two.csv
says err 'two.csv: several columns could be the texts; name one with --text COLUMN: left, right, label'
init 0 two --data two.csv --text right
says out 'text in column right, label in column label'
init 3 no --data nothing.tsv
init 2 no --data plain.tsv --label stars
says err 'plain.tsv: has no column "stars"; name one with --label COLUMN: 0, 1'
init 2 no --valid plain.tsv
init 2
printf 'x' >file
init 1 file/dir --data plain.tsv
head -c 3000000 /dev/zero | tr '\0' 'a' >huge.tsv
printf '\tx\nb\ty\nc\tx\nd\ty\n' >>huge.tsv
init 0 huge --data huge.tsv
[ ! -e no ] || fail "a refusal left a folder behind"

# Whatever fails, there is a message, no crash, and no half of a result.
n=1
while [ $n -lt 5000 ]; do
    DUNLIN_MODEL_PATH=none.gguf DUNLIN_FAIL_AT=$n "$dunlin" init faults --data plain.tsv >out 2>err
    status=$?
    [ $status -ne 0 ] || break
    if [ $status -gt 4 ] || [ ! -s err ]; then
        fail "init with operation $n failing: exit status $status"
    fi
    left=(faults/*)
    [ ! -e "${left[0]}" ] || [ ${#left[@]} -eq 3 ] || fail "init with operation $n failing leaves ${left[*]}"
    rm -rf faults
    n=$((n + 1))
done
[ $n -gt 50 ] || fail "init went through after $n failures"
[ $n -lt 5000 ] || fail "init never went through"

finish
echo "all as expected"
