# Builds an earlier commit and the working tree side by side in build/pair, for scripts that compare the two; to
# be sourced after tools/lib.sh.
# shellcheck shell=bash

# Both are built as users build them, without tests.
dun_build_in() {
    cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDUN_TESTS=OFF >/dev/null
    cmake --build "$2" -j "$(nproc)" --target dunlin >&2
}

# dun_two_builds COMMIT: sets old_source and the programs old and new. The commit's files are taken from git's
# archive of it, so that build/ may be removed at any time and git keeps no record of a second working tree.
dun_two_builds() {
    local commit folder
    # shellcheck disable=SC2154 # dun_root is lib.sh's
    commit=$(git -C "$dun_root" rev-parse --quiet --verify "$1^{commit}") ||
        dun_fail "'$1' is no commit of this repository (see --help)"
    folder=$dun_root/build/pair/${commit:0:12}
    old_source=$folder/source
    if [ ! -e "$folder/unpacked" ]; then
        rm -rf "$folder"
        mkdir -p "$old_source"
        git -C "$dun_root" archive "$commit" | tar -x -C "$old_source"
        : >"$folder/unpacked"
    fi
    dun_say "building ${commit:0:12} and the working tree in ${folder%/*}"
    dun_build_in "$old_source" "$folder/build"
    dun_build_in "$dun_root" "${folder%/*}/new"
    old=$folder/build/dunlin
    new=${folder%/*}/new/dunlin
    : "$old" "$new" "$old_source"
}
