import type { SeedOrder } from './seed-worker.ts'

// In the place of seed-worker.ts (seed-pool.test.ts): seed 2 never ends, seed 3 takes its process with it.
process.on('message', ({ seed, isTwice }: SeedOrder) => {
  if (seed === 2) for (;;);
  if (seed === 3) process.exit(7)
  process.send?.({ outcome: { seed }, isTwice, isUnlike: false })
})
process.on('disconnect', () => process.exit())
