# Sourced by quickstart.sh and tests/run.sh: a Python environment with this package in it.
#   use_environment EXTRAS
# In an active virtual or conda environment only what is missing is added; else .venv is made in the repository.
# PYTHON is set to its interpreter.

use_environment() {
  if [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    if [ ! -x "$ROOT/.venv/bin/python" ]; then
      python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "error: $(python3 --version) found, Python 3.10 or newer needed" >&2
        exit 2
      }
      echo "Making $ROOT/.venv"
      python3 -m venv "$ROOT/.venv"
    fi
    PATH="$ROOT/.venv/bin:$PATH"
  fi
  PYTHON=$(command -v python || command -v python3)
  # the stamp saves the minutes that pip takes to find that nothing is missing
  stamp="$($PYTHON -c 'import sys; print(sys.prefix)')/.pointins_ext-$(printf %s "$ROOT $1" | cksum | cut -d ' ' -f 1)"
  if [ "$stamp" -nt "$ROOT/setup.py" ] && [ "$stamp" -nt "$ROOT/tools/constraints.txt" ]; then
    return
  fi
  # A working PyTorch stays as it is, and torchvision follows it: the pins are for fresh environments.
  constraints=$(mktemp)
  if torch=$($PYTHON -c 'import torch; print(torch.__version__.split("+")[0])' 2>/dev/null); then
    sed -e "s/^torch==.*/torch==$torch/" -e '/^torchvision==/d' "$ROOT/tools/constraints.txt" >"$constraints"
  else
    cp "$ROOT/tools/constraints.txt" "$constraints"
    echo "Installing PyTorch and the other packages: some minutes"
    $PYTHON -m pip install --quiet --disable-pip-version-check -c "$constraints" torch
  fi
  echo "Installing pointins_ext[$1]"
  $PYTHON -m pip install --quiet --disable-pip-version-check -c "$constraints" -e "$ROOT[$1]"
  rm -f "$constraints"
  touch "$stamp"
}
