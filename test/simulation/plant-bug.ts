import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { PLANTED_BUGS } from './planted-bugs.ts'

/**
 * From here on, production code is loaded with the bug of this name in it. The files stay as they are. Modules that are already
 * loaded stay right, so this comes first: `hunt-bug.ts` runs in a process of its own.
 */
export function plantBug(name: string): void {
  if (name === 'none') return
  const bug = PLANTED_BUGS.find((candidate) => candidate.name === name)
  assert.ok(bug !== undefined, `no planted bug is named ${name}`)
  const target = new URL(`../../${bug.file}`, import.meta.url).href
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
      assert.equal(source.split(bug.right).length, 2, `${bug.file} has the line of "${name}" once`)
      return { ...loaded, source: source.replace(bug.right, () => bug.wrong) }
    },
  })
}
