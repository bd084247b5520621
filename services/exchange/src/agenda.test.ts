import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Agenda } from './agenda.ts'

function ran(agenda: Agenda, untilNs: bigint, log: string[]): string[] {
  agenda.runUntil(untilNs, () => undefined)
  return log.splice(0)
}

test('what is due runs in the order of time, equal instants in the order agreed, and again where it says so', () => {
  const agenda = new Agenda()
  const log: string[] = []
  const note = (name: string, again: bigint | null) => (atNs: bigint) => {
    log.push(`${name} ${atNs}`)
    return again === null ? null : atNs + again
  }
  agenda.add(30n, note('once', null))
  agenda.add(10n, note('tens', 10n))
  agenda.add(15n, note('fifteens', 15n))
  assert.deepEqual(ran(agenda, 30n, log), ['tens 10', 'fifteens 15', 'tens 20', 'once 30', 'tens 30', 'fifteens 30'])
  assert.deepEqual(ran(agenda, 40n, log), ['tens 40'])
  agenda.postpone(100n)
  assert.deepEqual(ran(agenda, 150n, log), ['fifteens 145', 'tens 150'])
})

test('what runs may add what is due at once', () => {
  const agenda = new Agenda()
  const log: string[] = []
  agenda.add(1n, () => {
    log.push('first')
    agenda.add(1n, () => {
      log.push('second')
      return null
    })
    return null
  })
  assert.deepEqual(ran(agenda, 1n, log), ['first', 'second'])
})
