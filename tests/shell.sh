#!/usr/bin/env bash
# Help topics, man pages and completions: they name every command, option and key, the tools that read them
# find no fault (those that are installed), and bash completes as it should. Usage: shell.sh DUNLIN SOURCE
# shellcheck disable=SC2094 # a file and a command share their name
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
source=$2
PATH=$(dirname "$dunlin"):$PATH

for file in man man-config bash zsh fish; do
    "$dunlin" help $file >$file || fail "dunlin help $file"
done
"$dunlin" --help >help
mapfile -t topics < <(sed -n '/^Topics/,/^$/s/^  \([a-z-]*\) .*/\1/p' help)
[ ${#topics[@]} -ge 6 ] || fail "--help lists no topics"
for topic in "${topics[@]}" prompt.lr; do
    "$dunlin" help "$topic" >topic || fail "dunlin help $topic"
    [ -s topic ] || fail "dunlin help $topic prints nothing"
    [ "$(wc -L <topic)" -le 80 ] || fail "dunlin help $topic has lines of more than 80 columns"
done
"$dunlin" help >general
cmp -s help general || fail "dunlin help is not dunlin --help"
"$dunlin" help exit-code >out 2>err && fail "an unknown topic is taken"
says err 'the nearest is exit-codes'
"$dunlin" help promt.lr >out 2>err && fail "an unknown key is taken"
says err 'prompt.lr'

# Every command and option of --help stands in the man page and in the three completions, every key of
# config/default.ini in dunlin-config(5) and behind --set.
sed 's/\\-/-/g; s/\\f[BRIP]//g; s/\\&//g' man >plain
sed 's/\\-/-/g' man-config >plain-config
mapfile -t commands < <(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' help)
[ ${#commands[@]} -ge 10 ] || fail "--help lists no commands"
for command in "${commands[@]}"; do
    says plain ".SS dunlin $command"
    grep -q "^    $command,\*)" bash || fail "bash: no $command"
    grep -q "'$command:" zsh || fail "zsh: no $command"
    grep -q -- "-a $command -d" fish || fail "fish: no $command"
    [ "$command" != help ] || continue
    "$dunlin" "$command" --help >options
    awk -v "head=.SS dunlin $command" '$0 == head {on = 1; print; next} /^\.S[SH]/ {on = 0} on' plain >man-part
    sed -n "/^    $command,\*)/,/;;/p" bash >bash-part
    sed -n "/^    $command)\$/,/;;/p" zsh >zsh-part
    grep -- "seen_subcommand_from $command'" fish >fish-part
    while read -r option; do
        [ "$option" = help ] || grep -q -- "--$option\b" man-part || fail "man: no $command --$option"
        grep -q -- "--$option " bash-part || fail "bash: no $command --$option"
        grep -q -- "--$option\b" zsh-part || fail "zsh: no $command --$option"
        grep -q -- "-l $option " fish-part || fail "fish: no $command --$option"
    done < <(sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p' options)
done
n_keys=0
section=
while IFS= read -r line; do
    case $line in
    '['*) section=${line#[} section=${section%]} ;;
    [a-z]*=*)
        key=${line%%[ =]*}
        n_keys=$((n_keys + 1))
        grep -q "^\.B $key\( =.*\)\?$" plain-config || fail "dunlin-config(5): no $key"
        for file in bash zsh fish; do
            grep -q "[ ']$section\.$key=" $file || fail "$file: no $section.$key"
        done
        ;;
    esac
done <"$source/config/default.ini"
[ $n_keys -ge 50 ] || fail "config/default.ini has $n_keys keys"

# What reads them.
lint() {
    local tool=$1
    shift
    if command -v "$tool" >/dev/null; then
        "$@" >lint 2>&1 || fail "$*: $(head -3 lint)"
        [ ! -s lint ] || fail "$*: $(head -3 lint)"
    else
        echo "$tool is not installed: left out"
    fi
}
for page in man man-config; do
    lint mandoc mandoc -T lint $page
    # man gives its page to the pager or, without a terminal, to stdout.
    lint groff groff -man -Tutf8 -ww -z -K utf8 $page
    if command -v man >/dev/null; then
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l ./$page >page 2>lint
        [ ! -s lint ] || fail "man --warnings $page: $(head -3 lint)"
    fi
done
lint bash bash -n bash
lint zsh zsh -n zsh
lint fish fish -n fish
lint shellcheck shellcheck -s bash bash

# bash, as if somebody had typed the words and pressed the tabulator; the last word is where the cursor is.
# shellcheck source=/dev/null
source ./bash
complete -p dunlin >/dev/null || fail "bash: dunlin has no completion"
compopt() { :; } # there is no completion under way
typed() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _dunlin
}
# offers WORD...: these are among what is offered.
offers() {
    local word
    for word in "$@"; do
        grep -qxF -e "$word" < <(printf '%s\n' "${COMPREPLY[@]}") ||
            fail "bash: '${COMP_WORDS[*]}' does not offer $word, but ${COMPREPLY[*]}"
    done
}
mkdir -p runs/one data
: >runs/one/config.ini
: >quick.ini
: >data/texts.tsv
typed dunlin ''
offers train classify help --version
typed dunlin tr
offers train
[ ${#COMPREPLY[@]} -eq 1 ] || fail "bash: 'dunlin tr' offers ${COMPREPLY[*]}"
typed dunlin train --s
offers --set
typed dunlin train --set prompt.l
offers prompt.lr=
typed dunlin train --set model.point =
offers hidden logits
typed dunlin train --set model.point = lo
offers logits
[ ${#COMPREPLY[@]} -eq 1 ] || fail "bash: 'model.point=lo' offers ${COMPREPLY[*]}"
typed dunlin train --set data.train = data/
offers data/texts.tsv
typed dunlin train --set device.use = be
offers best
typed dunlin train --device g
offers gpu
typed dunlin train --device = g
offers gpu
typed dunlin train q
offers quick.ini
typed dunlin train --resume ''
offers runs/one
typed dunlin classify ''
offers runs/one data
typed dunlin classify --output js
offers json
typed dunlin help exit
offers exit-codes
typed dunlin devices ''
offers cpu gpu

if command -v fish >/dev/null; then
    cp fish dunlin.fish
    HOME=$work XDG_CONFIG_HOME=$work fish --no-config -c 'source dunlin.fish; complete -C "dunlin train --set model.point="' \
        >fish-offers 2>/dev/null
    says fish-offers 'model.point=logits'
    HOME=$work XDG_CONFIG_HOME=$work fish --no-config -c 'source dunlin.fish; complete -C "dunlin classify "' \
        >fish-offers 2>/dev/null
    says fish-offers 'runs/one'
fi

finish
echo "all as expected"
