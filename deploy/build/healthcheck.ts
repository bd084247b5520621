// Whether a recorder in this container is alive: exit 0 or 1. The image has no curl.
const port = process.env['BOOKTAPE_HTTP_PORT'] ?? '9464'
const answer = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(4_000) }).catch(() => null)
process.exit(answer?.ok === true ? 0 : 1)
