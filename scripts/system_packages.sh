# shellcheck shell=sh
# What .venv and napari's windows need of the operating system. Sourced by scripts/environment.sh.
# The functions missing_... print the Debian packages that are not there.

# Debian and Ubuntu leave the parts that make a .venv out of python3.
missing_venv_package() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
}

# What a window needs on the display there is: the libraries that Qt's wheels and OpenGL load.
missing_window_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    "$1" - <<'PYTHON'
import ctypes

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
missing = []
for library, package in LIBRARIES.items():
    try:
        ctypes.CDLL(library)
    except OSError:
        missing.append(package)
print(*missing)
PYTHON
}

# What gives windows a display of their own.
missing_display_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    command -v xvfb-run >/dev/null 2>&1 || say xvfb
    command -v xauth >/dev/null 2>&1 || say xauth
}

# Installs Debian packages as root; otherwise prints the one line that does, and returns 1.
apt_install() {
    if [ "$*" = "" ]; then
        return 0
    elif ! command -v apt-get >/dev/null 2>&1; then
        say "error: missing here is what Debian calls $*; install it with this system's package manager." >&2
        return 1
    elif [ "$(id -u)" -ne 0 ]; then
        say "error: system packages are missing. This installs them:" >&2
        say "    sudo apt-get update && sudo apt-get install -y $*" >&2
        return 1
    fi
    say "Installing with apt: $*"
    # a fresh cloud machine is often still busy with its first upgrade: wait for its lock
    if ! log=$({
        apt-get -qq -o DPkg::Lock::Timeout=300 update &&
            DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
                --no-install-recommends install "$@"
    } </dev/null 2>&1); then
        say "$log" "error: apt-get could not install $*; its message is above." >&2
        return 1
    fi
}
