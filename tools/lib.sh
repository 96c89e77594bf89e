# Shell functions that the scripts of this folder share; to be sourced from bash with `set -euo pipefail`.
# shellcheck shell=bash

# The repository's root, wherever a script is called from.
dun_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Progress of a script, on stderr: stdout is for data.
dun_say() {
    printf '%s\n' "== $*" >&2
}

dun_fail() {
    printf '%s\n' "${0##*/}: $*" >&2
    exit 1
}

# Prints the comment that opens a script, as its help.
dun_help() {
    sed -n '2,/^[^#]/{/^[^#]/d;s/^# \{0,1\}//;p}' "$1"
}

dun_is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# dun_missing_packages SECTION...: names the packages of these sections of packages.txt ("# To build" is `build`)
# that are not installed, one a line.
dun_missing_packages() {
    local line first name found section=
    while IFS= read -r line || [ -n "$line" ]; do
        if [[ $line =~ ^'# To '([a-z]+) ]]; then
            section=${BASH_REMATCH[1]}
        fi
        line=${line%%#*}
        [[ " $* " == *" $section "* ]] || continue
        first=
        found=no
        for name in ${line//|/ }; do
            first=${first:-$name}
            if dun_is_installed "$name"; then
                found=yes
            fi
        done
        if [ -n "$first" ] && [ $found = no ]; then
            printf '%s\n' "$first"
        fi
    done <"$dun_root/tools/packages.txt"
}

# dun_install PACKAGE...: by apt, as root or through sudo.
dun_install() {
    local as_root=()
    if ! command -v apt-get >/dev/null; then
        dun_fail "there is no apt-get; please install: $*"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            dun_fail "neither root nor sudo; please run as root: apt-get install $*"
        fi
        as_root=(sudo)
    fi
    dun_say "installing $*"
    "${as_root[@]}" apt-get update -q >&2 || true # an old list may do
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@" >&2; then
        dun_fail "could not install: $*"
    fi
}

# dun_install_packages SECTION...: installs what is missing of these sections. A machine that has everything needs
# neither root nor a network.
dun_install_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        dun_say "this is not Debian or Ubuntu: what tools/packages.txt names must be installed by hand"
        return 0
    fi
    mapfile -t missing < <(dun_missing_packages "$@")
    if [ ${#missing[@]} -gt 0 ]; then
        dun_install "${missing[@]}"
    fi
}

# Does a file have this SHA-256?
dun_has_sha256() {
    [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]
}
