#!/usr/bin/env bash
# The whole of CI. A public runner and a developer's machine run the same lines.
set -euo pipefail
cd "$(dirname "$0")/.."

# Where a local wheel folder is given, hold torch to the version it has (see constraints-torch.txt). Nobody's own run of
# the README's lines reads this file.
if [ -n "${PIP_FIND_LINKS:-}${UV_FIND_LINKS:-}" ] && [ -z "${UV_CONSTRAINT:-}${PIP_CONSTRAINT:-}" ]; then
  export UV_CONSTRAINT="$PWD/ci/constraints-torch.txt" PIP_CONSTRAINT="$PWD/ci/constraints-torch.txt"
fi

section() { printf '\n=== %s (%s s)\n' "$1" "$SECONDS"; }

section "the README's test line"
line=$(grep -m1 -E '^python3 -m venv .*nox -s tests' README.md)
echo "$line"
bash -euo pipefail -c "$line"

section "lint"
.venv/bin/nox -s lint
section "types"
.venv/bin/nox -s types
section "docs"
.venv/bin/nox -s docs
section "packaging"
.venv/bin/nox -s packaging
section "scaffold"
.venv/bin/nox -s scaffold
section "done"
