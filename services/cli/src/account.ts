import { join } from 'node:path'
import { readAccountConfig, recordAccount, refuseCores } from '@booktape/account'
import { claimDataDir } from '@booktape/recorder'
import { createLogger, systemClock, watchLifecycle } from '@booktape/runtime'
import { VERSION } from './version.ts'

/** Variables that hold a secret: taken away once they are read, so that no report of this process and no child of it has them. */
const SECRET_VARIABLES = ['BOOKTAPE_GEMINI_API_KEY', 'BOOKTAPE_GEMINI_API_SECRET', 'DATABASE_URL']

/** `booktape account`: what an account is offered and does, written down. Configured by the environment alone. */
export async function accountFromEnvironment(): Promise<void> {
  const config = readAccountConfig(process.env)
  await refuseCores()
  for (const name of SECRET_VARIABLES) delete process.env[name]
  const log = createLogger({ level: config.logLevel, name: 'account', secrets: config.secrets })
  const lifecycle = watchLifecycle({
    log: { stop: (sentence) => log.info(sentence), fatal: (error, sentence) => log.fatal({ error }, sentence) },
  })
  try {
    await claimDataDir(config.dataDir, config.venue)
    await recordAccount({
      config,
      journalDirectory: join(config.dataDir, 'account'),
      clock: systemClock(),
      log,
      version: VERSION,
      stopping: lifecycle.stopping,
      hurrying: lifecycle.hurrying,
    })
  } finally {
    lifecycle.close()
  }
  log.info('stopped')
}
