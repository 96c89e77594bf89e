#!/usr/bin/env bash
# What README.md, CONTRIBUTING.md and docs/ name is there: links and their headings, files, commands and their
# options, keys of the config, variables of the environment. README.md has at most 200 lines, and every source file
# opens with what it owns. First a page of mistakes shows that each kind is found. Usage: docs.sh DUNLIN SOURCE
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dunlin=$1
source=$2

# What there is, for each kind a file of one name a line.
"$dunlin" --help >help
sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' help >commands
[ "$(wc -l <commands)" -ge 10 ] || stop "--help lists no commands"
while read -r command; do
    [ "$command" = help ] || "$dunlin" "$command" --help
done <commands | cat - help >helps
options_in() {
    grep -oE -e '--[a-z][a-z-]*' | sort -u
}
options_in <helps >options
awk '/^\[/ {section = substr($1, 2, length($1) - 2)} /^[a-z0-9_]+ *=/ {print section "." $1}' \
    "$source/config/default.ini" | sed 's/=.*//' >keys
[ "$(wc -l <keys)" -ge 50 ] || stop "config/default.ini has no keys"
sections=$(cut -d. -f1 keys | sort -u | paste -sd'|')
cat "$source"/tools/* "$source"/.ci/* 2>/dev/null >scripts
grep -rhoE --exclude=docs.sh 'DUNLIN_[A-Z_0-9]+' "$source"/{host,tools,tests} | sort -u >variables
sed 's/^/DUNLIN_/; s/\./_/' keys | tr '[:lower:]' '[:upper:]' >>variables
echo DUNLIN_SECTION_KEY >>variables
grep -rhoE '(dun|DUN)_[A-Za-z0-9_]+' "$source"/{CMakeLists.txt,host} | sort -u >names
(cd "$source" && find kernels.cl host tests tools include python docs -type f 2>/dev/null) | sed 's|^|/|' >paths

# code PAGE: its code, a span or an indented line each, without comments. A span stays in one line.
code() {
    awk '/^    / {print substr($0, 5); next} {n = split($0, part, "`"); for (i = 2; i < n + 1; i += 2) print part[i]}' "$1" |
        sed 's/ [;#] .*//'
}
# headings PAGE: as links name them.
headings() {
    grep '^#' "$1" | sed 's/^#* //' | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}
# has FILE NAME: the name is one of its lines.
has() {
    grep -qxF -e "$2" "$1"
}

