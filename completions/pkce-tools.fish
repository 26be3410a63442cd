# Completion of the pkce tools in fish: options, their values, the names of stored logins, else the names of files.
# Options and values are read from the tool's own --help, so that they are always correct.

function __pkce_tools_run --description 'Run a tool of the PATH, never a function of its name'
    command -q $argv[1]
    and command $argv </dev/null 2>/dev/null
end

function __pkce_tools_words --description 'What may stand at the cursor, except a file'
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l tool (string replace -r '.*/' '' -- $words[1])
    set -l option $words[-1]
    set -l prefix ''
    # The words after -- belong to another command.
    if contains -- -- $words
        return
    end
    if string match -q -- '--*=*' $typed
        set option (string split -m 1 = -- $typed)[1]
        set prefix $option=
    end
    # The tool's usage on one line, then each of its options on one.
    set -l help (__pkce_tools_run $tool --help |
        command awk '/^(  |      )-/ { print "" } { $1 = $1; printf "%s ", $0 } END { print "" }')
    set -l with_value '^(?:-., )?'(string escape --style=regex -- $option)'(?:, --\S+)? <'
    if string match -q -- '-*' $option
        and set -l line (string match -r -- $with_value'.*' $help[2..])
        set -l offered
        if test $option = --fault
            set offered (__pkce_tools_run $tool --list-faults | string replace -r ' .*' '')
        else if string match -qr ' values: (?<values>[^]]*)' -- $line
            set offered (string split ', ' -- $values)
        end
        string join \n -- $prefix$offered
    else if string match -q -- '-*' $typed
        for line in $help[2..]
            string match -qr '^(?<names>(-\S+ )+)(<\S+ )?(?<about>.*)' -- $line
            for name in (string split -n ' ' -- (string replace -a , '' -- $names))
                printf '%s\t%s\n' $name $about
            end
        end
    else if string match -qr '[<[]NAME[]>]' -- $help[1]
        __pkce_tools_run pkce-load
    end
end

# fish loads this file by the name of one tool; this registers all of them, and no other program.
for tool in pkce-callback pkce-device pkce-discover pkce-exchange pkce-gen pkce-idp pkce-load pkce-login pkce-logout \
        pkce-push pkce-refresh pkce-register pkce-revoke pkce-show pkce-store pkce-token pkce-url pkce-verify
    complete -e -c $tool
    complete -c $tool -k -n 'set -g __pkce_tools_offered (__pkce_tools_words); set -q __pkce_tools_offered[1]' \
        -f -a '$__pkce_tools_offered'
end
