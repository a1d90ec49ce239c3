# Sourced by train.sh and test.sh: Pointcept's flags, configs of this repository and of Pointcept, processes.

ROOT=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=python
command -v python >/dev/null || PYTHON=python3
DATASET='' CONFIG='' NAME=debug WEIGHT='' RESUME=false EXTEND='' NUM_GPU='' MACHINES=1 DIST_URL=auto

parse_flags() {
  while getopts "p:d:c:n:w:g:m:r:e:" opt; do
    case $opt in
      p) PYTHON=$OPTARG ;;
      d) DATASET=$OPTARG ;;
      c) CONFIG=${OPTARG%.py} ;;
      n) NAME=$OPTARG ;;
      w) WEIGHT=$OPTARG ;;
      g) NUM_GPU=$OPTARG ;;
      m) MACHINES=$OPTARG ;;
      r) RESUME=$OPTARG ;;
      e) EXTEND=$OPTARG ;;
      *) usage ;;
    esac
  done
}

# Root of Pointcept, empty where there is none: POINTCEPT_ROOT, or where it is importable from.
pointcept_root() {
  if [ "${POINTINS_HOST:-auto}" = embedded ]; then
    return
  elif [ -n "${POINTCEPT_ROOT:-}" ]; then
    printf %s "$POINTCEPT_ROOT"
  else
    $PYTHON -c 'import importlib.util as u, os
spec = u.find_spec("pointcept")
print(os.path.dirname(list(spec.submodule_search_locations)[0]) if spec else "", end="")'
  fi
}

# CONFIG_FILE and DATASET of -d and -c: a path, else one of our configs, else one of Pointcept's.
find_config() {
  CONFIG_FILE=$ROOT/configs/${DATASET:+$DATASET/}$CONFIG.py
  if [ -f "$CONFIG.py" ]; then
    CONFIG_FILE=$CONFIG.py
  elif [ ! -f "$CONFIG_FILE" ] && [ -n "$POINTCEPT" ] && [ -f "$POINTCEPT/configs/${DATASET:+$DATASET/}$CONFIG.py" ]; then
    CONFIG_FILE=$POINTCEPT/configs/${DATASET:+$DATASET/}$CONFIG.py
  fi
  [ -n "$DATASET" ] || DATASET=$(basename "$(dirname "$CONFIG_FILE")")
}

# The tool $1 with its own flags: one process a GPU, several machines under SLURM.
run_tool() {
  tool=$1
  shift
  [ -n "$NUM_GPU" ] || NUM_GPU=$($PYTHON -c 'import torch; print(torch.cuda.device_count())')
  if [ -n "${SLURM_NODELIST:-}" ] && [ "$MACHINES" -gt 1 ]; then
    HOST=$(scontrol show hostname "$SLURM_NODELIST" | head -n 1)
    DIST_URL=tcp://$HOST:$((10000 + $(printf %s "$EXP_DIR" | cksum | cut -d ' ' -f 1) % 20000))
  fi
  export PYTHONPATH="$CODE_DIR${PYTHONPATH:+:$PYTHONPATH}"
  exec $PYTHON "$CODE_DIR/tools/$tool" --config-file "$CONFIG_FILE" --num-gpus "$NUM_GPU" \
    --num-machines "$MACHINES" --machine-rank "${SLURM_NODEID:-0}" --dist-url "$DIST_URL" "$@"
}
