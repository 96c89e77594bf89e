# bash completion for dunlin, made from its tables of commands, options and keys
_dunlin_words() {
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$1" -- "$cur")
}
_dunlin_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen "$@" -- "$cur")
}
_dunlin_none() { :; }
_dunlin_file() { _dunlin_files -f; }
_dunlin_dir() { _dunlin_files -d; }
_dunlin_config() { _dunlin_files -f -X '!*.ini'; _dunlin_files -d; }
# Folders; of those in runs/ the runs alone, when nothing is typed yet.
_dunlin_run() {
    local config
    _dunlin_files -d
    [ -z "$cur" ] || return 0
    for config in runs/*/config.ini; do
        [ ! -f "$config" ] || COMPREPLY+=("${config%/config.ini}")
    done
}
_dunlin_selector() {
    _dunlin_words "best cpu gpu all $(@devices@)"
}
# section.key=value
_dunlin_set() {
    local key
    if [[ $cur != *=* ]]; then
        compopt -o nospace 2>/dev/null
        _dunlin_words "$_dunlin_keys"
        return 0
    fi
    key=${cur%%=*}
    before+=$key=
    cur=${cur#*=}
    case $key in
@arms@    esac
}
_dunlin() {
    local cur prev command before='' i
    local -a words=()
    COMPREPLY=()
    # bash takes words apart at '=': they are put together again.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if ((i > 0)) && [[ ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == = ]]; then
            words[${#words[@]} - 1]+=${COMP_WORDS[i]}
        else
            words+=("${COMP_WORDS[i]}")
        fi
    done
    cur=${words[${#words[@]} - 1]}
    prev=${words[${#words[@]} - 2]}
    command=${words[1]-}
    if ((${#words[@]} == 2)); then
        _dunlin_words "$_dunlin_commands --help --version"
        return 0
    fi
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*}
        before=$prev=
        cur=${cur#*=}
    fi
    case $command,$prev in
@values@@commands@    help,*) _dunlin_words '@topics@@keys@' ;;
    esac
    # Where bash itself replaces only what stands behind the last '='.
    if [[ $COMP_WORDBREAKS != *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]/#/$before}")
    fi
}
complete -F _dunlin dunlin
_dunlin_commands='@names@'
_dunlin_keys='@sets@'
