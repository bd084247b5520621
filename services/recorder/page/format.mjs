// Words and figures for people. What comes as text stays exact; what comes as a number is a count or a time.

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** `84 ms`, `4.2 s`, `59 s`, `2 min 5 s`, `3 h 20 min`, `4 d 3 h`; nothing below zero. @param {number} ms */
export function spanText(ms) {
  if (ms < SECOND_MS) return `${Math.max(0, Math.floor(ms))} ms`
  if (ms < 10 * SECOND_MS) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min ${Math.floor((ms % MINUTE_MS) / SECOND_MS)} s`
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h ${Math.floor((ms % HOUR_MS) / MINUTE_MS)} min`
  return `${Math.floor(ms / DAY_MS)} d ${Math.floor((ms % DAY_MS) / HOUR_MS)} h`
}

/** How long ago, coarse enough to be read while it changes. @param {number} ms */
export function agoText(ms) {
  return ms < 10 * SECOND_MS ? `${(Math.max(0, ms) / SECOND_MS).toFixed(1)} s` : spanText(ms)
}

/** `12:03:10`. @param {number} ms since 1970 */
export const timeText = (ms) => new Date(ms).toISOString().slice(11, 19)

/** `12:03`. @param {number} ms since 1970 */
export const minuteText = (ms) => new Date(ms).toISOString().slice(11, 16)

/** `12:03:10`, with the date where it is another day than `nowMs`. @param {number} ms @param {number} nowMs */
export function instantText(ms, nowMs) {
  const text = new Date(ms).toISOString()
  return text.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10)
    ? text.slice(11, 19)
    : `${text.slice(5, 10)} ${text.slice(11, 19)}`
}

/** Never rounded up to a whole that it is not. @param {number} live @param {number} gap */
export function shareText(live, gap) {
  if (live + gap === 0) return '–'
  if (gap === 0) return '100 %'
  const share = live / (live + gap)
  const digits = share < 0.99 ? 1 : 3
  return `${(Math.floor(share * 100 * 10 ** digits) / 10 ** digits).toFixed(digits)} %`
}

/** @param {number} count */
export const countText = (count) => count.toLocaleString('en')

/** `1 gap`, `2 gaps`. @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${countText(count)} ${count === 1 ? one : many}`

/** @param {number} bytes */
export function bytesText(bytes) {
  const [unit, name] = bytes < 2 ** 30 ? [2 ** 20, 'MiB'] : [2 ** 30, 'GiB']
  const value = bytes / unit
  return `${value < 100 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)} ${name}`
}
