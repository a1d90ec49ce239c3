#!/bin/sh
# Train a config; experiments and data are relative to the folder you call it from.
set -eu

usage() {
  cat >&2 <<USAGE
usage: sh tools/train.sh -c CONFIG -n NAME [options] [-- key=value ...]
  -c CONFIG    pointins/pretrain-dos-rooms -> configs/pointins/pretrain-dos-rooms.py of this repository, else of
               Pointcept, or a path
  -d DATASET   folder under configs/, when CONFIG is a bare name
  -n NAME      experiment folder exp/DATASET/NAME                     (debug)
  -e pointins  add the offset branch to a pretraining config
  -g NUM_GPU   processes on this machine                              (all GPUs)
  -w WEIGHT    checkpoint to start from
  -r true      resume the experiment from its last epoch
  -m MACHINES  number of machines, under SLURM                        (1)
  -p PYTHON    interpreter                                            (python)
  key=value    config overrides, for example epoch=2 hooks.ODRHook.prior=indoor
USAGE
  exit 2
}

. "$(dirname "$0")/launch.sh"
parse_flags "$@"
shift $((OPTIND - 1))
[ -n "$CONFIG" ] || usage

POINTCEPT=$(pointcept_root)
find_config
EXP_DIR=exp/$DATASET/$NAME
CODE_DIR=$ROOT
SNAPSHOT=$(pwd)/$EXP_DIR/code

if [ "$RESUME" = true ] && [ -d "$EXP_DIR" ]; then
  CONFIG_FILE=$EXP_DIR/config.py
  WEIGHT=$EXP_DIR/model/model_last.pth
  # a run sees the code of its snapshot, also when it is resumed after the checkout has moved on
  [ ! -d "$SNAPSHOT" ] || CODE_DIR=$SNAPSHOT
  [ ! -d "$CODE_DIR/pointcept" ] || export POINTCEPT_ROOT="$CODE_DIR"
  SNAPSHOT=''
else
  RESUME=false
fi

run_tool train.py ${EXTEND:+--extend "$EXTEND"} ${SNAPSHOT:+--snapshot "$SNAPSHOT"} \
  --options save_path="$EXP_DIR" resume="$RESUME" ${WEIGHT:+weight="$WEIGHT"} "$@"