links() {
    local page=$1 link path anchor
    while read -r link; do
        path=${link%%#*} anchor=${link#*#}
        [ -z "$path" ] || path=$(dirname "$page")/$path
        [ -e "${path:-$page}" ] || echo "link to $link"
        [ "$anchor" = "$link" ] || grep -qxF -e "$anchor" <(headings "${path:-$page}") || echo "heading $link"
    done < <(grep -oE '\]\([^)]+\)' "$page" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*://')
}

# A name that begins with one of the source's own folders is a file, perhaps with * in it; so is a name that ends
# like a source file, whose folders may be left out.
files() {
    local name
    while read -r name; do
        compgen -G "$source/$name" >/dev/null || echo "file $name"
    done < <(grep -oE '(^|[ =(:])(host|tests|tools|config|data|docs|include|python|\.ci)/[A-Za-z0-9_./*-]+' "$1" |
        sed 's/^[ =(:]//; s/[.:]$//' | sort -u)
    while read -r name; do
        grep -qF -e "/$name" paths || echo "file $name"
    done < <(grep -oE '(^|[ =(:"])[A-Za-z0-9_/-]+\.(c|h|cl|def|sh|py)\b' "$1" | sed 's/^[ =(:"]//' | sort -u)
}

commands() {
    local line command option
    while read -r line; do
        command=$(sed -E 's/.*dunlin ([a-z]+).*/\1/' <<<"$line")
        has commands "$command" || echo "command $command"
        "$dunlin" "$command" --help 2>/dev/null >one || continue
        for option in $(options_in <<<"${line%%#*}"); do
            grep -qE -e "$option\b" one || echo "option $option of $command"
        done
    done < <(grep -oE '(^|[ /])dunlin [a-z]+( [^|`]*)?')
}

# An option of dunlin, or one that a script of tools/ knows, or of a program named in the same piece of code.
options() {
    local option
    while read -r option; do
        has options "$option" || grep -qF -e "$option" scripts || echo "option $option"
    done < <(grep -vE '^(cmake|ctest|build/pytorch-env|git|gcc|clang|sbatch)|llama-' | options_in)
}

# What a script of tools/ is told to do.
words() {
    local script word
    while read -r script word; do
        grep -qw -e "$word" "$source/$script" 2>/dev/null || echo "word $word of $script"
    done < <(grep -oE '(^|[ (])tools/[a-z-]+ [a-z]+' | sed 's/^[ (]//' | sort -u)
}

keys() {
    local key
    while read -r key; do
        has keys "$key" || echo "key $key"
    done < <(grep -oE "(^|[^A-Za-z0-9_./-])($sections)\.[a-z][a-z0-9_]*" | sed 's/^[^a-z]//' |
        grep -vE '\.(c|h|cl|def|ini|json|jsonl|csv|tsv|npz|safetensors|html|js|sh|md|txt|inc|gz|gguf|log|png|svg|gif|previous)$' | sort -u)
    return 0
}
# The keys of configs that are shown.
shown_keys() {
    awk '/^\[[a-z]+\]/ {section = substr($1, 2, index($1, "]") - 2); next}
        section && /^[a-z_0-9]+ *=/ {sub(/ *=.*/, ""); print section "." $0; next} {section = ""}'
}

variables() {
    local name
    while read -r name; do
        has variables "$name" || echo "variable $name"
    done < <(grep -oE 'DUNLIN_[A-Z_0-9]+' | sort -u)
}

names() {
    local name
    while read -r name; do
        has names "$name" || echo "name $name"
    done < <(grep -oE '\b(dun|DUN)_[A-Za-z0-9_]+' | sort -u)
}

# faults PAGE: what it names that is not there, a line each.
faults() {
    links "$1"
    awk '!/^    / && gsub(/`/, "`") % 2 {print "line " FNR " has half a span of code"}' "$1"
    code "$1" >spans
    files spans
    commands <spans
    options <spans
    words <spans
    keys <spans
    shown_keys <spans >shown
    keys <shown
    variables <"$1"
    names <spans
}

mkdir docs
cat >docs/wrong.md <<'END'
# A page

[gone](../gone.md) and [no heading](#nowhere), `host/base/nothing.c`, `dunlin fly`, `dunlin train x --fast`, `--nothing`,
`prompt.nothing`, `DUNLIN_NOTHING`, `nn/nothing.c`, `tools/test nothing`,
`dun_nothing_at_all`; right are [this](#a-page), `dunlin train x --sweep prompt.lr=1,2` and `--seeds`.

    [loss]
    kind = centroid
    weight = 1

A span `that is
not closed.
END
faults docs/wrong.md | sort -u >found
sort >wanted <<'END'
link to ../gone.md
heading #nowhere
file host/base/nothing.c
file nn/nothing.c
command fly
option --fast of train
option --fast
option --nothing
word nothing of tools/test
name dun_nothing_at_all
key prompt.nothing
key loss.weight
line 11 has half a span of code
variable DUNLIN_NOTHING
END
diff wanted found >out || fail "the page of mistakes is judged otherwise (< wanted, > found)"
: >out

n_pages=0
for page in "$source"/README.md "$source"/CONTRIBUTING.md "$source"/docs/*.md; do
    [ -f "$page" ] || stop "there is no $page"
    n_pages=$((n_pages + 1))
    faults "$page" | sort -u >found
    while read -r fault; do
        fail "${page#"$source"/} names what is not there: $fault"
    done <found
done
[ $n_pages -ge 8 ] || fail "only $n_pages pages"
# The map: the first line of every source file.
while read -r file; do
    first=$(head -n 1 "$source/$file")
    [[ $first == "/* "?* && $first != "/* See "* ]] || fail "$file does not open with what it owns: $first"
done < <(grep -E '\.(c|h|cl|def)$' paths | sed 's|^/||')

lines=$(wc -l <"$source/README.md")
[ "$lines" -le 200 ] || fail "README.md has $lines lines; at most 200 are read"

finish
echo "all as expected"
