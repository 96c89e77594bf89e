#!/usr/bin/env bash
# Pages of real runs on a tiny model, opened in a browser. The texts are hostile: markup, emoji, right-to-left script,
# control characters, 100 kB in one line. Usage: report.sh DUNLIN FIXTURES CHROMIUM PYTHON [SCREENSHOTS]
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
fixtures=$2
chromium=$3
python=$4
shots=${5:-}

# Some distributions' package is only a pointer to another packager.
if ! "$chromium" --version >/dev/null 2>&1; then
    skip "$chromium does not start"
fi

for i in {1..20}; do
    printf 'then the inn %d\t<b>no</b>\nqqzz qz xx%d\tyes\n' "$i" "$i"
done >data.tsv
{
    printf '</script><script>window.broken = 1</script>\tyes\n'
    printf '<!-- <img src=x onerror="window.broken = 1"> &lt; &amp;\t<b>no</b>\n'
    printf '\xf0\x9f\x98\x80\xf0\x9f\x8f\xb3\xef\xb8\x8f \xe2\x80\xae drawkcab \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\tyes\n'
    printf 'a\x01b\x1b[31m c \xc2\x9b \xe2\x80\xa8 \xe2\x80\xa9 d\t<b>no</b>\n'
    head -c 100000 /dev/zero | tr '\0' 'x'
    printf '\tyes\n'
    for i in {1..40}; do
        printf 'the inn %d then\t<b>no</b>\nzzqq %d\tyes\n' "$i" "$i"
    done
} >valid.tsv
tiny_config valid.tsv >config.ini <<'END'
[prompt]
init = vocab
lr = 0.02
[train]
epochs = 3
batch_size = 8
keep = best
[output]
calibrate = yes
END
printf '[device]\nuse = %s\n[boids]\ncount = 7\nsteps = 40\n' "$device" >boids.ini

"$dunlin" train config.ini -q --out one >/dev/null || stop "the first run"
words=(--set prompt.count=2 --set 'loss.label_words=then, zz' --set loss.label_weight=20) # distances below 0
"$dunlin" train config.ini -q --out two --set prompt.lr=0.01 "${words[@]}" >/dev/null || stop "the second run"
"$dunlin" boids boids.ini -q --out flock >/dev/null || stop "boids"
"$dunlin" report one two --out both.html >/dev/null || stop "two runs side by side"
"$dunlin" train config.ini -q --out bare --set data.valid= --set train.keep=last >/dev/null 2>&1 || stop "a run without validation texts"
"$dunlin" report bare one --out unmeasured.html >/dev/null || stop "a run without validation texts beside another"
"$dunlin" curve config.ini -q --from 8 >/dev/null 2>&1 || stop "a curve"
[ "$(wc -c <one/report.html)" -lt 400000 ] || stop "the long text is not cut"
"$dunlin" report flock 2>err && stop "a report on a flock"
grep -q "flock: .*boids.html" err || stop "a report on a flock: $(cat err)"
# Results of devices: three alike in their losses, one wrong, one of another work, one again, one again and slower.
mkdir devices
edit() {
    "$python" "$here/result_edit.py" "$fixtures/results/tiny.json" "devices/$1.json" "${@:2}" || stop "editing $1"
}
faster='texts.1.seconds={"n":9,"least":0.0001,"median":0.00015,"most":0.0002}'
edit a
edit again 'seconds.job.most=9.0'
edit fast 'device.name="</script><img src=x onerror=\"window.broken = 1\"><b>fast</b>"' "$faster" 'seconds.job={"n":5,"least":0.1,"median":0.2,"most":0.3}' \
    'energy={"by":"RAPL","joules":{"n":5,"least":3.0,"median":4.0,"most":5.0},"reason":null}'
edit slow 'seconds.job={"n":5,"least":5.5,"median":6.5,"most":9.5}'
edit wrong 'device.name="wrong one"' 'losses.3=9.5' "$faster" 'program.kernels="00000000000000ff"'
edit other 'work.seed=7'
"$dunlin" report devices >/dev/null || stop "a page of devices"
"$dunlin" serve two --port 0 --max-body 4 2>served &
server=$!
comes $server served grep -q '^serving' served
address=$(grep -o 'http://[^ ]*' served)
"$python" "$here/report_browser.py" "$chromium" "$work" \
    one/report.html flock/boids.html both.html unmeasured.html devices/devices.html curve.html "$address" "$shots" || stop "in the browser"
kill "$server"
wait "$server" || stop "serve ended with $?"
