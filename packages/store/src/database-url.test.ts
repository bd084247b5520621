import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDatabaseUrl, redactDatabaseUrl } from './database-url.ts'
import { StoreError } from './store-error.ts'

test('a URL names host, port, user, password and database', () => {
  assert.deepEqual(readDatabaseUrl('postgres://ann:p%40ss@127.0.0.1:6543/tape'), {
    host: '127.0.0.1',
    port: 6543,
    user: 'ann',
    password: 'p@ss',
    database: 'tape',
    ssl: false,
  })
})

test('a Unix socket is a folder in the query', () => {
  const { host, database, ssl } = readDatabaseUrl('postgresql://ann@/tape?host=/run/postgresql')
  assert.deepEqual({ host, database, ssl }, { host: '/run/postgresql', database: 'tape', ssl: false })
})

for (const [url, port] of [
  ['postgres://127.0.0.1/tape', 5432],
  ['postgres://127.0.0.1:6000/tape', 6000],
] as const) {
  test(`${url} is port ${port}`, () => assert.equal(readDatabaseUrl(url).port, port))
}

for (const [host, mode, expected] of [
  ['localhost', '', 'none'],
  ['127.0.0.1', '', 'none'],
  ['127.1.2.3', '', 'none'],
  ['[::1]', '', 'none'],
  ['db.example.com', '', 'name proven'],
  ['10.0.0.5', '', 'name proven'],
  ['127.0.0.1.example.com', '', 'name proven'],
  ['localhost', '?sslmode=verify-full', 'name proven'],
  ['db.example.com', '?sslmode=verify-full', 'name proven'],
  ['db.example.com', '?sslmode=verify-ca', 'certificate proven'],
  ['db.example.com', '?sslmode=require', 'nothing proven'],
  ['db.example.com', '?sslmode=disable', 'none'],
  ['db.example.com', '?application_name=x&sslmode=require', 'nothing proven'],
  ['db.example.com', '?sslmode=require&application_name=x', 'nothing proven'],
] as const) {
  test(`the encryption of ${host} with "${mode}": ${expected}`, () => {
    const { ssl } = readDatabaseUrl(`postgres://ann@${host}/tape${mode}`)
    assert.equal(
      ssl === false
        ? 'none'
        : ssl.rejectUnauthorized !== true
          ? 'nothing proven'
          : ssl.checkServerIdentity === undefined
            ? 'name proven'
            : 'certificate proven',
      expected,
    )
  })
}

for (const [url, pattern] of [
  ['mysql://ann:secret@db/tape', /does not begin with postgres/],
  ['', /does not begin with postgres/],
  ['postgres://ann:secret@db:notaport/tape', /cannot be read/],
  ['postgres://ann:secret@db/tape?sslmode=prefer', /sslmode=prefer .* not usable/],
  ['postgres://ann:secret@db/tape?sslmode=allow', /sslmode=allow .* not usable/],
  ['postgres://ann:secret@db/tape?sslrootcert=/nowhere/ca.pem', /no such file.*ca\.pem/],
] as const) {
  test(`${url} is refused without telling the password`, () => {
    assert.throws(
      () => readDatabaseUrl(url),
      (error) =>
        error instanceof StoreError &&
        error.code === 'BAD_URL' &&
        pattern.test(error.message) &&
        !error.message.includes('secret'),
    )
  })
}

for (const [url, expected] of [
  ['postgres://ann:secret@db:5432/tape', 'postgres://ann:***@db:5432/tape'],
  ['postgres://ann:se@cret@db/tape', 'postgres://ann:***@db/tape'],
  ['postgres://ann@db/tape', 'postgres://ann@db/tape'],
  ['postgres://ann:secret@/tape?host=/run/postgresql', 'postgres://ann:***@/tape?host=/run/postgresql'],
  ['postgres://db/tape?user=ann&password=secret&x=1', 'postgres://db/tape?user=ann&password=***&x=1'],
  ['not a url', '(unreadable database URL)'],
] as const) {
  test(`${url} is shown as ${expected}`, () => assert.equal(redactDatabaseUrl(url), expected))
}
