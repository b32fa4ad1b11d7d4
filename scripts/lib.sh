# Shared by scripts/demo, scripts/test and scripts/measure: what has to be on the machine.
# Sourced, not run.

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo -n "$@"
    else return 1
    fi
}

# need_packages PACKAGE...: installs those Debian packages that are missing, without a question.
# Where it cannot, it says so and goes on: the step that needs one tells what it skipped.
need_packages() {
    local missing=() package
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system; these tools are assumed to be here: $*"
        return
    fi
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    # One at a time: apt waits for no other that reads the lists of packages.
    as_root flock /var/cache/apt apt-get update -qq >&2 || true
    as_root flock /var/cache/apt env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" >&2 \
        || say "could not install all of: ${missing[*]}; going on without"
}

# need_foreign ARCHITECTURE: lets apt install packages of another architecture beside those of this computer.
need_foreign() { dpkg --print-foreign-architectures | grep -qx "$1" || as_root dpkg --add-architecture "$1"; }

# Rust itself: the newest stable by rustup, which Debian 13 has. Debian 12 has a newer Rust than its `rustc`, for its browsers.
need_rust() {
    command -v cc >/dev/null || need_packages gcc libc6-dev
    if [ -f "$HOME/.cargo/env" ]; then . "$HOME/.cargo/env"; fi
    command -v cargo >/dev/null && return 0
    need_packages rustup
    command -v rustup >/dev/null && rustup default stable >&2 && return 0
    need_packages ca-certificates rustc-web cargo-web
    command -v cargo >/dev/null && return 0
    say "Rust is missing: install it from https://rustup.rs and run this again"
    return 1
}

# need_target TARGET: rustup's standard library for programs of another system. It fails where rustup is missing or has none.
need_target() { command -v rustup >/dev/null && rustup target add "$1" >&2; }
