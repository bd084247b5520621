#!/bin/sh
# The black-box fault run:  npm run chaos -- --minutes 20 --seed 1
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/services/cli/bin/prepare.sh"
exec "$node" "$root/test/chaos/chaos.ts" "$@"
