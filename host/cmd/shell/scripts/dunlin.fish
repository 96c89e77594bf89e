function __dunlin_sets
@arms@end
# fish completion for dunlin, made from its tables of commands, options and keys
function __dunlin_runs
    for config in runs/*/config.ini
        string replace /config.ini '' $config
    end
    __fish_complete_directories
end
function __dunlin_selectors
    printf '%s\n' best cpu gpu all
    @devices@
end
function __dunlin_configs
    __fish_complete_suffix .ini
end
complete -c dunlin -f
complete -c dunlin -n __fish_use_subcommand -s h -l help -d 'Show the help'
complete -c dunlin -n __fish_use_subcommand -l version -d 'Show the version'
@commands@complete -c dunlin -n __fish_use_subcommand -a help -d 'Show help'
complete -c dunlin -n '__fish_seen_subcommand_from help' -a '@topics@@keys@'
