#!/bin/sh
# Links for arm-linux-gnueabihf: Debian's cross compiler, or this machine's own where it is such a machine without one.
command -v arm-linux-gnueabihf-gcc >/dev/null && exec arm-linux-gnueabihf-gcc "$@"
exec cc "$@"
