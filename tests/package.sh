#!/usr/bin/env bash
# The Debian packages of a build: what is in them, file by file, what they depend on, that lintian finds no fault, and
# that they work from the folder where they were unpacked: the program with its configs and data, a C program against
# the header and both libraries, the Python package on the shared library. Nothing is installed.
# Usage: package.sh BUILD FIXTURES VERSION; the status is 77, skipped, without dpkg's tools.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=$1
fixtures=$2
version=$3
source=$(dirname "$here")
for tool in cpack dpkg-deb dpkg-shlibdeps lintian; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done

(cd "$build" && cpack -G DEB -B "$work/made") >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }

# Package, and a line of its control file, of which the first words are the whole line or a part of it.
while read -r package line; do
    file=$(echo made/"$package"_"$version"_*.deb)
    [ -f "$file" ] || stop "no package $package of version $version"
    dpkg-deb -f "$file" >control
    grep -qE "^$line" control || fail "$package has no line '$line': $(cat control)"
done <<END
dunlin Package: dunlin\$
dunlin Version: $version\$
dunlin Section: science\$
dunlin Depends: .*libc6
dunlin Depends: .*libjansson4
dunlin Depends: .*libopencl1
dunlin Depends: .*libpcre2-8-0
dunlin Depends: .*libutf8proc
dunlin Recommends: .*libclblast1
libdunlin0 Depends: .*libc6
libdunlin0 Depends: .*libjansson4
libdunlin0 Depends: .*libopencl1
libdunlin0 Recommends: dunlin,
libdunlin-dev Depends: .*libdunlin0 \(= $version\)
libdunlin-dev Depends: .*libjansson-dev
python3-dunlin Architecture: all\$
python3-dunlin Depends: .*python3-numpy, libdunlin0 \(= $version\)
END
dpkg-deb -f made/libdunlin0_*.deb Depends | grep -qE 'cairo|microhttpd' && fail "libdunlin0 depends on the program's libraries"
dpkg-deb --ctrl-tarfile made/libdunlin0_*.deb | tar -xf - || stop "libdunlin0 has no control files"
[ "$(cat shlibs)" = "libdunlin 0 libdunlin0 (>= $version)" ] || fail "libdunlin0's shlibs: $(cat shlibs)"

lintian --fail-on error,warning made/*.deb >lint 2>&1 || fail "lintian: $(cat lint)"

for file in made/*.deb; do
    dpkg-deb -x "$file" root || fail "$file cannot be unpacked"
    dpkg-deb --fsys-tarfile "$file" | tar -tf - | sed -n 's/^\.\/usr\///; /[^/]$/p' >"$(basename "${file%%_*}").files"
done
lib=$(sed -n 's/\/libdunlin\.so\.0$//p' libdunlin0.files)

# has PACKAGE: the files of a package, which are those of stdin, no other.
has() {
    sort >wanted
    sort "$1.files" | diff - wanted >difference || fail "$1 lacks (>) or has besides (<): $(grep '^[<>]' difference)"
}
has libdunlin0 <<END
$lib/libdunlin.so.0
$lib/libdunlin.so.$version
share/doc/libdunlin0/changelog.gz
share/doc/libdunlin0/copyright
END
has libdunlin-dev <<END
include/dunlin.h
$lib/cmake/dunlin/dunlinConfig-release.cmake
$lib/cmake/dunlin/dunlinConfig.cmake
$lib/cmake/dunlin/dunlinConfigVersion.cmake
$lib/libdunlin.a
$lib/libdunlin.so
$lib/pkgconfig/dunlin.pc
$(cd "$source" && printf 'share/doc/dunlin/%s\n' examples/*)
share/doc/libdunlin-dev/changelog.gz
share/doc/libdunlin-dev/copyright
END
has python3-dunlin <<END
$(cd "$source/python" && printf 'lib/python3/dist-packages/%s\n' dunlin/*.py dunlin/py.typed)
lib/python3/dist-packages/dunlin/_version.py
lib/python3/dist-packages/dunlin-$version.dist-info/METADATA
$(cd "$source/python" && printf 'share/doc/python3-dunlin/%s\n' examples/*)
share/doc/python3-dunlin/changelog.gz
share/doc/python3-dunlin/copyright
END
zsh=$(grep -xE 'share/zsh/(site-functions|vendor-completions)/_dunlin' dunlin.files)
has dunlin <<END
bin/dunlin
libexec/dunlin/dunlin-probe
share/man/man1/dunlin.1.gz
share/man/man5/dunlin-config.5.gz
share/bash-completion/completions/dunlin
share/fish/vendor_completions.d/dunlin.fish
$zsh
$(cd "$source" && find README.md CONTRIBUTING.md CHANGELOG.md docs data/pictures -type f -printf 'share/doc/dunlin/%p\n')
share/doc/dunlin/changelog.gz
share/doc/dunlin/copyright
$(cd "$source" && printf 'share/dunlin/%s\n' config/*.* config/experiments/* data/*/*.tsv tools/model tools/lib.sh)
END

