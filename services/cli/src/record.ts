import { resolve, sep } from 'node:path'
import { type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import { claimDataDir, type RecorderConfig, type RecorderParts, readRecorderConfig, record } from '@booktape/recorder'
import { ConfigError, createLogger, type Logger, systemClock, watchLifecycle } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { VERSION } from './version.ts'

/** `booktape record`: what a container runs. Configured by the environment alone; logs as JSON to the output. */
export async function recordFromEnvironment(): Promise<void> {
  const config = readRecorderConfig(process.env)
  const log = createLogger({ level: config.logLevel, name: 'recorder' })
  await recordUntilStopped(config, log)
  log.info('stopped')
}

/** Records until a signal, with the embedded Postgres where no other is named: started first, stopped last. */
export async function recordUntilStopped(
  config: RecorderConfig,
  log: Logger,
  shown: {
    onDatabase?: (url: string) => Promise<void>
    onStarted?: RecorderParts['onStarted']
    onStopped?: () => Promise<void>
    say?: (sentence: string) => void
  } = {},
): Promise<void> {
  const lifecycle = watchLifecycle({
    log: {
      stop: shown.say ?? ((sentence) => log.info(sentence)),
      fatal: (error, sentence) => log.fatal({ error }, sentence),
    },
  })
  let embedded: EmbeddedPostgres | null = null
  try {
    const directories = await claimDataDir(config.dataDir, config.venue)
    if (config.databaseUrl === null) {
      embedded = await startEmbedded({ directory: directories.postgres, log: (sentence) => log.info(sentence) })
      await migrate(embedded.url)
    }
    const databaseUrl = config.databaseUrl ?? embedded?.url ?? ''
    await shown.onDatabase?.(databaseUrl)
    await record({
      config,
      databaseUrl,
      journalDirectory: directories.journal,
      clock: systemClock(),
      log,
      version: VERSION,
      stopping: lifecycle.stopping,
      hurrying: lifecycle.hurrying,
      ...(shown.onStarted === undefined ? {} : { onStarted: shown.onStarted }),
    })
  } catch (error) {
    throw refusedBySystem(error, config.dataDir) ?? error
  } finally {
    await shown.onStopped?.()
    await embedded?.stop()
    lifecycle.close()
  }
}

/** A file or directory of ours that the system does not let us use: for the operator to mend. */
function refusedBySystem(error: unknown, dataDir: string): ConfigError | null {
  if (!(error instanceof Error) || !('code' in error) || !('path' in error)) return null
  if (!UNUSABLE.has(String(error.code))) return null
  const path = resolve(String(error.path))
  if (!path.startsWith(resolve(dataDir) + sep)) return null
  return new ConfigError([
    `BOOKTAPE_DATA_DIR ${dataDir} cannot be used: ${path} (${String(error.code)}). Make it a directory that this user may write, or name another one.`,
  ])
}

/** Not there what we need, or not ours to change; a full or broken disk is another matter. */
const UNUSABLE: ReadonlySet<string> = new Set(['EACCES', 'EEXIST', 'EISDIR', 'ENOTDIR', 'EPERM', 'EROFS'])
