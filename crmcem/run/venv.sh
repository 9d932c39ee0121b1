#!/bin/sh
# Bring .venv up to date with hashed locks: venv.sh LOCK STAMP. Instant where the lock has not changed since.
# Everything that is missing on the machine is one sentence on stderr and exit code 1.
set -eu
lock=$1
stamp=.venv/$2

fail() { echo "$1" >&2; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if [ -x .venv/bin/python ] && new_enough .venv/bin/python; then
	if cmp -s "$lock" "$stamp"; then exit 0; fi
else
	[ ! -e .venv ] || fail "The folder .venv holds no working Python 3.11 or newer; delete it and try again."
	python=
	for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
		if command -v "$name" >/dev/null 2>&1 && new_enough "$name"; then python=$name; break; fi
	done
	if [ -z "$python" ]; then
		found=$( (python3 --version) 2>/dev/null || echo "no python3")
		fail "crmcem needs Python 3.11 or newer, but this machine has $found; install one or name it with PYTHON=/path."
	fi
	"$python" -c 'import venv, ensurepip' 2>/dev/null ||
		fail "Python's venv module is missing; on Debian and Ubuntu install it with: apt install python3-venv"
	echo "Creating the virtual environment …"
	"$python" -m venv .venv || { rm -rf .venv; fail "The virtual environment could not be created; is the disk full?"; }
fi

echo "Installing the Python packages of $lock …"
messages=$(mktemp)
trap 'rm -f "$messages"' EXIT
if ! .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$lock" >"$messages" 2>&1; then
	reason=$(grep -i error "$messages" | tail -n 1)
	fail "The Python packages could not be installed: ${reason:-$(tail -n 1 "$messages")}"
fi
cp "$lock" "$stamp"
