#!/usr/bin/env bash
# Builds every kernel in programs/ for wasm32-wasi and natively into $OUT (default
# target/programs beside this script); what is newer than its sources stays. The native
# build is for baseline x86-64, as is the code that both engines may assume least.
# Kernels named simd_* are built with 128-bit vectors; the others without.
# zig is taken from the PATH, else from $PEERS (default $HOME/.cache/selkie-peers/bin).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here/target/programs}
peers=${PEERS:-$HOME/.cache/selkie-peers/bin}
zig=$(command -v zig || true)
[ -n "$zig" ] || zig=$peers/zig
if [ ! -x "$zig" ]; then
  echo "build.sh: no zig on the PATH nor in $peers; it is the compiler of the kernels" >&2
  exit 1
fi

headers=("$here"/programs/*.h "$here"/programs/fs/*.h "$here/build.sh")
flags=(-O3 -std=gnu17 -Wall -Wextra -Wno-unused-function -ffp-contract=off -fno-sanitize=undefined)

# Whether target $1 is missing or older than source $2, a header or this script.
is_stale() {
  local file
  for file in "$2" "${headers[@]}"; do
    [ "$1" -nt "$file" ] || return 0
  done
  return 1
}

# Writes beside the target first, so that an interrupted build leaves nothing half done.
compile() {
  local target=$1 source=$2
  shift 2
  is_stale "$target" "$source" || return 0
  echo "  zig cc $(basename "$target")" >&2
  "$zig" cc "${flags[@]}" "$@" "$source" -o "$target.new" -lm
  mv "$target.new" "$target"
}

build() {
  local source=$1 folder=$2 name features=""
  name=$(basename "$source" .c)
  mkdir -p "$folder"
  case $name in simd_*) features=+simd128 ;; esac
  compile "$folder/$name.wasm" "$source" -target wasm32-wasi "-mcpu=generic$features" -s
  compile "$folder/$name.native" "$source" -target x86_64-linux-gnu -mcpu=x86_64
}

for source in "$here"/programs/*.c; do build "$source" "$out"; done
for source in "$here"/programs/fs/*.c; do build "$source" "$out/fs"; done
for source in "$here"/programs/startup/*.c; do build "$source" "$out/startup"; done
