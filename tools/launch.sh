# Sourced by train.sh and test.sh: the verb $1 of `pointins`, with the interpreter that -p names and the code beside us.

run_verb() {
  verb=$1
  shift
  root=$(cd "$(dirname "$0")/.." && pwd)
  python=python
  command -v python >/dev/null || python=python3
  while getopts ":p:d:c:n:w:g:m:r:e:" opt; do
    [ "$opt" != p ] || python=$OPTARG
  done
  export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
  exec "$python" "$root/tools/$verb.py" "$@"
}
