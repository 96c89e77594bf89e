#!/usr/bin/env bash
# What a training offers beyond its steps, from outside: validation texts that are split off and stay the same ones;
# the validation loss, patience with it, and the best state kept; probabilities that are calibrated; label words.
# Usage: answers.sh DUNLIN FIXTURES
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2

texts 20 >data.tsv
short_config '' 2 >config.ini
share=(--set data.valid_share=0.25)

# column FILE N: a column of a table without its head.
column() {
    tail -n +2 "$1" | cut -f "$2"
}
# number KEY FILE: of a JSON object's first KEY; where there is none, what no other file says.
number() {
    grep -oE "\"$1\": ?-?[0-9.e+-]+" "$2" | head -1 | grep -oE '[-0-9.e+]+$' || echo "no $1 in $2"
}

# A quarter of each class, said and recorded, and nothing of it trained on: the same bytes as of two files.
ends 0 train config.ini --out split "${share[@]}"
says err 'data      10 of 40 training texts are split off to validate with: high 5, low 5 (data.valid_share = 0.25, seed 1)'
says out 'on 10 validation texts'
column split/predictions.tsv 1 | paste -sd, >lines
grep -oE '"lines":\[[0-9,]*\]' split/split.json | tr -cd '0-9,\n' >recorded
cmp -s lines recorded || fail "split.json has lines $(cat recorded), measured were $(cat lines)"
awk -v lines=",$(cat lines)," '{ print >(index(lines, "," NR ",") ? "valid-part.tsv" : "train-part.tsv") }' data.tsv
ends 0 train config.ini --out parts --set data.train=train-part.tsv --set data.valid=valid-part.tsv
for file in prompt.safetensors history.jsonl; do
    cmp -s split/$file parts/$file || fail "$file of a split and of two files differ"
done
diff <(cut -f 2- split/predictions.tsv) <(cut -f 2- parts/predictions.tsv) >/dev/null || fail 'predictions differ'

# Who measures later measures the same texts, whatever seed or share is set; other texts are refused.
ends 0 eval split --json --set experiment.seed=7
[ "$(number accuracy out)" = "$(number accuracy split/metrics.json)" ] || fail 'eval measures other texts'
says err 'the same as when the run was begun'
ends 0 points split --out split.npz
cp -r split other
printf 'aa ab ba 99\tlow\n' >>data.tsv
ends 3 eval split
matches err "split/split.json: the run's validation texts were split off 40 texts \(hash [0-9a-f]{16}\), .*data.tsv now has 41"
ends 0 eval split --json --set data.valid_share=0 --set data.valid=valid-part.tsv
texts 20 >data.tsv
for broken in '"rows":[1,1' '"rows":[99' '"rows":[-1' '"rows":"' '"row":['; do
    sed "s/\"rows\":\[[0-9]*/$broken/" split/split.json >other/split.json
    ends 3 eval other
    says err 'other/split.json'
done

# A run that is gone on with has them too, though the seed would choose them; the one of before the first step
# has no record yet.
ends 0 train config.ini --out whole "${share[@]}" --set train.epochs=60 --set output.checkpoint_every=1
"$dunlin" train config.ini --quiet --out halved "${share[@]}" --set train.epochs=60 --set output.checkpoint_every=1 >out 2>err &
pid=$!
comes $pid err [ -s halved/history.jsonl ]
interrupts $pid
cmp -s halved/split.json whole/split.json || fail 'two runs of one seed split otherwise'
ends 0 train --resume halved
for file in prompt.safetensors predictions.tsv history.jsonl; do
    cmp -s halved/$file whole/$file || fail "$file: a run with a split that went on ends otherwise"
done

# Each seed of several runs has its own.
ends 0 train config.ini --seeds 2 --out seeds "${share[@]}"
differ seeds/001-*/split.json seeds/002-*/split.json 'two seeds split alike'
cmp -s seeds/001-*/prompt.safetensors split/prompt.safetensors || fail 'the first of two seeds is not what it is alone'

