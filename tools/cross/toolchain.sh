#!/usr/bin/env bash
# Finds or makes a Rust toolchain that compiles for the given targets, trying in this order:
#
#   installed   the active toolchain already has the targets' standard library;
#   rustup      `rustup target add` fetches it;
#   debian      a toolchain `acorn-cross` is put together from Debian's rustc-web packages, unpacked
#               (not installed) in a cache folder; it builds the standard library from its source.
#
#   tools/cross/toolchain.sh thumbv7em-none-eabihf thumbv6m-none-eabi
#
# What it does goes to stderr. Its only line on stdout says what to build with:
#
#   toolchain=stable-x86_64-unknown-linux-gnu build-std=no
#   toolchain=acorn-cross build-std=yes      (RUSTC_BOOTSTRAP=1 cargo +acorn-cross … -Zbuild-std=core,
#                                             or std,panic_unwind where there is an operating system)
#
# It fails if no way works. Environment:
#   ACORN_CROSS_WAY     only this way: installed, rustup or debian
#   ACORN_CROSS_CACHE   where `debian` unpacks (default: ~/.cache/acorn-cross)
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 TARGET..." >&2; exit 2; }
targets=("$@")
cache=${ACORN_CROSS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/acorn-cross}

say() { echo "cross: $*" >&2; }

# Each way sets `toolchain` and `build_std` if it worked.
toolchain='' build_std=no

way_installed() {
  local sysroot target
  sysroot=$(rustc --print sysroot) || return 1
  for target in "${targets[@]}"; do
    [ -d "$sysroot/lib/rustlib/$target/lib" ] || { say "$target is not installed"; return 1; }
  done
  toolchain=$(active_toolchain)
}

way_rustup() {
  command -v rustup >/dev/null || { say "there is no rustup"; return 1; }
  say "rustup target add ${targets[*]}"
  # A server that is out of reach must not cost more than this.
  timeout 180 rustup target add "${targets[@]}" >&2 || { say "rustup could not add the targets"; return 1; }
  toolchain=$(active_toolchain)
}

way_debian() {
  local tool
  for tool in rustup apt-get dpkg-deb ldd; do
    command -v "$tool" >/dev/null || { say "the Debian way needs $tool"; return 1; }
  done
  if ! cross_rustc_runs; then
    say "unpacking Debian's rustc-web in $cache"
    "$(dirname "$0")/debian.sh" "$cache" >&2 || { say "that failed"; return 1; }
    rustup toolchain link acorn-cross "$cache/toolchain" >&2 || return 1
    cross_rustc_runs || { say "the unpacked compiler does not run"; return 1; }
  fi
  toolchain=acorn-cross build_std=yes
}

# Whether the toolchain `acorn-cross` is there, works, and knows the targets.
cross_rustc_runs() {
  local target
  for target in "${targets[@]}"; do
    rustup run acorn-cross rustc --print cfg --target "$target" >/dev/null 2>&1 || return 1
  done
  rustup run acorn-cross cargo --version >/dev/null 2>&1
}

active_toolchain() {
  command -v rustup >/dev/null || return 0
  rustup show active-toolchain | awk '{ print $1; exit }'
}

for way in ${ACORN_CROSS_WAY:-installed rustup debian}; do
  if "way_$way"; then
    say "way \"$way\" works: toolchain ${toolchain:-of this machine}, build-std=$build_std"
    echo "toolchain=${toolchain:-default} build-std=$build_std"
    exit 0
  fi
done
say "no toolchain for ${targets[*]}: run \`rustup target add ${targets[*]}\`, or use a Debian machine whose package lists have rustc-web"
exit 1