usr=$work/root/usr
export LD_LIBRARY_PATH=$usr/$lib HOME=$work/elsewhere
unset XDG_DATA_HOME

# A program in C, against the shared library and the static one, both by dunlin.pc.
cat >uses.c <<'END'
#include <dunlin.h>
#include <stdio.h>
int main(void) {
    static char text[65536];
    size_t needed = 0;
    const int rc = dunlin_devices(text, sizeof text, &needed);
    printf("%d %s\n", dunlin_version(), rc == DUNLIN_OK ? "devices" : dunlin_error());
    return 0;
}
END
export PKG_CONFIG_PATH=$usr/$lib/pkgconfig
number=$(echo "$version" | awk -F. '{print $1 * 10000 + $2 * 100 + $3}')
for kind in shared static; do
    [ $kind = shared ] && libraries=$(pkg-config --libs dunlin)
    [ $kind = static ] && libraries="$usr/$lib/libdunlin.a $(pkg-config --static --libs dunlin | sed 's/-ldunlin //')"
    # shellcheck disable=SC2046,SC2086
    cc uses.c -o "uses-$kind" $(pkg-config --cflags dunlin) $libraries >log 2>&1 || fail "$kind: $(cat log)"
    "./uses-$kind" >out 2>err
    [ "$(cat out)" = "$number devices" ] || fail "a program with the $kind library: $(cat out err)"
    ldd "uses-$kind" >needs || fail "uses-$kind cannot be looked at"
    [ "$(grep -c libdunlin needs):$kind" = "1:shared" ] || [ "$(grep -c libdunlin needs):$kind" = "0:static" ] ||
        fail "a program with the $kind library needs: $(cat needs)"
done

# The Python package, on the shared library of the other package.
python=/usr/bin/python3
if $python -c 'import numpy' 2>/dev/null; then
    PYTHONPATH=$usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 $python >out 2>err <<'END'
import importlib.metadata, dunlin
print(dunlin.__version__, importlib.metadata.version("dunlin"), len(dunlin.devices()) > 0)
print([line.split()[-1] for line in open("/proc/self/maps") if "libdunlin" in line][0])
END
    [ "$(cat out)" = "$version $version True
$usr/$lib/libdunlin.so.$version" ] || fail "the Python package: $(cat out err)"
    # The page of a run is written by the program, wherever that is; without it the run is whole all the same.
    for path in "$usr/bin:$PATH" /nowhere; do
        rm -rf by-python
        PATH=$path PYTHONPATH=$usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 $python - "$usr" "$fixtures" \
            "${DUNLIN_TEST_DEVICE:-cpu}" >out 2>err <<'END'
import sys, dunlin
usr, fixtures, device = sys.argv[1:]
run = dunlin.train(f"{usr}/share/dunlin/config/quickstart.ini", out="by-python", device=device, set={
    "model.path": f"{fixtures}/tiny-a.gguf", "data.train": f"{usr}/share/dunlin/data/feelings/train.tsv",
    "data.valid": f"{usr}/share/dunlin/data/feelings/valid.tsv", "data.limit_train": 32, "data.limit_valid": 16,
    "train.epochs": 1})
print(run.report_path, len(run.history) > 0)
END
        if [ "$path" = /nowhere ]; then
            [ "$(cat out)" = "None True" ] && grep -q 'has no page: the program dunlin cannot be run' err
        else
            [ "$(cat out)" = "by-python/report.html True" ]
        fi || fail "a training from Python, programs in $path: $(cat out err)"
    done
else
    fail "python3-numpy is not installed"
fi

# The program, in a folder of its own.
mkdir -p elsewhere
cd elsewhere || exit 1
dunlin=$usr/bin/dunlin
[ "$("$dunlin" --version)" = "dunlin $version" ] || fail "the program in the package is another version"
"$dunlin" train config/quickstart.ini >out 2>err && fail "a model that is nowhere was found"
grep -q "no such file; looked in .*$usr/share/dunlin; $usr/share/dunlin/tools/model" err ||
    fail "without a model: $(cat err)"
# A model in the user's folder is found under the name that the config has.
mkdir -p .local/share/dunlin/models
cp "$fixtures/tiny-a.gguf" .local/share/dunlin/models/SmolLM2-135M-Instruct.Q4_1.gguf
"$dunlin" train -q config/quickstart.ini --set data.limit_train=32 --set data.limit_valid=16 \
    --device "${DUNLIN_TEST_DEVICE:-cpu}" >out 2>err || fail "training from the package: $(cat err)"
[ -s runs/quickstart/metrics.json ] || fail "training from the package left no run"

finish
echo "all as expected"
