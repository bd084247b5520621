import { readFileSync } from 'node:fs'
import { invariant } from '@booktape/market'

/** What docs/operating.md says of an alert, as somebody reads it who has no other source. */
export type Paragraph = Readonly<{
  /** The first sentence after "Means". */
  means: string
  /** Queries for the database, whole, in their order. */
  queries: readonly string[]
  /** Expressions for Prometheus. */
  expressions: readonly string[]
}>

const PAGE = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')

export function paragraphOf(alert: string): Paragraph {
  const text = PAGE.split(/^#+ /m).find((section) => section.startsWith(`${alert}\n`))
  invariant(text !== undefined, `docs/operating.md has a paragraph of ${alert}`)
  const flat = text.replaceAll(/\s+/g, ' ')
  const quoted = [...flat.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
  return {
    means: /\*\*Means(?: and look)?:\*\* (.+?\.)(?= |$)/.exec(flat)?.[1] ?? '',
    queries: quoted.filter((code) => code.startsWith('select ')),
    expressions: quoted.filter((code) => /\bbooktape[:_]/.test(code) && !code.startsWith('select ')),
  }
}
