#!/bin/sh
# One drill by hand:  npm run drill -- kills --times 300 --seed 1
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/services/cli/bin/prepare.sh"
ulimit -c 0 # the account does not start where a crash would leave a file with its key
exec "$node" "$root/test/drills/main.ts" "$@"
