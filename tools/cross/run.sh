#!/bin/sh
# Runs a Linux program of another machine, as Debian names it, under QEMU, on the processor that QEMU_CPU names;
# as it is where that is this machine and QEMU_CPU asks for no other processor.
#
#   QEMU_CPU=cortex-a53 tools/cross/run.sh aarch64-linux-gnu PROGRAM ARGUMENT...
set -eu
machine=$1
shift
emulator=qemu-${machine%%-*}
case ${QEMU_CPU:-}:$machine:$(uname -m) in
  :aarch64-*:aarch64 | :arm-*:armv[78]* | :riscv64-*:riscv64) exec "$@" ;;
esac
command -v "$emulator" >/dev/null || { echo "run.sh: there is no $emulator: on Debian, apt install qemu-user" >&2; exit 127; }
exec "$emulator" -L "/usr/$machine" "$@"
