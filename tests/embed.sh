#!/usr/bin/env bash
# dunlin embed and dunlin points from outside: rows of files as people have them, in order, to files and pipes; and a run
# without validation texts in every command. Usage: embed.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
model=$fixtures/tiny-a.gguf # 32 wide
here=(--device "$device" --quiet)

# holds FILE ROWS: an .npy of so many rows of 32 floats.
holds() {
    local header
    header=$(head -c 128 "$1" | tr -d '\0')
    [[ $header == *NUMPY*"{'descr': '<f4', 'fortran_order': False, 'shape': ($2, 32), }"* ]] ||
        fail "$1 does not begin as an .npy of $2 rows: $header"
    [ "$(stat -c %s "$1")" -eq $((128 + $2 * 128)) ] || fail "$1 has not $2 rows: $(stat -c %s "$1") bytes"
}
# row FILE N: the floats of a row, from 0, as text.
row() { tail -c +$((129 + $2 * 128)) "$1" | head -c 128 | od -A n -t f4; }
# same A B WHY
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ: $3"; }

# Lines, an empty one too; the same text gives the same row wherever it stands, alone or among others.
printf 'the inn\nqqzz\n\nthe inn\n' >lines.txt
ends 0 embed "$model" lines.txt --out lines.npy "${here[@]}"
holds lines.npy 4
says err 'texts without a token: 1; their rows are zeros'
[ "$(row lines.npy 0)" = "$(row lines.npy 3)" ] || fail 'equal texts have different rows'
[ "$(row lines.npy 0)" != "$(row lines.npy 1)" ] || fail 'different texts have equal rows'
[ -z "$(row lines.npy 2 | tr -d ' 0\n*')" ] || fail 'the row of an empty text is not zeros'
ends 0 embed "$model" lines.txt --out alone.npy --batch 1 "${here[@]}"
same lines.npy alone.npy 'one text at a time'

# The mean of one token is that token; of several it is not the last one.
printf 'q\nqq\n' >short.txt
ends 0 embed "$model" short.txt --out last.npy "${here[@]}"
ends 0 embed "$model" short.txt --out mean.npy --pool mean "${here[@]}"
holds mean.npy 2
[ "$(row last.npy 0)" = "$(row mean.npy 0)" ] || fail 'the mean of one token is not its row'
[ "$(row last.npy 1)" != "$(row mean.npy 1)" ] || fail 'the mean of two tokens is the last one'

# To a pipe, from one, through a device, and with another header.
input=lines.txt ends 0 embed "$model" --out - "${here[@]}"
same out lines.npy 'standard input to standard output'
"$dunlin" embed "$model" - --out /dev/stdout "${here[@]}" <lines.txt 2>err | cat >piped.npy
same piped.npy lines.npy 'a pipe'
for ending in npz safetensors; do
    ends 0 embed "$model" lines.txt --out "x.$ending" "${here[@]}"
    grep -q points "x.$ending" || fail "x.$ending has no array 'points'"
done
ends 0 embed "$model" /dev/null --out none.npy "${here[@]}"
holds none.npy 0

# Files of records, as classify reads them; what is wrong with one is said and costs no other its place.
printf 'id,body\n1,the inn\n2,qqzz\n3\n4,the inn\n' >texts.csv
ends 0 embed "$model" texts.csv --text body --out texts.npy "${here[@]}"
same texts.npy lines.npy 'a column of a CSV file'
says err 'records without a text: 1 (line 4)'
printf '{"t":"the inn"}\n{"t":"qqzz"}\n{"t":""}\n{"t":"the inn"}\n' >texts.jsonl
ends 0 embed "$model" texts.jsonl --text t --out texts.npy "${here[@]}"
same texts.npy lines.npy 'a key of JSON lines'
ends 2 embed "$model" texts.csv --text nothing --out other.npy "${here[@]}"
says err 'body'

