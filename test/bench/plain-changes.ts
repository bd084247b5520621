import type { Client } from 'pg'
import { copyIn } from './copy.ts'
import { START_NS } from './session-driver.ts'
import type { Workload } from './workload.ts'

/** One row a change, as most who store books do. */
export const CHANGE_TABLE =
  'create table public.changes (received_time timestamptz, update_id bigint, side text, price numeric, quantity numeric)'

/** `receivedNs`: of each frame. */
export function changeRows(work: Workload, receivedNs: readonly bigint[]): string[][] {
  return work.frames.flatMap((frame, i) => {
    const time = timeText(receivedNs[i] ?? START_NS)
    return frame.changes.map(({ side, price, quantity }) => [time, String(frame.lastUpdateId), side, price, quantity])
  })
}

export const timeText = (ns: bigint): string =>
  `${new Date(Number(ns / 1_000_000_000n) * 1e3).toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .slice(0, 6)}Z`

/** Rows into that table, which has been made. */
export async function storePlainChanges(client: Client, rows: readonly (readonly string[])[]): Promise<void> {
  await copyIn(
    client,
    'copy public.changes from stdin',
    rows.map((row) => row.join('\t')),
  )
}
