#!/bin/sh
# The whole suite, with nothing else running:  npm test
# Some of it, without the checks before it:    npm test -- packages/store/src/writer.test.ts
set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/services/cli/bin/prepare.sh"
cd "$root"
PATH="$(dirname "$node"):$root/node_modules/.bin:$PATH"
export PATH
# What is tested does not start where a crash would leave a file with its secrets (docs/account.md).
ulimit -S -c 0

step() {
  echo "booktape: $1" >&2
  shift
  "$@"
}

if [ "$#" -eq 0 ]; then
  step 'format' biome check .
  step 'lint' oxlint --type-aware --deny-warnings
  step 'types' tsc -p .
  step 'types of the status page' tsc -p services/recorder/page
  step 'unused files, exports and dependencies' knip
  set -- 'packages/*/src/**/*.test.ts' 'services/*/src/**/*.test.ts' 'test/**/*.test.ts'
fi

# One Postgres for all test processes; it ends with them, whatever their outcome. As many files at once as there are
# processors, and not fewer than two: most of them wait for Postgres or a socket, not for a processor.
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
[ "$processors" -ge 2 ] || processors=2
echo 'booktape: tests' >&2
exec node packages/testkit/src/with-postgres.ts node --test "--test-concurrency=$processors" "$@"
