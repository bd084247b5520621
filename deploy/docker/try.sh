#!/bin/sh
# Builds the image and tries it: read-only, not root, against the simulated exchange and a real Postgres. Not part of the suite.
#
#   sh deploy/docker/try.sh                             docker
#   BUILD='buildah bud --format docker' ENGINE=podman sh deploy/docker/try.sh
#
# IMAGE names one that is built already; SECONDS_RECORDED is how long memory is watched (60).
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/services/cli/bin/prepare.sh"
engine=${ENGINE:-docker}
recorded=${SECONDS_RECORDED:-60}

if [ -z "${BOOKTAPE_TEST_POSTGRES_URL:-}" ]; then # begin again beside a Postgres
  exec "$node" "$root/packages/testkit/src/with-postgres.ts" sh "$0"
fi
image=${IMAGE:-booktape:try}
[ -n "${IMAGE:-}" ] || ${BUILD:-$engine build} --file "$root/deploy/docker/Dockerfile" --tag "$image" "$root"

name=booktape-try-$$
fail() {
  echo "try.sh: $*" >&2
  exit 1
}
tidy() {
  for container in "$name-recorder" "$name-exchange"; do $engine rm --force "$container" >/dev/null 2>&1 || true; done
  $engine volume rm --force "$name" >/dev/null 2>&1 || true
}
trap tidy EXIT

# Everything at once that a careful operator takes away.
bounds='--read-only --cap-drop all --security-opt no-new-privileges --memory 512m --network host'
symbols=btcusd,ethusd,solusd,xrpusd,dogeusd,ltcusd,bchusd,linkusd,zecusd,shibusd,pepeusd,bonkusd,ethbtc,ltcbtc,solbtc,linketh,paxgusd,btcgusdperp,ethgusdperp,solgusdperp
port=19464
venue=19465

# shellcheck disable=SC2086 # words, each an argument
{
  $engine run --rm $bounds --env DATABASE_URL="$BOOKTAPE_TEST_POSTGRES_URL" "$image" migrate
  $engine run --detach --name "$name-exchange" $bounds --env BOOKTAPE_HTTP_PORT="$venue" "$image" exchange --port "$venue" >/dev/null
  $engine run --detach --name "$name-recorder" $bounds --volume "$name:/data" \
    --env DATABASE_URL="$BOOKTAPE_TEST_POSTGRES_URL" --env BOOKTAPE_SYMBOLS="$symbols" --env BOOKTAPE_HTTP_PORT="$port" \
    --env BOOKTAPE_HTTP_HOST=127.0.0.1 --env BOOKTAPE_GEMINI_V1_URL="ws://127.0.0.1:$venue" \
    --env BOOKTAPE_GEMINI_WS_URL="ws://127.0.0.1:$venue" --env BOOKTAPE_GEMINI_REST_URL="http://127.0.0.1:$venue" \
    "$image" >/dev/null
}

inside() { $engine exec "$name-recorder" "$@"; }
page() { "$node" -e 'fetch(process.argv[1]).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))' "http://127.0.0.1:$port$1"; }

waited=0
until page /readyz; do
  waited=$((waited + 1))
  [ "$waited" -lt 180 ] || fail "not ready after 180 s: $($engine logs "$name-recorder" 2>&1 | tail -5)"
  sleep 1
done
echo "ready after about $waited s"

[ "$(inside id -u)" = 1000 ] || fail 'it runs as another user than 1000'
! inside touch /app/x 2>/dev/null || fail 'its root can be written'
inside touch /data/x || fail 'its volume cannot be written'
inside node /app/services/cli/dist/healthcheck.js || fail 'the health check fails'
! inside sh -c 'grep -q "^CapEff:.*[1-9a-f]" /proc/1/status' || fail 'it has capabilities'
echo 'user 1000, read-only root, no capability, health check passes'

sleep "$recorded"
inside sh -c 'grep -E "^Vm(RSS|HWM)" /proc/1/status'

began=$(date +%s%N)
$engine stop --time 30 "$name-recorder" >/dev/null
ended=$(date +%s%N)
code=$($engine inspect --format '{{.State.ExitCode}}' "$name-recorder")
[ "$code" = 0 ] || fail "SIGTERM ended it with $code: $($engine logs "$name-recorder" 2>&1 | tail -5)"
echo "SIGTERM to exit, the engine's own time included: $(((ended - began) / 1000000)) ms, exit 0"
$engine image inspect --format 'image: {{.Size}} bytes' "$image"
