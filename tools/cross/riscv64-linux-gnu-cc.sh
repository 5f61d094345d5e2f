#!/bin/sh
# Links for riscv64-linux-gnu: Debian's cross compiler, or this machine's own where it is such a machine without one.
command -v riscv64-linux-gnu-gcc >/dev/null && exec riscv64-linux-gnu-gcc "$@"
exec cc "$@"
