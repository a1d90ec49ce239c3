#!/bin/sh
# `pointins test` from a clone: sh tools/test.sh -d DATASET -n NAME [-p PYTHON] [options] [-- key=value ...]
set -eu
. "$(dirname "$0")/launch.sh"
run_verb test "$@"
