// Asks the recorder again and again, while the page can be seen.

/** As often as the recorder makes something new of it that people can follow. */
const EVERY_MS = 1_000
/** While it does not answer, ever more rarely. */
const MOST_EVERY_MS = 5_000
const ANSWER_TIMEOUT_MS = 8_000

/** Asks one question. @param {string} question @returns {Promise<unknown>} */
export async function ask(question) {
  const answer = await fetch(`./?${question}`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), cache: 'no-store' })
  if (answer.status === 404) return null
  if (!answer.ok) throw new Error((await answer.text()).trim())
  return await answer.json()
}

/**
 * Calls `look` once a second and again as soon as `hurry` is called. One look at a time; none while the page is hidden.
 *
 * @param {() => Promise<void>} look
 * @param {(error: unknown) => void} onFailure
 */
export function keepLooking(look, onFailure) {
  let failures = 0
  let isLooking = false
  let isHurried = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  const turn = async () => {
    clearTimeout(timer)
    if (isLooking) {
      isHurried = true
      return
    }
    if (document.hidden) return
    isLooking = true
    isHurried = false
    try {
      await look()
      failures = 0
    } catch (error) {
      failures++
      onFailure(error)
    }
    isLooking = false
    timer = setTimeout(turn, isHurried ? 0 : Math.min(MOST_EVERY_MS, EVERY_MS * 2 ** Math.max(0, failures - 1)))
  }
  document.addEventListener('visibilitychange', () => void turn())
  void turn()
  return { hurry: () => void turn() }
}
