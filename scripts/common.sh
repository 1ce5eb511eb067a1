# shellcheck shell=bash
# shellcheck disable=SC2034  # ROOT is for the scripts that source this.
# Sourced by the scripts beside it: where the repository is, and how they speak.

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# note TEXT: one line to the person watching, on standard error, so that a script's output can be read by a program.
note() { printf '%s\n' "$*" >&2; }

# fail TEXT: what is wrong and what to do, then exit 1.
fail() {
  note "${0##*/}: $*"
  exit 1
}

# span SECONDS: "42 s", "3 min 05 s".
span() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}

PHASES=()

# phase NAME COMMAND...: runs the command, says how long it took, and keeps that for `phase_times`.
# Returns the command's own status. (Under an `if` or `||`, bash would not stop at an error within a function, so
# COMMAND is a program, or a function that checks each step itself.)
phase() {
  local name=$1 start=$SECONDS status=0
  shift
  note "== $name"
  "$@" || status=$?
  local took=$((SECONDS - start)) verdict=PASS
  if ((status != 0)); then verdict=FAIL; fi
  PHASES+=("$(printf '%s  %-28s %12s' "$verdict" "$name" "$(span "$took")")")
  return "$status"
}

phase_times() {
  note ''
  printf '%s\n' "${PHASES[@]}" >&2
}

# jobs: how many compiler processes at once; one of them may take two gigabytes on our larger modules.
jobs_that_fit() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 2097152)}' /proc/meminfo)
  if ((memory < 1)); then memory=1; fi
  echo $((cores < memory ? cores : memory))
}

# quiet_build: keeps a build's warnings, errors and last line, drops one line a file; on a terminal shows everything.
# ("prohibited flag(s): -pthread" is what SwiftPM says to Cairo's pkg-config file, each time; it means nothing here.)
quiet_build() {
  if [[ -t 2 ]]; then "$@" >&2; else "$@" 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\] |prohibited flag\(s\): -pthread' || true; } >&2; fi
}
