#!/bin/sh
# The deterministic simulation:  npm run simulate -- --seed 42 | --seeds 2000 | --minutes 10 | --kept
set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/services/cli/bin/prepare.sh"
exec "$node" "$root/test/simulation/main.ts" "$@"
