#!/usr/bin/env bash
# The Debian package of a build: what is in it, what it depends on, and that the program in it runs from where
# it was unpacked, in a folder of its own, with the configs and data that came with it. Nothing is installed.
# Usage: package.sh BUILD FIXTURES VERSION; the status is 77, skipped, without dpkg's tools.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=$1
fixtures=$2
version=$3
for tool in cpack dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done

(cd "$build" && cpack -G DEB -B "$work/made") >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
package=$(echo made/dunlin_"$version"_*.deb)
[ -f "$package" ] || stop "no package of version $version"
dpkg-deb -f "$package" >control
for line in 'Package: dunlin' "Version: $version" 'Section: science'; do
    grep -qxF "$line" control || fail "the package has no '$line'"
done
for library in libc6 libjansson4 libopencl1 libpcre2-8-0 libutf8proc; do
    grep -q "^Depends:.*$library" control || fail "the package does not depend on $library"
done
grep -q '^Recommends:.*libclblast1' control || fail "the package does not recommend libclblast1"
dpkg-deb -x "$package" root || fail "the package cannot be unpacked"
for file in bin/dunlin share/man/man1/dunlin.1.gz share/man/man5/dunlin-config.5.gz share/doc/dunlin/copyright \
    share/bash-completion/completions/dunlin share/fish/vendor_completions.d/dunlin.fish \
    share/doc/dunlin/README.md share/doc/dunlin/docs/measured.md share/doc/dunlin/data/pictures/scatter.png \
    share/dunlin/config/quickstart.ini share/dunlin/config/default.ini share/dunlin/data/feelings/train.tsv; do
    [ -s root/usr/$file ] || fail "the package has no $file"
done
[ -s root/usr/share/zsh/site-functions/_dunlin ] || [ -s root/usr/share/zsh/vendor-completions/_dunlin ] ||
    fail "the package has no completion for zsh"
if command -v lintian >/dev/null; then
    lintian --fail-on error "$package" >lint 2>&1 || fail "lintian: $(grep '^E' lint)"
fi

mkdir elsewhere
cd elsewhere || exit 1
dunlin=$work/root/usr/bin/dunlin
[ "$("$dunlin" --version)" = "dunlin $version" ] || fail "the program in the package is another version"
export HOME=$work/elsewhere
unset XDG_DATA_HOME
"$dunlin" train config/quickstart.ini >out 2>err && fail "a model that is nowhere was found"
grep -q "no such file; looked in .*$work/root/usr/share/dunlin; $work/root/usr/share/dunlin/tools/model" err ||
    fail "without a model: $(cat err)"
# A model in the user's folder is found under the name that the config has.
mkdir -p .local/share/dunlin/models
cp "$fixtures/tiny-a.gguf" .local/share/dunlin/models/SmolLM2-135M-Instruct.Q4_1.gguf
"$dunlin" train -q config/quickstart.ini --set data.limit_train=32 --set data.limit_valid=16 \
    --device "${DUNLIN_TEST_DEVICE:-cpu}" >out 2>err || fail "training from the package: $(cat err)"
[ -s runs/quickstart/metrics.json ] || fail "training from the package left no run"

finish
echo "all as expected"
