#!/bin/sh
# From a clean clone to label-free instances: environment, rooms, pretraining, pictures. See quickstart.py --help.
set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/tools/environment.sh"
use_environment scans,viz,cluster
exec "$PYTHON" "$ROOT/tools/quickstart.py" "$@"
