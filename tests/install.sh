#!/usr/bin/env bash
# install.sh BUILD SOURCE FIXTURES COMPILER CXX-COMPILER: a copy installed from a build is used as others use it: its
# exports, its header in C99 and C++, examples/ built with pkg-config and through find_package, against the shared and
# the static library, and run; dunlin-probe is where the library finds it; a program starts without an OpenCL loader.
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=$1 source=$2 fixtures=$3 cc=$4 cxx=$5
device=${DUNLIN_TEST_DEVICE:-cpu}
copy=$work/moved
cmake --install "$build" --prefix "$copy" >log 2>&1 || fail "cmake --install: $(tail -3 log)"
library=$(echo "$copy"/lib*/libdunlin.so.0 "$copy"/lib*/*/libdunlin.so.0 | tr ' ' '\n' | grep -v '\*' | head -1)
[ -e "$library" ] || stop "no libdunlin.so.0 was installed"
folder=$(dirname "$library")
export PKG_CONFIG_PATH=$folder/pkgconfig

# What the header declares is exported, and nothing else.
grep -o '^DUNLIN_API .*\bdunlin_[a-z_]*(' "$source/include/dunlin.h" | grep -o 'dunlin_[a-z_]*(' | tr -d '(' | sort >declared
nm -D --defined-only "$library" | awk '{print $3}' | sort >exported
{ [ -s declared ] && cmp -s declared exported; } || fail "exports and header differ: $(diff declared exported | tr '\n' ' ')"
[ "$(wc -l <declared)" -le 32 ] || fail "the header has more than 32 functions"
readelf -d "$library" | grep -q 'SONAME.*\[libdunlin.so.0\]' || fail "the library has another soname"
readelf -d "$library" "$copy/bin/dunlin" | grep -E 'NEEDED.*(OpenCL|clblast)' && fail "OpenCL or CLBlast is linked"
[ "$(pkg-config --modversion dunlin)" = "$("$copy/bin/dunlin" --version | cut -d ' ' -f 2)" ] || fail "dunlin.pc: another version"

cflags=$(pkg-config --cflags dunlin) libs=$(pkg-config --libs dunlin)
export LD_LIBRARY_PATH=$folder
for example in train embed resume; do
    # shellcheck disable=SC2086
    $cc -std=c99 -pedantic -Wall -Wextra -Werror $cflags "$source/examples/$example.c" $libs -o $example 2>err ||
        fail "$example.c does not build: $(cat err)"
done
printf '#include <dunlin.h>\nint main() { return dunlin_version() == DUNLIN_VERSION ? 0 : 1; }\n' >use.cpp
# shellcheck disable=SC2086
$cxx -std=c++11 -pedantic -Wall -Wextra -Werror $cflags use.cpp $libs -o use 2>err || fail "C++: $(cat err)"
./use || fail "C++: the library is of another version"
# shellcheck disable=SC2046,SC2086
$cc "$source/examples/train.c" $cflags -o static "$folder/libdunlin.a" $(pkg-config --libs --static dunlin | sed 's/-ldunlin//') \
    2>err || fail "libdunlin.a: $(cat err)"

./train "$fixtures/tiny-a.gguf" "$device" >out 2>err || fail "train: $(cat err)"
grep -qE '^(good|bad)	0\.[0-9]+	Such a lovely story!$' out || fail "train prints: $(cat out)"
./static "$fixtures/tiny-a.gguf" "$device" >out.static 2>err || fail "static: $(cat err)"
cmp -s out out.static || fail "the static library answers otherwise"
printf 'one\ntwo words\n' | ./embed "$fixtures/tiny-a.gguf" out.npy "$device" >out 2>err || fail "embed: $(cat err)"
printf 'one\ntwo words\n' | "$copy/bin/dunlin" embed "$fixtures/tiny-a.gguf" --pool mean --out their.npy --device "$device" \
    2>err || fail "dunlin embed: $(cat err)"
cmp -s <(tail -c 256 out.npy) <(tail -c 256 their.npy) || fail "embed and dunlin embed differ"
for i in $(seq 40); do printf '%s\t%s\n' "text number $i" $((i % 2)); done >texts.tsv
cat >job.ini <<END
[model]
path = $fixtures/tiny-a.gguf
[device]
use = $device
[data]
train = texts.tsv
valid = texts.tsv
[prompt]
text = " was"
[train]
epochs = 300
batch_size = 2
probe = no
END
./resume job.ini run >out 2>err || fail "resume: $(cat err)"
grep -q '^stopped and gone on with$' out || fail "resume was not stopped: $(tail -1 out)"
[ -s run/metrics.json ] || fail "resume left no run"

mkdir package && cat >package/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.22)
project(use LANGUAGES C)
find_package(dunlin 0.2 REQUIRED)
add_executable(use use.c)
target_link_libraries(use PRIVATE dunlin::dunlin)
END
cp "$source/examples/train.c" package/use.c
{ cmake -S package -B package/build -DCMAKE_PREFIX_PATH="$copy" -DCMAKE_C_COMPILER="$cc" >log 2>&1 &&
    cmake --build package/build >>log 2>&1; } || fail "find_package: $(tail -5 log)"
package/build/use "$fixtures/tiny-a.gguf" "$device" >out.cmake 2>err || fail "built with CMake: $(cat err)"
cmp -s out.static out.cmake || fail "built with CMake, the example answers otherwise"

# Without a loader it starts, and says what was looked for: a library of that name which is none is found first.
mkdir none && : >none/libOpenCL.so.1 && : >none/libOpenCL.so
LD_LIBRARY_PATH=$folder:$work/none ./train "$fixtures/tiny-a.gguf" "$device" >out 2>err && fail "trained without OpenCL"
grep -q 'DUNLIN_BAD_DEVICE: there is no OpenCL loader.*libOpenCL.so.1.*libOpenCL.so' err || fail "without a loader: $(cat err)"
LD_LIBRARY_PATH=$work/none "$copy/bin/dunlin" devices >out 2>err
{ [ $? -eq 4 ] && grep -q 'no OpenCL loader' err; } || fail "dunlin devices without a loader: $(cat err)"
LD_LIBRARY_PATH=$work/none "$copy/bin/dunlin" --version >/dev/null || fail "dunlin does not start without a loader"

finish
echo "all as expected"
