# shellcheck shell=sh
# Makes the repository's .venv and fills it, reusing what is there. Sourced by scripts/demo and
# scripts/test, not run by itself. The caller sets `repository` to the folder of the checkout;
# PYTHON may name an interpreter to use instead of the one found.

# shellcheck disable=SC2154  # set by the caller
venv=$repository/.venv
venv_python=$venv/bin/python
torch_cpu_index=https://download.pytorch.org/whl/cpu

# Packages of the caller's shell would be found before those of .venv.
unset PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0

say() {
    printf '%s\n' "$*"
}

fail() {
    say "error: $*" >&2
    exit 1
}

. "$repository/scripts/system_packages.sh"

# Whether a Python is one that every version in constraints.txt has wheels for.
suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

# Prints the interpreter to make .venv with: the machine's own python3 where that will do.
find_python() {
    candidates=${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}
    for candidate in $candidates; do
        if suits "$candidate"; then
            say "$candidate"
            return
        fi
    done
    fail "there is no Python 3.11 to 3.14 here (tried: $candidates);" \
        "install one, or name it: PYTHON=/path/to/python3 $0"
}

venv_works() {
    suits "$venv_python" && "$venv_python" -m pip --version >/dev/null 2>&1
}

# Prints the interpreter of .venv or, where that is of no use, the one to make it with.
usable_python() {
    if venv_works; then say "$venv_python"; else find_python; fi
}

# make_venv PYTHON: leaves an interpreter with pip at $venv_python.
make_venv() {
    if venv_works; then
        return
    fi
    say "Making .venv with $("$1" --version)"
    # --clear: what an interrupted run or a removed Python left behind does not work
    "$1" -m venv --clear "$venv" || fail "$1 could not make $venv; its message is above"
}

has_nvidia_gpu() {
    [ -e /proc/driver/nvidia/version ] || [ -e /usr/lib/wsl/lib/libcuda.so.1 ]
}

# Whether a page can be had within six seconds; the alarm ends a look-up of the name that hangs, too.
answers() {
    "$venv_python" - "$1" >/dev/null 2>&1 <<'PYTHON'
import signal, sys, urllib.request
signal.alarm(6)
urllib.request.urlopen(sys.argv[1], timeout=5)
PYTHON
}

# PyPI's torch for Linux brings gigabytes of CUDA libraries, of no use without an NVIDIA GPU.
# PyTorch's own index has a build without them. Only torch itself is taken from there, so that
# no other package comes from an index that is not the user's.
install_cpu_torch() {
    if [ "$(uname -s)" != Linux ] ||
        "$venv_python" -c 'from importlib.metadata import version; version("torch")' 2>/dev/null; then
        return 0
    fi
    if has_nvidia_gpu; then
        say "There is an NVIDIA GPU: torch comes with CUDA (several GB)"
    elif ! answers "$torch_cpu_index/torch/"; then
        say "$torch_cpu_index does not answer: torch comes from where pip is set up to look"
        say "(several GB with CUDA, unless there is a CPU build)"
    elif ! pip_install --no-deps --index-url "$torch_cpu_index" torch; then
        say "$torch_cpu_index has no build for this machine: torch comes from where pip is set up to look"
    fi
}

# pip with the versions of constraints.txt; its progress is shown to a person, not to a log.
pip_install() {
    if [ -t 1 ]; then
        "$venv_python" -m pip install --constraint constraints.txt "$@"
    else
        "$venv_python" -m pip install --quiet --constraint constraints.txt "$@"
    fi
}

# Prints what an installation depends on; a stamp of the same says that there is nothing to do.
fingerprint() {
    "$venv_python" - "$repository" <<'PYTHON'
import hashlib, pathlib, sys
repository = pathlib.Path(sys.argv[1])
digest = hashlib.sha256(repr((sys.version, str(repository))).encode())
for name in ("constraints.txt", "pyproject.toml"):
    digest.update((repository / name).read_bytes())
print(digest.hexdigest())
PYTHON
}

# install_into_venv NAME ARGUMENT...: has pip install what the arguments say, once.
# NAME is of the stamp; every installation includes the one named core.
install_into_venv() {
    stamp=$venv/.installed-$1
    shift
    wanted=$(fingerprint) || exit 1
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "Installing into .venv (some minutes the first time)"
    rm -f "$stamp"
    (
        cd "$repository" || exit 1
        # The pinned pip knows dependency groups, and hatchling builds without a download of its own.
        pip_install --upgrade pip hatchling && install_cpu_torch &&
            pip_install --no-build-isolation "$@"
    ) || fail "pip could not install into $venv; its message is above"
    say "$wanted" | tee "$stamp" >"$venv/.installed-core"
}