# Too long a text is cut, and it is said; a length that the model cannot read is refused.
printf 'the inn of the inn\nthe\n' >long.txt
ends 0 embed "$model" long.txt --max-length 2 --out cut.npy "${here[@]}"
says err 'texts that are longer than data.max_length = 2 tokens: 1; they are cut'
ends 2 embed "$model" long.txt --max-length 1000000 --out other.npy "${here[@]}"
matches err '--max-length: data.max_length = 1000000; the model reads at most [0-9]+ tokens'
ends 2 embed "$model" long.txt --max-length none --out other.npy "${here[@]}"

# Nothing is left of what fails, and what was there stays.
cp lines.npy other.npy
while IFS='~' read -r status said arguments; do
    read -ra words <<<"$arguments"
    ends "$status" embed "${words[@]}" "${here[@]}"
    says err "$said"
done <<ROWS
2~--out FILE is missing~$model lines.txt
2~last|mean~$model lines.txt --out other.npy --pool first
2~--batch~$model lines.txt --out other.npy --batch 0
3~nothing.gguf~nothing.gguf lines.txt --out other.npy
3~missing.txt~$model missing.txt --out other.npy
1~no/other.npy~$model lines.txt --out no/other.npy
2~hidden states~$model lines.txt --out other.npy --set model.point=logits
2~none or unit~$model lines.txt --out other.npy --set model.normalize=center
2~metric.start = lda~$model lines.txt --out other.npy --set metric.start=lda
ROWS
same other.npy lines.npy 'a command that failed wrote'
[ -z "$(find . -name '*spool*' -o -name '*.tmp*')" ] || fail 'something is left beside the output'
mkdir locked && chmod a-w locked
[ "$(id -u)" -eq 0 ] || ends 1 embed "$model" lines.txt --out locked/x.npy "${here[@]}"

# A prompt that is words, untrained, gives what the words give: two ways to the same rows.
printf 'the inn\tno\nqqzz\tyes\nthe in\tno\n' >data.tsv
printf 'the inn\tno\nqqzz\tyes\n' >valid.tsv
printf 'the inn then\nqqzz then\n' >words.txt
tiny_config valid.tsv >words.ini <<<$'[prompt]\ntext = " then"'
ends 0 points words.ini --out points.npy --quiet
ends 0 embed "$model" words.txt --out words.npy "${here[@]}"
same points.npy words.npy 'points of a prompt that is words'

# Without validation texts a run is trained, resumed, reported, compared and used; only eval has nothing to measure.
tiny_config '' >bare.ini <<'INI'
[prompt]
init = vocab
[train]
epochs = 2
batch_size = 2
INI
ends 0 train bare.ini --out bare --quiet
says out 'nothing was measured, for there are no validation texts'
says bare/metrics.json '"accuracy":null,"n":0'
says bare/metrics.json '"majority":null'
[ "$(wc -l <bare/predictions.tsv)" -eq 1 ] || fail 'there are predictions of no texts'
[ ! -e bare/confusion.csv ] || fail 'there is a confusion matrix of no texts'
cp -r bare resumed
rm resumed/metrics.json
ends 3 train --resume resumed --set data.valid=valid.tsv --quiet
says err 'validation texts'
ends 0 train --resume resumed --quiet
same resumed/prompt.safetensors bare/prompt.safetensors 'a run that went on'
ends 0 train bare.ini --seeds 2 --out both --quiet
ends 0 report bare resumed --out both.html
ends 0 classify bare lines.txt
[ "$(wc -l <out)" -eq 4 ] || fail 'not every text was answered'
ends 2 eval bare
says err 'data.valid is not set'
ends 0 compare bare.ini --device "$device" --out compared
says out ' - '
ends 0 points bare lines.txt --out rows.npy --quiet
holds rows.npy 4
input=lines.txt ends 0 points bare - --out - --quiet
same out rows.npy 'points of standard input'
ends 2 points bare --out rows.npy --text 0
ends 2 points bare.ini lines.txt --out rows.npy --quiet
says err 'needs the folder of a finished run'

finish
