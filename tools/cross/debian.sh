#!/usr/bin/env bash
# Puts together a Rust toolchain that can cross-compile from Debian's packages, in the folder given:
# rustc-web (the compiler), its LLVM, and rust-web-src (the standard library's source, for
# -Zbuild-std). The packages are unpacked, not installed. Cargo and rust-lld are copies of the
# active toolchain's. Takes about a minute and 900 MB; needs rustup, apt-get and dpkg-deb.
#
#   tools/cross/debian.sh ~/.cache/acorn-cross && rustup toolchain link acorn-cross ~/.cache/acorn-cross/toolchain
set -euo pipefail

cache=${1:?usage: $0 FOLDER}
debs=$cache/debs root=$cache/root toolchain=$cache/toolchain
host=$(rustc -vV | sed -n 's/^host: //p')
own=$(rustc --print sysroot)
as_root=
[ "$(id -u)" = 0 ] || as_root=$(command -v sudo || true)

rm -rf "$debs" "$root" "$toolchain"
mkdir -p "$debs" "$root/usr" "$toolchain/bin" "$toolchain/lib/rustlib/src" "$toolchain/lib/rustlib/$host"
$as_root apt-get update -qq || echo "apt-get update failed: going on with the lists that are there"

# fetch PACKAGE…: downloads and unpacks.
fetch() {
  (cd "$debs" && apt-get download -qq "$@")
  for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$root"; done
  rm -f "$debs"/*.deb
}

# By exact version, so that compiler, library and source match.
version=$(apt-cache policy rustc-web | awk '/Candidate:/ { print $2 }')
if [ -z "$version" ] || [ "$version" = "(none)" ]; then
  echo "this machine's package lists have no rustc-web"
  exit 1
fi
fetch "rustc-web=$version" "libstd-rust-web-dev=$version" "rust-web-src=$version" \
  "libstd-rust-web-$(cut -d. -f1,2 <<<"$version")=$version"

# The LLVM that the compiler was linked with, and what that needs and this machine lacks.
driver=$(find "$root/usr/lib" -name 'librustc_driver-*.so')
llvm=$(ldd "$driver" | sed -nE 's/^\s*libLLVM\.so\.([0-9]+).*/libllvm\1/p')
mapfile -t missing < <(apt-get -s install --no-install-recommends "$llvm" | awk '/^Inst/ { print $2 }')
fetch "${missing[@]:-$llvm}"

# Laid out as rustup expects it.
cp -a "$root/usr/bin/rustc" "$own/bin/cargo" "$toolchain/bin/"
find "$(dirname "$driver")" -maxdepth 1 -name '*.so*' -exec cp -a {} "$toolchain/lib/" \;
rm -f "$root/usr/lib/rustlib/src/rust"
cp -a "$root/usr/lib/rustlib/." "$toolchain/lib/rustlib/"
mv "$root"/usr/src/rustc-* "$toolchain/lib/rustlib/src/rust"
rm -rf "$toolchain/lib/rustlib/$host/bin"
cp -a "$own/lib/rustlib/$host/bin" "$toolchain/lib/rustlib/$host/bin"
rm -rf "$debs" "$root"