# evaluations RUN: step and validation loss of each.
evaluations() {
    sed -n 's/.*"step": \([0-9]*\),.*"valid_loss": \([^}]*\)}/\1 \2/p' "$1/history.jsonl"
}
# evaluated RUN N: it was, so often.
evaluated() {
    [ "$(evaluations "$1" 2>/dev/null | wc -l)" -ge "$2" ]
}
# judge RUN PATIENCE: the best evaluation's step and loss, and the step at which patience runs out (0: never).
judge() {
    evaluations "$1" | awk -v p="$2" 'NR == 1 || $2 < low { low = $2; best = $1; since = -1 }
        { since++; if (p && since == p && !out) { out = $1; print best, low, out; exit } } END { if (!out) print best, low, 0 }'
}

# A rate at which the validation loss goes up and down. Patience ends the run where its history says; the best state is
# that of a run which ends there.
wild=(--set data.valid=valid.tsv --set prompt.lr=0.7 --set train.epochs=40 --set centroid.train=no)
texts 6 'aa zz' 'zy aa' >valid.tsv
ends 0 train config.ini --out last "${wild[@]}"
ends 0 train config.ini --out best "${wild[@]}" --set train.keep=best --set train.patience=3
cmp <(head -n "$(wc -l <best/history.jsonl)" last/history.jsonl) best/history.jsonl || fail 'patience changes the steps before'
read -r step loss end <<<"$(judge last 3)"
[[ $end -gt $step && $step -gt 8 ]] || stop "the run to be patient with is too tame: $step $loss $end"
[ "$(number steps best/metrics.json)" = "$end" ] || fail "patience ended at step $(number steps best/metrics.json), not $end"
[ "$(number kept_step best/metrics.json)" = "$step" ] || fail "kept is step $(number kept_step best/metrics.json), not $step"
[ "$(number valid_loss best/metrics.json)" = "$loss" ] || fail "its loss is $(number valid_loss best/metrics.json), not $loss"
says best/metrics.json '"patience_ran_out":true'
says best/run.log "patience  step $end: the validation loss $(printf %.4f "$loss") of step $step was not bettered in 3 evaluations"
matches out "^kept: the state after step $step, with the best validation loss"
grep -q '"stopped"' best/metrics.json && fail 'nobody stopped the run'
ends 0 train config.ini --out short "${wild[@]}" --set train.epochs=$((step / 8))
for file in prompt.safetensors predictions.tsv report.csv; do
    cmp -s best/$file short/$file || fail "$file of the best state is not that of a run that ends there"
done
differ best/prompt.safetensors last/prompt.safetensors 'the best state is the last'
matches last/history.csv '^step,.*,valid_accuracy,valid_loss$'

# Interrupted and gone on with, the average and a reparametrisation too; and gone on with once patience has run out.
wild+=(--set train.keep=best --set train.patience=3 --set output.checkpoint_every=1)
for more in train.average=0.5 prompt.reparametrize=yes; do
    rm -rf halved whole
    ends 0 train config.ini --out whole "${wild[@]}" --set $more --set train.patience=0
    "$dunlin" train config.ini --quiet --out halved "${wild[@]}" --set $more --set train.patience=0 >out 2>err &
    pid=$!
    comes $pid err evaluated halved 12
    interrupts $pid
    ends 0 train --resume halved
    for file in prompt.safetensors predictions.tsv history.jsonl; do
        cmp -s halved/$file whole/$file || fail "$file: a run that keeps its best and went on ends otherwise ($more)"
    done
done
rm -rf whole halved
ends 0 train config.ini --out whole "${wild[@]}"
cp -r whole halved
rm halved/metrics.json halved/prompt.safetensors
ends 0 train --resume halved
for file in prompt.safetensors predictions.tsv history.jsonl; do
    cmp -s halved/$file whole/$file || fail "$file: patience ran out, and the run went on"
done
[ "$(number kept_step halved/metrics.json)" = "$step" ] || fail 'the best step was forgotten'

