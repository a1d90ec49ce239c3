#!/bin/sh
# From a clean clone to label-free instances: environment, rooms, pretraining, pictures. See quickstart.py --help.
set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/tools/environment.sh"
use_environment scans,viz,cluster
# small tensors: a second thread costs more than it gives, and far more on a busy machine
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$PYTHON" "$ROOT/tools/quickstart.py" "$@"
