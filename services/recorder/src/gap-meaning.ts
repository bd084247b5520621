import { GAP_CAUSES, type GapCause } from '@booktape/market'

/** What a gap's cause means, for whoever reads it for the first time. */
const MEANINGS: Readonly<Record<GapCause, string>> = {
  sequence: 'an update was lost on the way',
  disconnect: 'the connection closed',
  liveness: 'the connection fell silent and was given up',
  malformed: 'a message could not be read',
  protocol: 'a message broke the venue\u2019s rules',
  snapshot_missing: 'the venue sent no believable book in time',
  subscription_lost: 'the venue no longer lists the subscription',
  connect: 'no connection could be made',
  refused: 'the venue refuses the symbol',
  restart: 'the recorder ended without being stopped',
  stopped: 'the recorder was stopped',
  journal_full: 'the journal was full',
  journal_damaged: 'a part of the journal could not be read again',
  divergence: 'an audit found another book at the venue',
  unstorable: 'the database refused a row',
}

/** A cause of a later version has no meaning here, only its name. */
export function meaningOf(cause: string): string {
  const known = GAP_CAUSES.find((name) => name === cause)
  return known === undefined ? cause.replaceAll('_', ' ') : MEANINGS[known]
}
