#!/bin/sh
# Train a config of this repository; experiments and data are relative to the folder you call it from.
set -eu

usage() {
  cat >&2 <<USAGE
usage: sh tools/train.sh -c CONFIG -n NAME [options] [-- key=value ...]
  -c CONFIG    pointins/pretrain-dos-rooms -> configs/pointins/pretrain-dos-rooms.py, or a path
  -d DATASET   folder under configs/, when CONFIG is a bare name
  -n NAME      experiment folder exp/DATASET/NAME                     (debug)
  -g NUM_GPU   processes on this machine                              (all GPUs)
  -w WEIGHT    checkpoint to start from
  -r true      resume the experiment from its last epoch
  -m MACHINES  number of machines, under SLURM                        (1)
  -p PYTHON    interpreter                                            (python)
  key=value    config overrides, for example epoch=2 hooks.0.strict=True
USAGE
  exit 2
}

ROOT=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=python
command -v python >/dev/null || PYTHON=python3
DATASET='' CONFIG='' NAME=debug WEIGHT='' RESUME=false NUM_GPU='' MACHINES=1 DIST_URL=auto
while getopts "p:d:c:n:w:g:m:r:" opt; do
  case $opt in
    p) PYTHON=$OPTARG ;;
    d) DATASET=$OPTARG ;;
    c) CONFIG=$OPTARG ;;
    n) NAME=$OPTARG ;;
    w) WEIGHT=$OPTARG ;;
    g) NUM_GPU=$OPTARG ;;
    m) MACHINES=$OPTARG ;;
    r) RESUME=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ -n "$CONFIG" ] || usage

CONFIG=${CONFIG%.py}
if [ -f "$CONFIG.py" ]; then
  CONFIG_FILE=$CONFIG.py
else
  CONFIG_FILE=$ROOT/configs/${DATASET:+$DATASET/}$CONFIG.py
fi
[ -n "$DATASET" ] || DATASET=$(basename "$(dirname "$CONFIG_FILE")")
EXP_DIR=exp/$DATASET/$NAME
CODE_DIR=$(pwd)/$EXP_DIR/code

if [ "$RESUME" = true ] && [ -d "$EXP_DIR" ]; then
  CONFIG_FILE=$EXP_DIR/config.py
  WEIGHT=$EXP_DIR/model/model_last.pth
elif [ -f "$CONFIG_FILE" ]; then
  RESUME=false
  rm -rf "$CODE_DIR"
  mkdir -p "$EXP_DIR/model" "$CODE_DIR"
  (cd "$ROOT" && tar -c -f - --exclude=__pycache__ pointins_ext tools configs) | tar -x -f - -C "$CODE_DIR"
else
  CODE_DIR=$ROOT # train.py names the configs that exist
fi

if [ -z "$NUM_GPU" ]; then
  NUM_GPU=$($PYTHON -c 'import torch; print(torch.cuda.device_count())')
fi
if [ -n "${SLURM_NODELIST:-}" ] && [ "$MACHINES" -gt 1 ]; then
  HOST=$(scontrol show hostname "$SLURM_NODELIST" | head -n 1)
  DIST_URL=tcp://$HOST:$((10000 + $(printf %s "$EXP_DIR" | cksum | cut -d ' ' -f 1) % 20000))
fi

export PYTHONPATH="$CODE_DIR${PYTHONPATH:+:$PYTHONPATH}"
set -- save_path="$EXP_DIR" resume="$RESUME" ${WEIGHT:+weight="$WEIGHT"} "$@"
exec $PYTHON "$CODE_DIR/tools/train.py" --config-file "$CONFIG_FILE" --num-gpus "$NUM_GPU" \
  --num-machines "$MACHINES" --machine-rank "${SLURM_NODEID:-0}" --dist-url "$DIST_URL" --options "$@"
