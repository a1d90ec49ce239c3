#!/bin/sh
# `pointins train` from a clone: sh tools/train.sh -c CONFIG -n NAME [-p PYTHON] [options] [-- key=value ...]
set -eu
. "$(dirname "$0")/launch.sh"
run_verb train "$@"