# What does not go.
ends 2 train config.ini --out bad --set train.patience=2
says err 'train.patience goes by the validation loss, and there are no validation texts'
ends 2 train config.ini --out bad --set train.keep=best
says err 'train.keep = best goes by the validation loss, and there are no validation texts'
grep low valid.tsv >low.tsv
ends 2 train config.ini --out bad --set data.valid=low.tsv --set train.keep=best --set loss.class_weights=low:0
says err 'goes by the validation loss, and by loss.class_weights all validation texts weigh 0'
ends 2 train config.ini --out bad "${share[@]}" --set data.valid=valid-part.tsv
says err 'data.valid_share = 0.25 does not go with data.valid = valid-part.tsv'
ends 2 train config.ini --out bad "${share[@]}" --set data.limit_valid=3
says err 'data.valid_share = 0.25 does not go with data.limit_valid = 3'
for value in -0.1 1 nan; do
    ends 2 train config.ini --out bad --set data.valid_share=$value
    says err 'data.valid_share'
done
printf 'one of its kind\trare\n' | cat data.tsv - >rare.tsv
ends 3 train config.ini --out bad "${share[@]}" --set data.train=rare.tsv
says err 'rare.tsv: class "rare" would be left out of the validation texts (0 of its 1 texts would be split off)'
printf 'aa ab ba 1\trare\naa ab ba 1\trare\n' | cat data.tsv - >rare.tsv
ends 3 train config.ini --out bad "${share[@]}" --set data.train=rare.tsv
matches err 'class "rare" would be left out of the (training|validation) texts \([02] of its 2 texts'
[ ! -e bad ] || fail 'what was refused left a folder'
# A temperature is fitted on the validation texts, saved, and what answers go by; the run is else the same.
texts 55 'aa ba zz' 'zz zy ab' >many.tsv
texts 5 'zz zy yz' 'aa ab ba' >>many.tsv # labelled wrong
ends 0 train config.ini --out plain --set data.valid=many.tsv
ends 0 train config.ini --out fitted --set data.valid=many.tsv --set output.calibrate=yes
matches out '^calibrated: temperature [0-9.e+-]*; expected calibration error 0\.[0-9]*, before 0\.[0-9]* '
cmp -s plain/predictions.tsv fitted/predictions.tsv || fail 'a calibrated run has other distances'
grep -q calibration plain/prompt.safetensors && fail 'a run that was not asked is calibrated'
ends 0 export fitted --format peft --out fitted-peft
temperature=$(grep -aoE '"calibration_temperature": ?"[^"]*"' fitted/prompt.safetensors | grep -oE '[0-9.e+-]+"$' | tr -d '"')
[ -n "$temperature" ] || stop 'no temperature in prompt.safetensors'
[ "$(number temperature fitted/metrics.json)" = "$(printf %.9g "$temperature")" ] || fail 'metrics.json has another temperature'
[ "$(number calibration_temperature fitted-peft/dunlin.json)" = "$(printf %.9g "$temperature")" ] || fail 'an export lacks the temperature'
cut -f 1 many.tsv | head -n 20 >lines.txt
# confident RUN TEMPERATURE: the confidences that classify prints are the softmax under that temperature.
confident() {
    ends 0 classify "$1" lines.txt --output tsv
    awk -F '\t' -v t="$2" '{ d = $4 - $5; if (d < 0) d = -d; p = 1 / (1 + exp(-d / t)); e = p - $3
        if (e > 2e-4 || e < -2e-4) exit 1 }' out || fail "$1: confidences are not those of temperature $2: $(head -n 2 out)"
}
confident plain 1
confident fitted "$temperature"
"$dunlin" classify plain lines.txt >plain.txt
"$dunlin" classify fitted lines.txt | cmp -s - plain.txt || fail 'calibration changes classes or distances'
ends 0 train config.ini --out few --set data.valid=valid.tsv --set output.calibrate=yes
says err 'output.calibrate: 12 validation texts are too few to fit a temperature on, 50 are needed'
ends 0 train config.ini --out none --set output.calibrate=yes
says err 'output.calibrate: 0 validation texts are too few'
texts 30 'zz zy yz' 'aa ab ba' >wrong.tsv
ends 0 train config.ini --out wrong --set data.valid=wrong.tsv --set output.calibrate=yes
says err 'output.calibrate: no temperature fits the validation texts'
for run in few none wrong; do
    grep -q calibration $run/prompt.safetensors $run/metrics.json && fail "$run: was calibrated all the same"
