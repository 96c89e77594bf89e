#!/usr/bin/env bash
# dunlin classify on files as people have them: one answer a record, whatever it holds; which column is the text;
# what texts may spell of the model's control tokens. Usage: classify.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

for i in 1 2 3 4 5 6; do
    printf 'then the inn %s\tno\nqqzz qz xx%s\tyes\n' "$i" "$i"
done >data.tsv
printf 'then the in\tno\nzzqq x\tyes\n' >valid.tsv
(echo 'id,review,mark'; sed 's/\(.*\)\t\(.*\)/7,\1,\2/' data.tsv) >named.csv
(echo 'id,review,mark'; sed 's/\(.*\)\t\(.*\)/8,\1,\2/' valid.tsv) >named-valid.csv
tiny_config valid.tsv >tiny.ini <<'INI'
[prompt]
init = vocab
lr = 0.02
[train]
epochs = 2
batch_size = 5
INI
ends 0 train tiny.ini --out plain --quiet # texts are column 0, without a header
named=(--set data.train=named.csv --set data.valid=named-valid.csv --set data.header=yes)
named+=(--set data.text_column=review --set data.label_column=mark)
ends 0 train tiny.ini "${named[@]}" --out named --quiet

# reads RUN NAME CONTENT TEXTS [OPTIONS...]: a file of that name with what printf makes of CONTENT, packed where the
# name ends in .gz, is answered text by text: TEXTS, each followed by '|'. What was said is in `err`.
reads() {
    local run=$1 name=$2 content=$3 texts=$4 found
    shift 4
    # shellcheck disable=SC2059 # the content is a format
    printf "$content" >file
    case $name in
    *.gz) gzip -n <file >"$name" ;;
    *) mv file "$name" ;;
    esac
    ends 0 classify "$run" "$name" --json "$@"
    found=$(sed 's/.*"text":"\(.*\)"}$/\1/' out | tr '\n' '|')
    [ "$found" = "$texts" ] || fail "classify $run $name, '$content': texts $found, expected $texts"
}
# silent, or warned TEXT: what the last file made classify say.
silent() { [ ! -s err ] || fail 'classify says something'; }
warned() { says err "$1"; }

# The run's column, by its name or its number; nothing is said.
while IFS='~' read -r run name content texts; do
    reads "$run" "$name" "$content" "$texts"
    silent
done <<'ROWS'
named~a.csv~id,review,stars\n1,"a, b",5\n2,c,1\n~a, b|c|
named~a.csv~review\na b\nc\n~a b|c|
named~a.csv.gz~id,review\n1,a\n2,b\n~a|b|
named~a.tsv~stars\treview\n5\ta "b"\n1\tc\n~a \"b\"|c|
named~a.CSV~id;review\r\n1;a\r\n2;b\r\n~a|b|
named~bars.csv~id|review\n1|a\n2|b\n3|c\n~a|b|c|
named~sep.csv~sep=;\nid;review\n1;a, b\n~a, b|
named~mark.csv~\xef\xbb\xbfid,review\n1,a\n~a|
named~mac.csv~id,review\r1,a\r2,b\r~a|b|
named~a.jsonl~{"id":1,"review":"a\\nb"}\n\n{"review":"c","id":2}\n~a\nb|c|
named~a.ndjson~{"review":"a"}\n{"review":3}\n{"review":true}\n{"review":["b"]}\n~a|3|true|b|
named~a.json~[{"id":1,"review":"a"},\n{"id":2,"review":"b"}]~a|b|
named~a.json~{\n"review": "a"}\n{"review":\n"b"}~a|b|
plain~a.csv~a b c,no\n"d ""e""",yes\n~a b c|d \"e\"|
plain~a.csv~one text a line\nanother\n~one text a line|another|
plain~a.tsv~a b\tno\n\tyes\n \tno\n~a b|| |
plain~a.jsonl~{"text":"a"}\n{"text":""}\n~a||
plain~a.ft~__label__x a b\nc d\n__label__y __label__z e\n~a b|c d|e|
plain~a.fasttext.gz~__label__x a b\n~a b|
ROWS

# Files without a record have no answers, which is said; of an empty standard input nothing is.
while IFS='~' read -r name content said; do
    reads named "$name" "$content" ''
    warned "$name: holds no texts$said; there are no answers"
done <<'ROWS'
only.csv~review\n~, only a line that names columns
only.csv~,,\nid,review,\n~, only a line that names columns
none.csv~~
none.json~~
none.json~[]~
none.txt~~
blank.csv~\n~, only 1 blank line
blank.tsv~\n \r\n\n~, only 3 blank lines
blank.jsonl~\n\n~, only 2 blank lines
ROWS
ends 0 classify plain
silent

# Every record is answered, whatever it holds, and it is said.
while IFS='~' read -r name content texts said; do
    reads named "$name" "$content" "$texts"
    warned "$said"
