#!/bin/sh
# The benchmarks:  npm run bench -- [area ...] [--json] [--out file] [--rounds n] [--seed n] [--smoke]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/services/cli/bin/prepare.sh"

# The libraries measured beside booktape: by their own lockfile, in their own folder, and only here.
peers="$root/test/bench/peers"
if ! cmp -s "$peers/pnpm-lock.yaml" "$peers/node_modules/.booktape-installed"; then
  say 'installing the libraries that are measured beside booktape (once, some seconds)'
  if ! said=$(cd "$peers" && CI=true npx --yes "$pnpm" install --frozen-lockfile --ignore-workspace --ignore-scripts --prod 2>&1 </dev/null); then
    printf '%s\n' "$said" >&2
    say 'they could not be installed: see above; a network and about 100 MB of disk are needed'
    exit 1
  fi
  cp "$peers/pnpm-lock.yaml" "$peers/node_modules/.booktape-installed"
fi

exec "$node" "$root/test/bench/main.ts" "$@"
