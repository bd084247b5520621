import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '@booktape/market'
import { DatabaseError } from 'pg'
import { orStoreError, readFailure } from './failure.ts'
import { StoreError } from './store-error.ts'

function postgres(code: string): DatabaseError {
  const error = new DatabaseError('as Postgres says', 0, 'error')
  error.code = code
  return error
}

/** PgBouncer's, as they came from version 1.18. */
function pooler(message: string): DatabaseError {
  const error = new DatabaseError(message, 0, 'error')
  error.severity = 'FATAL'
  error.code = '08P01'
  return error
}

const violation = Object.assign(postgres('08P01'), { routine: 'exec_bind_message' })

const node = (code: string) => Object.assign(new Error('as node says'), { code })

for (const [name, error, expected] of [
  ['a server that shuts down', postgres('57P01'), 'shutting_down'],
  ['a backend ended by a crash of another', postgres('57P02'), 'shutting_down'],
  ['a server that starts up', postgres('57P03'), 'starting_up'],
  ['too many clients', postgres('53300'), 'too_many_clients'],
  ['a full disk', postgres('53100'), 'disk_full'],
  ['no memory', postgres('53200'), 'out_of_memory'],
  ['another lack of resources', postgres('53400'), 'server_fault'],
  ['a read-only server', postgres('25006'), 'read_only'],
  ['a deadlock', postgres('40P01'), 'deadlock'],
  ['a serialization failure', postgres('40001'), 'serialization'],
  ['a lock not given in time', postgres('55P03'), 'lock_timeout'],
  ['a statement that took too long', postgres('57014'), 'timeout'],
  ['a connection failure reported by a pooler', postgres('08006'), 'connection_lost'],
  [
    'a server that PgBouncer cannot reach',
    pooler('server login has been failing, try again later (server_login_retry)'),
    'connection_lost',
  ],
  ['a PgBouncer that has no room', pooler('no more connections allowed (max_client_conn)'), 'connection_lost'],
  ['a PgBouncer that shuts down', pooler('server conn crashed?'), 'connection_lost'],
  ['a file the server cannot read', postgres('58030'), 'server_fault'],
  ['a refused dial', node('ECONNREFUSED'), 'unreachable'],
  ['a missing socket', node('ENOENT'), 'unreachable'],
  ['an unknown host', node('ENOTFOUND'), 'unreachable'],
  ['a reset', node('ECONNRESET'), 'connection_lost'],
  ['a broken pipe', node('EPIPE'), 'connection_lost'],
  ['an end in mid-query', new Error('Connection terminated unexpectedly'), 'connection_lost'],
  ['a dial that took too long', new Error('Connection terminated due to connection timeout'), 'unreachable'],
  ['no free connection', new Error('timeout exceeded when trying to connect'), 'unreachable'],
  ['an answer that never came', new Error('Query read timeout'), 'timeout'],
  [
    'a host whose addresses all refused',
    new AggregateError([node('ENETUNREACH'), node('ECONNREFUSED')]),
    'unreachable',
  ],
] as const) {
  test(`${name} is tried again, as ${expected}`, () => assert.equal(readFailure(error).class, expected))
}

for (const [name, error, expected] of [
  ['a protocol violation, though its class looks like a lost connection', violation, 'PROTOCOL'],
  ['a user or password that PgBouncer refuses', pooler('SASL authentication failed'), 'REFUSED'],
  ['a database that PgBouncer does not know', pooler('database "nosuch" does not exist'), 'REFUSED'],
  ['a wrong password', postgres('28P01'), 'REFUSED'],
  ['an entry missing in pg_hba.conf', postgres('28000'), 'REFUSED'],
  ['a missing database', postgres('3D000'), 'REFUSED'],
  ['a missing right', postgres('42501'), 'REFUSED'],
  ['a missing table', postgres('42P01'), 'SCHEMA'],
  ['a missing column', postgres('42703'), 'SCHEMA'],
  ['a number out of range', postgres('22003'), 'UNSTORABLE'],
  ['a broken check', postgres('23514'), 'UNSTORABLE'],
  ['an internal error', postgres('XX000'), 'UNEXPECTED'],
  ['a certificate of another name', node('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS'],
  ['a certificate that signs itself', node('DEPTH_ZERO_SELF_SIGNED_CERT'), 'TLS'],
  ['a server without TLS', new Error('The server does not support SSL connections'), 'TLS'],
  ['anything else', new TypeError('x is not a function'), 'UNEXPECTED'],
] as const) {
  test(`${name} is thrown, as ${expected}`, () => {
    assert.throws(
      () => readFailure(error),
      (thrown) => thrown instanceof StoreError && thrown.code === expected && thrown.cause === error,
    )
  })
}

test('a broken belief stays what it is', () => {
  const broken = new InvariantError('x')
  assert.throws(
    () => readFailure(broken),
    (thrown) => thrown === broken,
  )
})

test('the reason names what Postgres said and its code', () => {
  assert.equal(readFailure(postgres('40P01')).reason, 'Postgres: as Postgres says (40P01)')
})

test('a caller without a retry value gets AWAY', async () => {
  await assert.rejects(
    orStoreError(() => Promise.reject(node('ECONNREFUSED'))),
    (thrown) => thrown instanceof StoreError && thrown.code === 'AWAY',
  )
})
