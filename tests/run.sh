#!/bin/sh
# Makes the environment and runs the whole test suite; arguments go to pytest.
set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/tools/environment.sh"
use_environment test
$PYTHON -m pip install --quiet --disable-pip-version-check --no-deps -r "$ROOT/tests/oracles/requirements.txt"
cd "$ROOT"
# two processes of one thread: two threads are slower than one, and spconv's CPU build, an oracle, loses updates with two
export OMP_NUM_THREADS=1
# stolen work keeps a module in one process, and so its fixtures
exec "$PYTHON" -m pytest -n 2 --dist worksteal "$@"
