import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './logger.ts'

// Text of the venue ends in log lines. It is shown there, whatever it is meant to do.

for (const [name, text] of [
  ['a line of its own', 'x\n{"level":"fatal","msg":"forged"}'],
  ['a carriage return', 'x\rforged'],
  ['a terminal command', '\u001b]0;title\u0007\u001b[2J'],
  ['a terminal command of one character', '\u009b2J'],
  ['a delete', 'abc\u007f\u007f\u007f'],
  ['a text that reads backward', 'safe \u202Etxet'],
  ['a line separator', 'x\u2028forged'],
  ['the end of a JSON text', '"}\n{"'],
  ['NUL', 'a\u0000b'],
  ['a format of printf', '%s %d %j %o'],
  ['a key of the logger', '__proto__'],
] as const) {
  for (const style of ['json', 'line'] as const) {
    test(`${name} in a field and in an error is one ${style} line of plain characters`, () => {
      let written = ''
      const destination = { write: (line: string) => void (written += line) }
      const log = createLogger({ level: 'info', name: 'recorder', destination, style })
      log.warn({ reason: text, [text]: 1, err: new Error(text) }, 'a message was kept in quarantine')
      assert.match(written, /^[^\p{Cc}\u2028\u2029\u202a-\u202e]+\n$/u)
      if (style === 'json') {
        const line = JSON.parse(written) as { reason: string; err: { message: string }; level: string; msg: string }
        assert.deepEqual(
          [line.reason, line.err.message, line.level, line.msg],
          [text, text, 'warn', 'a message was kept in quarantine'],
        )
      }
    })
  }
}
