export { type FakeClock, fakeClock } from './fake-clock.ts'
export {
  type TemporaryDatabase,
  type TemporaryServer,
  temporaryDatabase,
  temporaryServer,
} from './temporary-database.ts'
