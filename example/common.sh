# What the run scripts of the examples share: `source ../common.sh` with the example's name in $name.
#
# LUCI_LOADER=FILE takes a loader that is built already; the argument is the directory to build in.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source=$root/example/$name
directory=${1:-$root/build/$name}
loader=${LUCI_LOADER:-}
if [ -z "$loader" ]; then
  (cd "$root" && swift build -c release --product ld-luci.so)
  loader=$root/.build/release/ld-luci.so
fi
rm -rf "$directory"
mkdir -p "$directory"
flags=(-O2 -g -Wall -Wextra -I"$root/include" -I"$source")

library() { # RESULT SOURCE FLAGS…
  mkdir -p "$(dirname "$directory/$1")"
  gcc "${flags[@]}" -fPIC -shared -Wl,-soname,"$(basename "$1")" -o "$directory/$1" "$source/$2" "${@:3}"
}

program() { # RESULT SOURCE FLAGS…
  gcc "${flags[@]}" -fPIE -pie -pthread -rdynamic -o "$directory/$1" "$source/$2" -L"$directory" \
    -Wl,-rpath,"$directory" "${@:3}"
}

# Starts a program of the example under Luci; its output is shown as it comes, and kept in `output`.
start() { # PROGRAM ARGUMENTS…
  : >"$directory/output"
  : >"$directory/status"
  LD_STATUS_INFO=$directory/status "$loader" "$directory/$1" -- "${@:2}" >"$directory/output" 2>&1 &
  program=$!
  tail --pid=$program -n +1 -s 0.05 -f "$directory/output" | sed -u 's/^/program | /' &
  tail --pid=$program -n +1 -s 0.05 -f "$directory/status" | sed -u 's/^/status  | /' &
  trap 'kill $program 2>/dev/null || true; wait || true' EXIT
}

fail() {
  echo "example | $*" >&2
  exit 1
}

wait_for() { # PATTERN in the program's output; at most 20 s
  local tries
  for ((tries = 0; tries < 400; tries++)); do
    ! grep -q -- "$1" "$directory/output" || return 0
    kill -0 "$program" 2>/dev/null || break
    sleep 0.05
  done
  grep -q -- "$1" "$directory/output" || fail "waited for: $1"
}

replace() { # VERSION FILE: a complete new file takes the place of the old one
  echo "example | $2 is now that of $1"
  cp "$directory/$1/$2" "$directory/$2.new"
  mv -T "$directory/$2.new" "$directory/$2"
}

# Waits for the program's own end.
finish() {
  wait "$program" || fail "the program did not end well"
  wait
  trap - EXIT
  echo "example | done"
}