done <<'ROWS'
bad.csv~id,review\n1,a\xff\n2,\x00b\n3,c\n~a�|�b|c|~lines that are not all UTF-8: 2
bad.csv~id,review\n1,a\n2\n3,b,c\n4,d\n~a||b,c|d|~records without a text: 1 (line 3)
bad.csv~id,review\n1,a\n2,Hello, big, world\n~a|Hello, big, world|~records with more than 2 columns: 1; their texts are read to
bad.csv~review,id\na,1\nb,c,2\nd,3\n~a|b|d|~records with more than 2 columns: 1; their texts are perhaps cut short
bad.csv~id,review\n1,"a"b\n2,c\n3,"d\n4,e\n~\"a\"b|c|\"d|e|~records with wrong quotes: 2; they are read as they stand
bad.tsv~id\treview\n1\ta\n2\n3\tb\n4\tc\n5\n6\n7\n8\td\n9\te\n~a||b|c||||d|e|~records without a text: 4 (line 3, 6, 7, ...)
bad.jsonl~{"review":"a"}\n{"id":1}\nno object\n{"review":null}\n{"review":["a","b"]}\n{"review":"b"}\n~a|||||b|~records without a text: 4 (line 2, 3, 4, ...)
bad.jsonl~{"review":"a\xff"}\n{"review":"b"\n~a�||~not all UTF-8: 1
bad.json~[{"review":"a"},{"review":},{"review":"b"}]~a||b|~records without a text: 1
half.csv~\xff\xfei\x00d\x00,\x00r\x00e\x00v\x00i\x00e\x00w\x00\n\x001\x00,\x00\x3d\xd8\n\x00~�|~not all UTF-8: 1
ROWS

# A column that nobody named is found and told, or asked for with those that there are.
reads plain guess.csv 'nr,comment,votes\n1,a b c,5\n2,d e f,6\n3,g h,7\n' 'a b c|d e f|g h|'
warned 'guess.csv: the texts are taken to be column comment, which the first line names; --text COLUMN'
reads named guess.jsonl '{"id":1,"body":"a b"}\n{"id":2,"body":"c"}\n' 'a b|c|'
warned 'taken to be column body'
reads named guess.csv 'a b c,no\nd e,yes\nf g,no\nh,yes\n' 'a b c|d e|f g|h|'
warned 'taken to be column 0'
reads plain guess.csv 'nr,comment,votes\n1,a b c,5\n2,d e f,6\n3,g h,7\n' '1|2|3|' --text nr
silent
reads plain guess.csv 'nr,comment,votes\n1,a b c,5\n2,d e f,6\n3,g h,7\n' '5|6|7|' --text 2
silent
reads plain short.csv 'text , label\n1,a b,no\n2,c,yes\n3,d e,no\n' 'a b|c|d e|' --text text
silent
reads plain none.csv 'id,text,label\n' ''
reads plain tail.csv 'text,label\na b,no\nc,yes,,\nd e,no\n,,,\n' 'a b|c|d e||' --text text
silent
reads plain late.csv ',,\n ,"",\nid,text,label\n1,a b,no\n2,c,yes\n' 'a b|c|' --text text
silent
reads plain spilled.csv 'label,text,,\nno,a, b,\nyes,c,,\n' 'a, b|c|' --text text
printf 'nr,comment,votes\n1,a b c,5\n2,d e f,6\n' >guess.csv
ends 2 classify plain guess.csv --text review
says err 'guess.csv: has no column "review"; name one with --text COLUMN: nr, comment, votes'
printf 'first,second\na b c,d e f\ng h i,j k l\n' >two.csv
ends 2 classify named two.csv
says err 'several columns could be the texts; name one with --text COLUMN: '
ends 2 classify plain valid.tsv --text 2
# none NAME CONTENT MESSAGE [OPTIONS...]: no record of it has a text, so there are no answers.
none() {
    printf '%s\n' "$2" >"$1"
    ends 3 classify named "$1" "${@:4}"
    says err "$3"
    [ ! -s out ] || fail "classify $1, '$2': answers though there is no text"
}
while IFS='~' read -r name content message; do
    # shellcheck disable=SC2059 # the content is a format
    none "$name" "$(printf "$content")" "$name: no record has a text $message"
done <<'ROWS'
no.csv~id,review\n1,\n2, \n~in column review; what is not empty: id
no.csv~id,review,mark\n,,\n1,,no\n,"",yes\n~in column review; what is not empty: id, mark
no.csv~review,mark\n,\n,\n~in column review; all 2 records are empty
no.csv~,\n~in column 0; all of the record is empty
no.tsv~\t\n \t\n\t\n~in column 0; all 3 records are empty
no.csv~"",""\n"",""~in column 0; all 2 records are empty
no.ft~__label__x\n__label__y \n~in column 0; what is not empty: 1
no.jsonl~{"review":""}\n{"review":" "}~at the key "review"; all 2 records are empty
no.jsonl~{"review":null,"id":1,"of":"a"}~at the key "review"; what is not empty: id, of
no.jsonl~{"review":["a","b"]}\n{"review":{"a":1}}~at the key "review"; it holds lists and objects
no.jsonl~"a"\n"b"~at the key "review"; none of the 2 records is an object with keys
no.json~["a"]~at the key "review"; the record is no object with keys
ROWS
for ending in json jsonl; do
    none no.$ending '{"review":null}' "no record has a text at the key \"review\""
    none no.$ending '{"id":[1,2]}' "no record has a text at the key \"review\""
    none no.$ending '{}' "no record has a text at the key \"review\""
    none no.$ending '{"text":{"a":1}}' 'no record has a text at the key "text"' --text text
    none no.$ending '{"version":"1","data":[{"review":"a"},{"review":"b"}]}' 'the records are in the list "data"; that list alone'
    none no.$ending '{"data":[{"review":"a"}]}' 'the records are in the list "data"' --text review
done
reads named one.json '{"review":"a","spans":[{"at":1}]}' 'a|'
ends 2 classify plain named.txt --text review
says err 'lines have no columns'

# Lines stay lines: standard input, other endings, --input.
reads plain lines.txt 'a\tb\n\nc' 'a\tb||c|'
reads plain lines 'id,review\r\n1,a\r\n' 'id,review|1,a|'
reads plain a.tsv 'a\tb\nc\n' 'a\tb|c|' --input lines
reads plain a.tsv 'a\tb\nc\n' 'a|c|' --input tsv
reads plain a.txt '{"review":"a"}\n \n{"review":"b"}\n' 'a|b|' --input jsonl --text review
reads plain lines.txt.gz 'a\nb\n' 'a|b|'
reads plain mac.txt 'a\rb\r' 'a|b|'
reads plain mark.txt '\xef\xbb\xbfa\n' 'a|'
reads plain wide.txt '\xff\xfea\x00\n\x00\xe4\x00' 'a|ä|'
reads plain big.txt '\xfe\xff\x00a\x00\n\xd8\x3d\xde\x00' 'a|😀|'
reads plain markup.txt '<html> is a tag\n' '<html> is a tag|'
for file in lines.txt.gz mac.txt wide.txt; do
    ends 0 classify plain $file --json
    mv out of-file
    input=$file ends 0 classify plain --json
    cmp -s out of-file || fail "classify: $file as standard input is answered otherwise"
done

# What is no text gets no answers: said what it is, from a file or a pipe.
while IFS='~' read -r content said; do
    for name in no.csv no.txt; do
        # shellcheck disable=SC2059 # the content is a format
        printf "$content" >$name
        ends 3 classify plain $name
        says err "$said"
        [ ! -s out ] || fail "classify $name: answers to '$content'"
    done
    input=no.txt ends 3 classify plain
    says err "stdin: "
    says err "$said"
done <<'ROWS'
%%PDF-1.7\n~is a PDF document
PK\x03\x04xl/workbook.xml~is an Excel workbook
PK\x03\x04zip~is a ZIP archive
{\\rtf1 a}~is an RTF document
PAR1\x15\x00~is a Parquet file
\xff\xfe\x00\x00a\x00\x00\x00~is UTF-32, which is not read
\x1f\x8b\x08\x00cut~the gzip data end too early
ROWS
printf '<!DOCTYPE html>\n<html>' >page.csv
ends 3 classify plain page.csv
says err 'is an HTML page'

# What texts spell of control tokens: tokens, or characters; a run knows which.
printf 'then <|begin|> the in\nthen the in\n' >spelled.txt
ends 0 train tiny.ini --set data.special_tokens=text --out text --quiet
says text/config.ini 'special_tokens = text'
cmp -s plain/prompt.safetensors text/prompt.safetensors || fail 'special_tokens: another prompt though no text spells one'
ends 0 classify plain spelled.txt
mv out parsed
ends 0 classify text spelled.txt
[ "$(sed -n 1p out)" != "$(sed -n 1p parsed)" ] || fail 'special_tokens = text: a token all the same'
[ "$(sed -n 2p out)" = "$(sed -n 2p parsed)" ] || fail 'special_tokens: changes a text that spells none'
mv out read
ends 0 classify text spelled.txt --set data.special_tokens=parse
cmp -s out parsed || fail 'special_tokens = parse: not what it was'
sed 's/$/\tno/' spelled.txt >spelled.tsv
printf 'zz\tyes\n' >>spelled.tsv
for way in parse text; do
    ends 0 eval text --set data.valid=spelled.tsv --set data.special_tokens=$way --json
    grep tokens err >eval-$way
    ends 0 points text --set data.valid=spelled.tsv --set data.special_tokens=$way --out points-$way
done
differ eval-parse eval-text 'special_tokens: eval does not hear it'
differ points-parse points-text 'special_tokens: points does not hear it'

finish
echo "all as expected"
