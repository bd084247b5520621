/**
 * The new API's chain overlaps: an update starts at the id where the last one ended (docs/gemini.md, claim 7).
 *
 *   book holds ..100   update 100..104  next    starts where the book ends
 *   book holds ..100   update  98..104  next    overlaps, and quantities are absolute, so safe
 *   book holds ..100   update  96..100  stale   nothing new
 *   book holds ..100   update 101..104  gap     whatever lay between 100 and 101 never came
 */
export function continuity(
  lastUpdateId: bigint,
  update: Readonly<{ firstUpdateId: bigint; lastUpdateId: bigint }>,
): 'next' | 'stale' | 'gap' {
  if (update.lastUpdateId <= lastUpdateId) return 'stale'
  if (update.firstUpdateId <= lastUpdateId) return 'next'
  return 'gap'
}