done
for broken in 0 -1 nan x; do # as long as what was there
    cp -r fitted broken
    sed -i "s/\(\"calibration_temperature\": \{0,1\}\"\)[^\"]*/\1$(printf "%-${#temperature}s" $broken)/" broken/prompt.safetensors
    ends 3 classify broken lines.txt
    says err "the metadata's calibration_temperature is $broken"
    rm -r broken
done

# Label words: said with their tokens, saved with the prompt, and answered with everywhere as they were measured.
words=(--set data.valid=many.tsv --set 'loss.label_words=aa+ab, zz' --set loss.label_weight=0.5)
ends 0 train config.ini --out words "${words[@]}"
matches err '^words +0: " a\|a" \(2 tokens, averaged\) \+ " a\|b" .*; 1: " '
differ plain/predictions.tsv words/predictions.tsv 'label words change nothing'
says words/prompt.safetensors '"label_words":"aa+ab, zz"'
ends 0 eval words --json
[ "$(number accuracy out)" = "$(number accuracy words/metrics.json)" ] || fail 'eval measures label words otherwise'
cut -f 1 many.tsv >many.txt
ends 0 classify words many.txt --output tsv
awk -F '\t' 'NR == FNR { if (FNR > 1) { h[FNR - 1] = $4; l[FNR - 1] = $5 } next }
    { a = $4 - h[FNR]; b = $5 - l[FNR]; if (a * a + b * b > 1e-6) exit 1 }' words/predictions.tsv out ||
    fail "classify: not the distances of predictions.tsv: $(head -n 2 out)"
ends 0 suggest words many.txt -n 3 --quiet
[ "$(wc -l <out)" -ge 3 ] || fail 'nothing is suggested with label words'
ends 0 export words --format npz --out words.npz
for array in label_rows label_offsets; do
    grep -q $array.npy words.npz || fail "words.npz lacks $array"
done
ends 0 export words --format peft --out words-peft
grep -q label_rows words-peft/dunlin.safetensors || fail 'words-peft lacks label_rows'
ends 0 export words --format npz --out bare.npz --set loss.label_words= --set loss.label_weight=1
grep -q 'label_rows\|label_offsets' bare.npz && fail 'an export has words that its config leaves out'
ends 0 classify words lines.txt --set loss.label_words= --set loss.label_weight=1
ends 3 classify words lines.txt --set 'loss.label_words=aa, zz'
says err 'was trained with the label words aa+ab, zz; loss.label_words is aa, zz'
ends 3 classify plain lines.txt --set 'loss.label_words=aa, zz'
says err 'was trained without label words'
ends 2 train config.ini --out bad --set 'loss.label_words=aa, aa'
says err 'two classes have the word "aa"'
[ ! -e bad ] || fail 'what was refused left a folder'
offsets=$(grep -aoE '"label_offsets": ?"[^"]*"' words/prompt.safetensors | grep -oE '\[.*\]')
for broken in '1' '[1]' '[1,2,3]' '["a",1]' '[1e99,1]'; do # as long as what was there
    cp -r words broken
    sed -i "s/\(\"label_offsets\": \{0,1\}\"\)[^\"]*/\1$(printf "%-${#offsets}s" "${broken//\"/\\\\\\\"}")/" broken/prompt.safetensors
    ends 3 classify broken lines.txt
    says err 'broken/prompt.safetensors'
    rm -r broken
done
cp -r words broken
sed -i 's/"label_offsets"/"label_offsetz"/' broken/prompt.safetensors
ends 3 classify broken lines.txt
says err 'broken/prompt.safetensors: the metadata has label_words and no label_offsets'

# Texts for prompts that there are not; what may be too high where a loss grows, of what is trained.
ends 0 train config.ini --out fewer --set data.valid= --set train.epochs=0 --set prompt.init=text --set prompt.text=aa \
    --set prompt.count=2 --set 'prompt.texts= zz| ba'
says err 'prompt.texts (--set) has 2 texts, of which prompt.count = 2 needs 1 beside prompt.text: the rest is not used'
ends 1 train config.ini --out far --set metric.start=identity --set metric.lr=1e30
says err 'try a lower prompt.lr, centroid.lr or metric.lr'

finish
