#!/usr/bin/env bash
# The whole of CI. A public runner and a developer's machine run the same lines.
set -euo pipefail
cd "$(dirname "$0")/.."

section() { printf '\n=== %s (%s s)\n' "$1" "$SECONDS"; }

# As a newcomer runs them: nothing is set here that a newcomer has not set.
section "the README's test line"
line=$(grep -m1 -E '^python3 -m venv .*nox -s tests' README.md)
echo "$line"
bash -euo pipefail -c "$line"
section "the README's reproduce line, two claims of it"
line=$(grep -m1 -E '^python3 -m venv .*nox -s reproduce' README.md)
echo "$line"
bash -euo pipefail -c "$line --claims C1 X3"

# Where a local wheel folder is given, hold torch to the version it has: pip, which `packaging` installs with, would take
# a newer build of the index.
if [ -n "${PIP_FIND_LINKS:-}${UV_FIND_LINKS:-}" ] && [ -z "${UV_CONSTRAINT:-}${PIP_CONSTRAINT:-}" ]; then
  export UV_CONSTRAINT="$PWD/ci/constraints-torch.txt" PIP_CONSTRAINT="$PWD/ci/constraints-torch.txt"
fi
for session in lint types docs packaging scaffold; do
  section "$session"
  .venv/bin/nox -s "$session"
done
section "done"
