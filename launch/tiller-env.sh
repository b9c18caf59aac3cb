# Source this file: `ros2 launch tiller ...` and `ros2 run tiller ...` then find tiller, and `tiller` is a command.
#   from a wheel:     source ENVIRONMENT/share/tiller/tiller-env.sh
#   from a checkout:  source launch/tiller-env.sh      (an environment that is active, else .venv)
if [ -n "${ZSH_VERSION:-}" ]; then eval '_tiller_file=${(%):-%x}'; else _tiller_file=${BASH_SOURCE[0]}; fi
_tiller_here=$(CDPATH='' cd -- "$(dirname -- "$_tiller_file")" && pwd)

if [ -f "$_tiller_here/package.xml" ]; then
  _tiller_prefix=$(CDPATH='' cd -- "$_tiller_here/../.." && pwd)
else
  _tiller_prefix=${VIRTUAL_ENV:-$(dirname -- "$_tiller_here")/.venv}
fi

if [ ! -x "$_tiller_prefix/bin/python" ]; then
  echo "tiller-env.sh: no environment at $_tiller_prefix. Run 'make environment' first" >&2
else
  if [ ! -f "$_tiller_here/package.xml" ]; then
    # An editable install brings no data files, so links take their place: of files, so that a later install from a
    # wheel replaces them and not what they point to.
    mkdir -p "$_tiller_prefix/share/ament_index/resource_index/packages" "$_tiller_prefix/share/tiller/launch" \
      "$_tiller_prefix/lib/tiller"
    ln -sf "$_tiller_here/ament/tiller" "$_tiller_prefix/share/ament_index/resource_index/packages/"
    ln -sf "$_tiller_here/ament/package.xml" "$_tiller_prefix/share/tiller/"
    ln -sf "$_tiller_here"/*.launch.py "$_tiller_prefix/share/tiller/launch/"
    ln -sf "$_tiller_here"/ament/lib/* "$_tiller_prefix/lib/tiller/"
  fi
  case ":${AMENT_PREFIX_PATH:-}:" in
    *":$_tiller_prefix:"*) ;;
    *) export AMENT_PREFIX_PATH="$_tiller_prefix${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}" ;;
  esac
  case ":$PATH:" in *":$_tiller_prefix/bin:"*) ;; *) export PATH="$_tiller_prefix/bin:$PATH" ;; esac
fi
unset _tiller_file _tiller_here _tiller_prefix
