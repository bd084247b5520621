import { type Lifecycle, watchLifecycle } from '@booktape/runtime'

/** Signals and bugs of a command that says what it does on the terminal. */
export function watchStop(say: (sentence: string) => void): Lifecycle {
  return watchLifecycle({
    log: {
      stop: say,
      fatal: (error, sentence) =>
        say(`${sentence}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    },
  })
}
