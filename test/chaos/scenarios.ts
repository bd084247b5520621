import {
  bePostgresAway,
  crashPostgres,
  disturbDatabaseLine,
  eatCommitReplies,
  lockTable,
  terminateBackends,
} from './database-faults.ts'
import { canMount, fillDisk } from './disk-faults.ts'
import { halfOpen, narrowVenue, refuseUpgrades, resetConnections, sliceVenue, stallVenue } from './network-faults.ts'
import {
  failSync,
  freeze,
  hasStrace,
  killAtRandom,
  killAtSystemCall,
  killTwoLines,
  restart,
  rollTwoLines,
} from './process-faults.ts'
import { breakBeginnings, breakProtocol } from './protocol-faults.ts'
import type { Scenario } from './scenario.ts'

/** Every misfortune of a run, from the recorder outwards. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'kill -9', weight: 4, run: (world, dice) => killAtRandom(world, dice, 10) },
  {
    name: 'kill -9 at a system call',
    weight: 2,
    isPossible: hasStrace,
    run: (world, dice) => killAtSystemCall(world, dice, 6),
  },
  { name: 'SIGTERM and restart', weight: 1, run: (world, dice) => restart(world, dice, 4) },
  { name: 'SIGSTOP', weight: 1, run: (world, dice) => freeze(world, dice, 2) },
  { name: 'two lines roll', weight: 1, run: (world) => rollTwoLines(world, 1) },
  { name: 'two lines killed in turn', weight: 1, run: (world) => killTwoLines(world, 3) },
  { name: 'Postgres crash', weight: 2, run: (world, dice) => crashPostgres(world, dice, 5) },
  { name: 'Postgres away for 60 s', weight: 1, run: (world) => bePostgresAway(world, 60_000) },
  { name: 'backends terminated', weight: 2, run: (world, dice) => terminateBackends(world, dice, 40) },
  { name: 'COMMIT reply eaten', weight: 2, run: (world) => eatCommitReplies(world, 20) },
  { name: 'table locked for 12 s', weight: 1, run: (world) => lockTable(world, 12_000) },
  { name: 'bad line to Postgres', weight: 1, run: (world, dice) => disturbDatabaseLine(world, dice, 6) },
  { name: 'venue resets', weight: 1, run: (world, dice) => resetConnections(world, dice, 12) },
  { name: 'venue half-open', weight: 1, run: halfOpen },
  { name: 'venue stalls', weight: 1, run: (world, dice) => stallVenue(world, dice, 2) },
  { name: 'venue in slices', weight: 1, run: (world, dice) => sliceVenue(world, dice, 5_000) },
  { name: 'venue on a narrow line', weight: 1, run: (world, dice) => narrowVenue(world, dice, 8_000) },
  { name: 'upgrades refused', weight: 1, run: refuseUpgrades },
  { name: 'protocol faults', weight: 1, run: (world, dice) => breakProtocol(world, dice, 40) },
  { name: 'broken beginnings', weight: 1, run: breakBeginnings },
  { name: 'journal disk full', weight: 1, isPossible: canMount, run: fillDisk },
  { name: 'sync fails', weight: 1, isPossible: hasStrace, run: (world, dice) => failSync(world, dice, 2) },
]
