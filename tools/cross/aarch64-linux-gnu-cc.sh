#!/bin/sh
# Links for aarch64-linux-gnu: Debian's cross compiler, or this machine's own where it is such a machine without one.
command -v aarch64-linux-gnu-gcc >/dev/null && exec aarch64-linux-gnu-gcc "$@"
exec cc "$@"
