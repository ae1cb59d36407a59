#!/bin/sh
# The kernels that the image brings are copied to where they can be added to: the image itself is read-only.
set -eu
umask 077
if [ ! -d "$NUMBA_CACHE_DIR" ] && [ -d /opt/cofactor/kernels ]; then
  cp -r /opt/cofactor/kernels "$NUMBA_CACHE_DIR"
fi
exec /opt/cofactor/bin/cofactor "$@"
