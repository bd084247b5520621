import {
  bePostgresAway,
  crashPostgres,
  disturbDatabaseLine,
  eatCommitReplies,
  fillPostgres,
  lockTable,
  terminateBackends,
} from './database-faults.ts'
import { canMount, fillDisk } from './disk-faults.ts'
import { failOver } from './failover.ts'
import { damageJournal, refuseWrites, shortenWrites, slowSyncs } from './journal-faults.ts'
import { halfOpen, narrowVenue, refuseUpgrades, resetConnections, sliceVenue, stallVenue } from './network-faults.ts'
import {
  freeze,
  hasPrlimit,
  hasStrace,
  killAtRandom,
  killAtSystemCall,
  killTwoLines,
  restart,
  rollTwoLines,
} from './process-faults.ts'
import { breakBeginnings, disturbFrames, sendHostileFrames, silenceSymbol } from './protocol-faults.ts'
import type { Scenario } from './scenario.ts'

/** Every misfortune of a run, from the recorder outwards. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'kill -9', asked: 300, run: (world, dice) => killAtRandom(world, dice, 20) },
  {
    name: 'kill -9 at a system call',
    asked: 200,
    isPossible: hasStrace,
    run: (world, dice) => killAtSystemCall(world, dice, 12),
  },
  { name: 'SIGTERM and restart', asked: 40, run: (world, dice) => restart(world, dice, 4) },
  { name: 'SIGSTOP', asked: 30, run: (world, dice) => freeze(world, dice, 2) },
  { name: 'two lines roll', asked: 10, run: (world) => rollTwoLines(world, 1) },
  { name: 'two lines killed in turn', asked: 10, run: (world) => killTwoLines(world, 1) },
  { name: 'Postgres crash', asked: 60, run: (world, dice) => crashPostgres(world, dice, 6) },
  { name: 'Postgres away for 60 s', asked: 1, run: (world) => bePostgresAway(world, 60_000) },
  { name: 'backends terminated', asked: 500, run: (world, dice) => terminateBackends(world, dice, 40) },
  { name: 'COMMIT reply eaten', asked: 200, run: (world) => eatCommitReplies(world, 20) },
  { name: 'Postgres data disk full', asked: 5, isPossible: canMount, run: (w, dice) => fillPostgres(w, dice, 'data') },
  { name: 'Postgres WAL disk full', asked: 5, isPossible: canMount, run: (w, dice) => fillPostgres(w, dice, 'wal') },
  { name: 'failover without the last commits', asked: 10, isPossible: canMount, run: failOver },
  { name: 'table locked for 30 s', asked: 20, run: (world) => lockTable(world, 30_000) },
  { name: 'bad line to Postgres', asked: 40, run: (world, dice) => disturbDatabaseLine(world, dice, 6) },
  { name: 'journal disk full', asked: 5, isPossible: canMount, run: fillDisk },
  { name: 'journal ENOSPC', asked: 20, isPossible: hasStrace, run: (w, dice) => refuseWrites(w, dice, 4, 'ENOSPC') },
  { name: 'journal EIO', asked: 20, isPossible: hasStrace, run: (w, dice) => refuseWrites(w, dice, 4, 'EIO') },
  { name: 'journal short write', asked: 20, isPossible: hasPrlimit, run: (w, dice) => shortenWrites(w, dice, 4) },
  { name: 'journal slow sync', asked: 20, isPossible: hasStrace, run: (world, dice) => slowSyncs(world, dice, 5) },
  { name: 'journal torn', asked: 20, run: (world, dice) => damageJournal(world, dice, 4, 'torn') },
  { name: 'journal zeroed', asked: 20, run: (world, dice) => damageJournal(world, dice, 4, 'zeroed') },
  { name: 'journal flipped', asked: 20, run: (world, dice) => damageJournal(world, dice, 4, 'flipped') },
  { name: 'venue resets', asked: 300, run: (world, dice) => resetConnections(world, dice, 20) },
  { name: 'venue half-open', asked: 60, run: halfOpen },
  { name: 'venue stalls', asked: 20, run: (world, dice) => stallVenue(world, dice, 3) },
  { name: 'venue in slices', asked: 10, run: (world, dice) => sliceVenue(world, dice, 3_000) },
  { name: 'venue on a narrow line', asked: 10, run: (world, dice) => narrowVenue(world, dice, 4_000) },
  { name: 'upgrades refused (429, 503)', asked: 100, run: refuseUpgrades },
  { name: 'frames dropped', asked: 1_000, run: (world, dice) => disturbFrames(world, dice, 80, ['drop']) },
  { name: 'frames doubled', asked: 1_000, run: (world, dice) => disturbFrames(world, dice, 80, ['duplicate']) },
  { name: 'frames out of order', asked: 500, run: (world, dice) => disturbFrames(world, dice, 50, ['swap', 'delay']) },
  { name: 'hostile frames', asked: 10_000, run: (world, dice) => sendHostileFrames(world, dice, 900) },
  { name: 'a symbol falls silent', asked: 10, run: silenceSymbol },
  { name: 'broken beginnings', asked: 60, run: breakBeginnings },
]
