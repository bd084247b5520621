import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startExchangeServer } from '@booktape/exchange'
import { systemClock } from '@booktape/runtime'
import { migrate } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import type { Page } from 'playwright-core'
import { startBrowser } from '../browser.ts'
import { type Drill, mebibytes } from './drill.ts'
import { manySymbols } from './many-symbols.ts'
import { memoryOf, processorMsOf } from './processes.ts'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))

/** What the status page costs: its weight and its first look in a real browser, and the recorder's processor with so many viewers. */
export const viewers: Drill = {
  about: 'the status page: weight, time to the first look, and what viewers cost a recorder of all of Gemini',
  usual: { symbols: 347, viewers: 10, seconds: 30, rate: 0.2, v1: 0, pictures: 0 },
  async run(numbers, say) {
    const directory = await mkdtemp(join(tmpdir(), 'booktape-viewers-'))
    const database = await temporaryDatabase()
    await migrate(database.url)
    const symbols = manySymbols(numbers('symbols'))
    const clock = systemClock()
    const exchange = await startExchangeServer({ port: 0, seed: 1, symbols, rate: numbers('rate'), clock })
    const child = spawn(process.execPath, [MAIN, 'record'], {
      env: {
        BOOKTAPE_SYMBOLS: '*',
        BOOKTAPE_FEEDS: numbers('v1') === 0 ? 'ws' : 'v1,ws',
        BOOKTAPE_DATA_DIR: directory,
        BOOKTAPE_HTTP_PORT: '0',
        BOOKTAPE_STATUS_PAGE: 'true',
        DATABASE_URL: database.url,
        BOOKTAPE_GEMINI_V1_URL: exchange.v1Url,
        BOOKTAPE_GEMINI_WS_URL: exchange.wsUrl,
        BOOKTAPE_GEMINI_REST_URL: exchange.restUrl,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const url = await addressOf(child.stdout)
      while ((await fetch(`${url}/readyz`)).status !== 200) await delay(500)
      const ms = numbers('seconds') * 1_000
      const pid = child.pid ?? 0
      const alone = await shareOfProcessor(pid, ms)
      say(`without viewers: ${alone.toFixed(1)} % of a processor, ${mebibytes(memoryOf(pid))}`)
      for (const count of [1, numbers('viewers')]) {
        const stopping = new AbortController()
        const watching = Array.from({ length: count }, () => watch(url, stopping.signal))
        await delay(2_000)
        const share = await shareOfProcessor(pid, ms)
        stopping.abort()
        const bytes = (await Promise.all(watching)).reduce((sum, of) => sum + of, 0)
        const rate = bytes / count / (numbers('seconds') + 2) / 1_024
        say(
          `${count} viewers: ${share.toFixed(1)} % of a processor, ${(share - alone).toFixed(1)} more, ${rate.toFixed(1)} KiB/s each, ${mebibytes(memoryOf(pid))}`,
        )
      }
      await look(`${url}/`, say, numbers('pictures') > 0)
      return []
    } finally {
      child.kill('SIGKILL')
      await exchange.stop()
      await database.close()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(output)) {
    const { msg, http } = JSON.parse(line) as { msg: string; http?: string }
    if (msg === 'recording' && http !== undefined) {
      output.resume()
      return http
    }
  }
  throw new Error('the recorder ended before it recorded')
}

async function shareOfProcessor(pid: number, ms: number): Promise<number> {
  const [before, began] = [processorMsOf(pid), performance.now()]
  await delay(ms)
  return ((processorMsOf(pid) - before) / (performance.now() - began)) * 100
}

/** Asks what the page asks, as often as it does; gives the bytes that came, compressed. */
async function watch(url: string, stopping: AbortSignal): Promise<number> {
  let bytes = 0
  let reading = 0
  const ask = async (question: string): Promise<unknown> => {
    const answer = await fetch(`${url}/?${question}`)
    bytes += Number(answer.headers.get('content-length'))
    return await answer.json()
  }
  while (!stopping.aborted) {
    const overview = (await ask('overview')) as { coverageReading: number; symbols: readonly { symbol: string }[] }
    if (overview.coverageReading !== reading) await ask('coverage')
    reading = overview.coverageReading
    await ask(`symbol=${overview.symbols[0]?.symbol}&feed=ws`)
    await delay(1_000)
  }
  return bytes
}

const PICTURES = fileURLToPath(new URL('../../docs/images/', import.meta.url))

/** A browser that comes for the first time. */
async function look(url: string, say: (sentence: string) => void, takesPictures: boolean): Promise<void> {
  const browser = await startBrowser()
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } })
    let bytes = 0
    let requests = 0
    page.on('response', (response) => {
      requests++
      bytes += Number(response.headers()['content-length'] ?? 0)
    })
    await page.goto(url)
    await page.locator('#rows tr').first().waitFor()
    const rowsMs = await page.evaluate('performance.now()')
    const paintMs = await page.evaluate('performance.getEntriesByName("first-contentful-paint")[0].startTime')
    say(
      `first look: ${requests} requests, ${(bytes / 1_024).toFixed(0)} KiB, painted after ${Math.round(paintMs as number)} ms, all symbols after ${Math.round(rowsMs as number)} ms`,
    )
    if (takesPictures) await picture(page)
  } finally {
    await browser.close()
  }
}

async function picture(page: Page): Promise<void> {
  await page.locator('.lane:not(.unread)').first().waitFor()
  await delay(3_000)
  await page.screenshot({ path: join(PICTURES, 'status-page-347-symbols.png') })
}
