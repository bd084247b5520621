import { startEmbedded } from '@booktape/embedded'
import { claimDataDir, type RecorderConfig, type RecorderParts, readRecorderConfig, record } from '@booktape/recorder'
import { createLogger, type Logger, systemClock, watchLifecycle } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { VERSION } from './version.ts'

/** `booktape record`: what a container runs. Configured by the environment alone; logs as JSON to the output. */
export async function recordFromEnvironment(): Promise<void> {
  const config = readRecorderConfig(process.env)
  const log = createLogger({ level: config.logLevel, name: 'recorder' })
  await recordUntilStopped(config, log)
}

/** Records until a signal, with the embedded Postgres where no other is named: started first, stopped last. */
export async function recordUntilStopped(
  config: RecorderConfig,
  log: Logger,
  shown: {
    onDatabase?: (url: string) => void
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
  const directories = await claimDataDir(config.dataDir, config.venue)
  const embedded =
    config.databaseUrl === null
      ? await startEmbedded({ directory: directories.postgres, log: (sentence) => log.info(sentence) })
      : null
  try {
    const databaseUrl = config.databaseUrl ?? embedded?.url ?? ''
    if (embedded !== null) await migrate(databaseUrl)
    shown.onDatabase?.(databaseUrl)
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
  } finally {
    await shown.onStopped?.()
    await embedded?.stop()
    lifecycle.close()
  }
}
