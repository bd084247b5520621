import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { hasBrowser, startBrowser } from './browser.ts'
import { PATIENCE_MS, SpawnedCommand } from './spawned-command.ts'
import { environment, startDatabase, startExchange } from './surroundings.ts'

// The status page in a real browser, of a real recorder.

test('CI has a browser', { skip: process.env['CI'] === undefined ? 'this is not CI' : false }, () => {
  assert.ok(hasBrowser)
})

describe('the status page', { skip: hasBrowser ? false : 'needs chromium' }, () => {
  let browser: Browser
  before(async () => {
    browser = await startBrowser()
  })
  after(() => browser.close())

  test('shows the books live, a gap just caused, and goes on after the recorder’s restart, without an error', async (t) => {
    const { exchange, recorder, page, errors, url, restart } = await opened(t, browser)
    await page.locator('#headline.good').waitFor()
    assert.equal(await page.locator('#sentence').innerText(), 'Recording: all 4 books are live, rows are being stored.')
    assert.deepEqual(await page.locator('#rows .name').allInnerTexts(), ['btcusd', 'ethgusdperp'])

    // It moves by itself.
    const facts = page.locator('#book-facts')
    const first = await facts.innerText()
    assert.match(first, /^Live since .* · [\d,]+ bids, [\d,]+ asks · .* · update \d+$/)
    await changed(() => facts.innerText(), first)
    await page.locator('#trades td').first().waitFor()
    await page.locator('#levels td').first().waitFor()
    await drawn(page, '#depth canvas')
    await drawn(page, '.pace canvas')

    // A gap: first from memory, then from the database, with its cause.
    const marks = page.locator('.lane[aria-label^="btcusd v1"] .mark.gap')
    assert.equal(await marks.count(), 0)
    await inject(exchange.url, { fault: 'close', symbol: 'btcusd', feed: 'v1', code: 1006 })
    await marks.first().waitFor()
    await page.locator('#gaps td', { hasText: 'the connection closed (disconnect)' }).waitFor()
    await page.locator('.lane[aria-label^="btcusd v1"] .mark.gap[aria-label*="line a:"]').first().waitFor()
    await page.locator('#headline.good').waitFor() // the book came back
    await marks.first().hover({ force: true })
    const tip = page.getByRole('tooltip')
    assert.match(await tip.innerText(), /^btcusd v1: a gap .*\nline a: the connection closed \(disconnect\)$/s)
    await page.keyboard.press('Escape')
    assert.equal(await tip.isVisible(), false)
    await marks.first().focus() // as arrow keys do
    assert.match(await tip.innerText(), /the connection closed/)

    // The recorder is away, and comes back: nobody reloads anything.
    errors.expected = /ERR_CONNECTION_(REFUSED|RESET)/
    await recorder.stop()
    await page.locator('html.stale #headline.unknown').waitFor()
    assert.match(
      await page.locator('#sentence').innerText(),
      /^The recorder does not answer this page; it is asked again\. What follows is of /,
    )
    await restart()
    await page.locator('#headline.good').waitFor()
    assert.equal(page.url(), url)
    await page
      .locator('.lane[aria-label^="btcusd v1"] .mark.gap[aria-label*="the recorder was stopped"]')
      .first()
      .waitFor()
    assert.deepEqual(errors.found, [])
  })

  test('can be used with the keyboard and read aloud, in light and dark', async (t) => {
    const { page, errors } = await opened(t, browser)
    await page.locator('#headline.good').waitFor()
    const focused = (): Promise<unknown> =>
      page.evaluate('document.activeElement.innerText || document.activeElement.getAttribute("aria-label")')
    await page.locator('#find').focus()
    await tabTo(page, '.name')
    assert.equal(await focused(), 'btcusd')
    await page.keyboard.press('ArrowDown')
    assert.equal(await focused(), 'ethgusdperp')
    await page.keyboard.press('Enter')
    await page.locator('#symbol-heading', { hasText: 'ethgusdperp' }).waitFor()
    assert.match(page.url(), /#ethgusdperp\/v1$/)
    await page.locator('.lane[aria-label^="btcusd v1"] .mark').first().waitFor({ state: 'attached' }) // the day comes after the books
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowRight')
    assert.match(String(await focused()), /^btcusd v1: not recorded from the beginning/)
    assert.equal(await page.getByRole('tooltip').isVisible(), true)
    await page.getByRole('radio', { name: 'ws' }).check()
    await page.locator('#book-facts', { hasText: 'Live since' }).waitFor()
    await page.locator('#find').fill('perp')
    assert.equal(await page.locator('#shown').innerText(), '1 of 2 symbols')

    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      assert.deepEqual(await axeViolations(page), [], colorScheme)
    }
    assert.deepEqual(errors.found, [])
  })
})

type Opened = Readonly<{
  exchange: Awaited<ReturnType<typeof startExchange>>
  recorder: SpawnedCommand
  page: Page
  url: string
  errors: { found: string[]; expected: RegExp | null }
  restart: () => Promise<void>
}>

/** A recorder, and a page of its own that looks at it. What the browser complains about is kept. */
async function opened(t: TestContext, browser: Browser): Promise<Opened> {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const env = { ...environment(t, exchange), DATABASE_URL: database.url.href, BOOKTAPE_STATUS_PAGE: 'true' }
  const start = async (port: string): Promise<{ command: SpawnedCommand; http: string }> => {
    const command = new SpawnedCommand(t, ['record'], { ...env, BOOKTAPE_HTTP_PORT: port })
    const { http } = JSON.parse(await command.line(/"msg":"recording"/)) as { http: string }
    return { command, http }
  }
  const { command: recorder, http } = await start('0')
  await recorder.until('readiness', async () => (await fetch(`${http}/readyz`)).status === 200)
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } })
  t.after(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const errors: Opened['errors'] = { found: [], expected: null }
  const complain = (text: string): void => {
    if (errors.expected?.test(text) !== true) errors.found.push(text)
  }
  page.on('pageerror', (error) => complain(error.stack ?? error.message))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complain(message.text())
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== http) complain(`a request to ${request.url()}`)
  })
  const url = `${http}/`
  await page.goto(url)
  return {
    exchange,
    recorder,
    page,
    url,
    errors,
    restart: async () => void (await start(new URL(http).port)),
  }
}

async function inject(exchangeUrl: string, fault: object): Promise<void> {
  const answer = await fetch(`${exchangeUrl}/control/faults`, { method: 'POST', body: JSON.stringify(fault) })
  assert.equal(answer.status, 200, await answer.text())
}

async function changed(read: () => Promise<string>, from: string): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  while ((await read()) === from) assert.ok(!patience.aborted, `still ${from}`)
}

/** As a user without a mouse comes to it. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 10; presses++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`)) return
  }
  assert.fail(`Tab does not come to ${selector}`)
}

/** Until something is drawn on a canvas: a line has two points at least. */
async function drawn(page: Page, selector: string): Promise<void> {
  await page.locator(selector).first().waitFor()
  const isDrawn = `(() => {
    const chart = document.querySelector(${JSON.stringify(selector)})
    const blank = Object.assign(document.createElement('canvas'), { width: chart.width, height: chart.height })
    return chart.toDataURL() !== blank.toDataURL()
  })()`
  const patience = AbortSignal.timeout(PATIENCE_MS)
  while (!(await page.evaluate<boolean>(isDrawn))) assert.ok(!patience.aborted, `${selector} stays empty`)
}

/** What axe finds wrong, each with its first place; run from outside the page, whose policy lets nobody write scripts into it. */
async function axeViolations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<{
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
  }>('axe.run()')
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`)
}
