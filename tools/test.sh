#!/bin/sh
# Test an experiment with the tester of its config; experiments and data are relative to the folder you call it from.
set -eu

usage() {
  cat >&2 <<USAGE
usage: sh tools/test.sh -d DATASET -n NAME [options] [-- key=value ...]
  -d DATASET   folder under exp/
  -n NAME      experiment folder exp/DATASET/NAME                     (debug)
  -c CONFIG    config instead of the experiment's own, found as train.sh finds it
  -w WEIGHT    name in exp/DATASET/NAME/model, or a path              (model_best)
  -g NUM_GPU   processes on this machine                              (all GPUs)
  -m MACHINES  number of machines, under SLURM                        (1)
  -p PYTHON    interpreter                                            (python)
  key=value    config overrides
USAGE
  exit 2
}

. "$(dirname "$0")/launch.sh"
parse_flags "$@"
shift $((OPTIND - 1))

POINTCEPT=$(pointcept_root)
CODE_DIR=$ROOT
if [ -n "$CONFIG" ]; then
  find_config
  EXP_DIR=exp/$DATASET/$NAME
else
  [ -n "$DATASET" ] || usage
  EXP_DIR=exp/$DATASET/$NAME
  CONFIG_FILE=$EXP_DIR/config.py
fi
WEIGHT=${WEIGHT:-model_best}
[ -f "$WEIGHT" ] || WEIGHT=$EXP_DIR/model/${WEIGHT%.pth}.pth

run_tool test.py --options save_path="$EXP_DIR" weight="$WEIGHT" "$@"
