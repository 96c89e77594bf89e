#compdef dunlin
# zsh completion for dunlin, made from its tables of commands, options and keys
_dunlin_config() { _files -g '*.ini' }
_dunlin_run() {
    local -a runs
    runs=(runs/*/config.ini(N:h))
    (( ! $#runs )) || compadd -f -a runs
    _files -/
}
_dunlin_selector() {
    local -a devices
    devices=(best cpu gpu all ${(f)"$(@devices@)"})
    compadd -a devices
}
_dunlin_set() {
    local key=${PREFIX%%=*}
    if ! compset -P '*='; then
        compadd -S '' -- ${=_dunlin_keys}
        return
    fi
    case $key in
@arms@    esac
}
_dunlin_keys='@sets@'
_dunlin() {
    local -a commands
    commands=(
@summaries@        'help:Show the help of a command, a topic or a key'
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        compadd -- --help --version
        return
    fi
    shift words
    (( CURRENT-- ))
    case $words[1] in
@commands@    help) compadd -- @topics@@keys@ ;;
    esac
}
compdef _dunlin dunlin
