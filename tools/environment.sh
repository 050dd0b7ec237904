#!/bin/sh
# Make .venv, or bring it up to date. Quick when nothing has changed: a stamp inside .venv holds a
# checksum of what it was made from. The stamp goes before anything is installed and comes back last.
set -eu
cd "$(dirname "$0")/.."

checksum=$(cat requirements.txt requirements-no-deps.txt pyproject.toml tools/environment.sh | cksum)
wanted="$checksum ${PYTHON:-} ${TORCH_BACKEND:-} $(pwd)"
stamp=.venv/visage-environment
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    candidates="python3 python3.13 python3.12 python3.11 python"
fi
python=
for candidate in $candidates; do
    if new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Visage needs Python 3.11 or newer; none was found among: $candidates." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3.12 book" >&2
    exit 1
fi

if [ "${1:-}" != alone ]; then # two at once would install into each other
    exec "$python" tools/lock.py requirements.txt sh tools/environment.sh alone
fi

rm -f "$stamp"
version() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null || true; }
if [ ! -x .venv/bin/python ] || [ "$(version .venv/bin/python)" != "$(version "$python")" ]; then
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        echo "$python could not make .venv; on Debian and Ubuntu, install python3-venv." >&2
        exit 1
    fi
fi

log=.venv/install.log
: >"$log"
echo "Installing the packages into .venv (some minutes the first time; log: $log)"

install() {
    for attempt in 1 2 3; do
        if "$@" >>"$log" 2>&1 </dev/null; then
            return 0
        fi
        if grep -q "No space left on device" "$log"; then
            echo "The disk is full: .venv needs about 3 GB. Make room and start again." >&2
            exit 1
        fi
        echo "The installation did not go through (attempt $attempt of 3)." >&2
    done
    tail -n 20 "$log" >&2
    echo "The packages could not be installed. The whole log is in $log." >&2
    exit 1
}

pip=".venv/bin/python -m pip --disable-pip-version-check --no-input install --timeout 120 --retries 5"
if [ -n "${TORCH_BACKEND:-}" ]; then
    # uv can take torch from the index of its backend; pip would bring CUDA to a Linux machine.
    install $pip uv
    pip=".venv/bin/uv pip install --python .venv/bin/python"
    backend="--torch-backend=$TORCH_BACKEND"
fi
install $pip ${backend:-} -r requirements.txt
install $pip --no-deps -r requirements-no-deps.txt
install $pip --no-deps -e .
echo "$wanted" >"$stamp"
