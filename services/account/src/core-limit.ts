import { readFile } from 'node:fs/promises'
import { ConfigError } from '@booktape/runtime'

/** Linux's word for what a process may be; nothing else has it. */
const LIMITS = '/proc/self/limits'

/**
 * A process that crashes may leave its memory in a file, and in this one's is the key. No program of Node can forbid that for itself, so it
 * starts only where whoever started it has. Where there is no /proc nothing is known, and nothing is refused.
 *
 * @throws ConfigError
 */
export async function refuseCores(limitsFile = LIMITS): Promise<void> {
  const limits = await readFile(limitsFile, 'utf8').catch(() => '')
  const [, soft] = /^Max core file size\s+(\S+)/m.exec(limits) ?? []
  if (soft === undefined || soft === '0') return
  throw new ConfigError([
    `This process may write a core file (${soft === 'unlimited' ? 'of any size' : `of ${soft} bytes`}), and with it the API key: start it with "ulimit -c 0 && exec booktape account".`,
  ])
}
