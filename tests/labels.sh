#!/usr/bin/env bash
# Would more labels help, and which: learning curves, and texts worth a label, from outside. Usage: labels.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

texts 20 >data.tsv
texts 6 'aa zz' 'zy aa' >valid.tsv
printf 'one of its kind\trare\n' | cat data.tsv - >rare.tsv
short_config '' 2 >config.ini
mkdir c

# column FILE N: a column of a table without its head.
column() {
    tail -n +2 "$1" | cut -d , -f "$2"
}

# A curve: page, JSON and table agree, twice the same; the last size is all texts. Nothing is left but the three files.
ends 0 curve config.ini --quiet --from 8 --runs 2 --out c/one.html --set data.valid=valid.tsv
matches out '^ +40 +1 +[01]\.[0-9]+ +[01]\.[0-9]+ - [01]\.[0-9]+ '
matches out '(More labels would (hardly )?help|Whether more labels would help cannot be told): from 32 to 40 texts the accuracy'
says out 'page: c/one.html'
[ "$(ls c)" = "$(printf 'one.csv\none.html\none.json')" ] || fail "a curve leaves $(ls c)"
[ "$(column c/one.csv 1,2 | paste -sd' ')" = '8,1 8,2 16,1 16,2 32,1 40,1' ] || fail "sizes: $(cat c/one.csv)"
ends 0 curve config.ini --quiet --from 8 --runs 2 --out c/two --json --set data.valid=valid.tsv
cmp -s c/one.csv c/two.csv || fail 'two curves of one config differ'
[ "$(sed 's/"seconds":[^,}]*//g' out)" = "$(sed 's/"seconds":[^,}]*//g' c/two.json)" ] || fail '--json prints another curve'
says c/two.html '"more_labels_help":"'
ends 0 curve config.ini --quiet --from 8 --same-steps --out c/same.html --set data.valid_share=0.5
[ "$(column c/same.csv 8 | sort -u)" = 8 ] || fail "steps: $(cat c/same.csv)"
ends 0 train config.ini --quiet --out run --set data.valid=valid.tsv
ends 2 curve run --out c/bad.html
says err 'run: is a run directory; a config file is needed: run/config.ini'
ends 2 curve config.ini --out c/bad.html
says err 'a curve is measured on validation texts; data.valid or data.valid_share is needed'
ends 2 curve config.ini --from 33 --out c/bad.html --set data.valid=valid.tsv
says err '40 training texts are too few for a curve from 33 texts on; at least 42 are needed'
ends 2 curve config.ini --from 2 --out c/bad.html --set data.valid=valid.tsv --set data.train=rare.tsv
says err '2 texts have no place for one of each of 3 classes'
ends 2 curve config.ini --from 1 --out c/bad.html
ls c/bad* 2>/dev/null && fail 'what was refused left files'

# Texts worth a label: those between the classes before those that are clear, none twice, none empty; what is written is
# read as training texts once the labels are filled in.
{
    for i in {1..30}; do
        printf 'aa ab ba %d\nzz zy yz %d\n\n' "$i" "$i"
    done
    printf 'aa zz, "ab"\naa zz, "ab"\nzz aa yz\nab zy ab\n'
} >pool.txt
ends 0 suggest run pool.txt -n 2 --out ask.csv
matches out '^ *margin +guess +confidence +text$'
says out '2 of 64 texts, to be labelled in ask.csv'
[[ $(head -n 1 ask.csv) = text,label && $(wc -l <ask.csv) -eq 3 ]] || fail "ask.csv: $(cat ask.csv)"
ends 0 suggest run pool.txt -n 12 --quiet
mv out all.csv
[ "$(sort all.csv | uniq -d | wc -l)" -eq 0 ] || fail 'a text is suggested twice'
for text in '"aa zz, ""ab""",' 'zz aa yz,' 'ab zy ab,'; do
    grep -qxF "$text" all.csv || fail "$text is between the classes, and not suggested: $(cat all.csv)"
done
ends 0 suggest run pool.txt --n 12 --out ask.jsonl
[ "$(wc -l <ask.jsonl)" -eq 12 ] || fail "ask.jsonl has $(wc -l <ask.jsonl) lines"
says ask.jsonl '{"text":"aa zz, \"ab\"","label":""}'
input=pool.txt ends 0 suggest run - --n 12 --out ask.tsv
diff <(tail -n +2 all.csv | sed 's/^"\(.*\)",$/\1,/; s/""/"/g; s/,$/\t/') ask.tsv >/dev/null || fail 'CSV and TSV differ'
filled=(--out taught --set data.train=ask.csv --set data.header=yes --set data.text_column=text --set data.label_column=label)
ends 3 train config.ini "${filled[@]}" # no label yet
says err 'ask.csv:2: the label is empty'
sed -i '2s/$/low/; 3s/$/high/' ask.csv
ends 0 train config.ini "${filled[@]}"
printf '\n\n' >empty.txt
ends 3 suggest run empty.txt
says err 'suggest: there is no text'
ends 2 suggest config.ini pool.txt
ends 2 suggest run pool.txt --n 0
ends 2 suggest run pool.txt --n 1001

finish
