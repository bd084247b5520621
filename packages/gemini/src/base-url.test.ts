import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBaseUrl } from './base-url.ts'

for (const [text, schemes, href] of [
  ['wss://api.gemini.com', 'ws', 'wss://api.gemini.com/'],
  ['wss://ws.gemini.com/', 'ws', 'wss://ws.gemini.com/'],
  ['wss://WS.SANDBOX.GEMINI.COM', 'ws', 'wss://ws.sandbox.gemini.com/'],
  ['wss://ws.gemini.com:443', 'ws', 'wss://ws.gemini.com/'],
  ['https://api.sandbox.gemini.com', 'http', 'https://api.sandbox.gemini.com/'],
  ['ws://127.0.0.1:9001', 'ws', 'ws://127.0.0.1:9001/'],
  ['ws://127.9.8.7', 'ws', 'ws://127.9.8.7/'],
  ['wss://localhost:9001', 'ws', 'wss://localhost:9001/'],
  ['http://[::1]:8080', 'http', 'http://[::1]:8080/'],
  ['http://0x7f000001', 'http', 'http://127.0.0.1/'],
] as const) {
  test(`accepts ${text}`, () => {
    const url = readBaseUrl(text, schemes)
    assert.equal(typeof url === 'string' ? url : url.href, href)
  })
}

const noHost = /is neither a host of Gemini nor a loopback address/
for (const [text, schemes, problem] of [
  ['', 'ws', /is not a URL/],
  ['ws.gemini.com', 'ws', /is not a URL/],
  [' wss://ws.gemini.com', 'ws', /is not a URL/],
  ['wss://ws.gemini.com\n', 'ws', /is not a URL/],
  ['wss://ws.gemi\tni.com', 'ws', /is not a URL/],
  ['wss://ws.gem\u0456ni.com', 'ws', /is not a URL/],
  ['wss://', 'ws', /is not a URL/],
  ['https://api.gemini.com', 'ws', /does not begin with wss:\/\//],
  ['wss://api.gemini.com', 'http', /does not begin with https:\/\//],
  ['file:///etc/passwd', 'http', /does not begin with https:\/\//],
  ['ftp://127.0.0.1', 'http', /does not begin with https:\/\//],
  ['javascript:alert(1)', 'ws', /does not begin with wss:\/\//],
  ['ws://ws.gemini.com', 'ws', /is not encrypted; write wss:\/\//],
  ['http://api.gemini.com', 'http', /is not encrypted; write https:\/\//],
  ['wss://ws.gemini.com:8443', 'ws', /names a port/],
  ['wss://ws.gemini.com/?snapshot=0', 'ws', /must end before any "\?" or "#"/],
  ['wss://ws.gemini.com?', 'ws', /must end before any "\?" or "#"/],
  ['wss://ws.gemini.com#x', 'ws', /must end before any "\?" or "#"/],
  ['wss://me:secret@ws.gemini.com', 'ws', /must not hold a user name or password/],
  ['ftp://me:secret@ws.gemini.com', 'ws', /must not hold a user name or password/],
  ['wss://me:secret@ws gemini.com', 'ws', /^the URL is not a URL/],
  ['https://169.254.169.254', 'http', noHost],
  ['http://169.254.169.254/latest/meta-data', 'http', noHost],
  ['https://10.0.0.1', 'http', noHost],
  ['https://192.168.1.1', 'http', noHost],
  ['https://[fd00::1]', 'http', noHost],
  ['https://[::ffff:169.254.169.254]', 'http', noHost],
  ['https://[::ffff:127.0.0.1]', 'http', noHost],
  ['https://0.0.0.0', 'http', noHost],
  ['https://128.0.0.1', 'http', noHost],
  ['https://localhost.example.org', 'http', noHost],
  ['https://127.0.0.1.example.org', 'http', noHost],
  ['https://api.gemini.com.example.org', 'http', noHost],
  ['https://api.gemini.com.', 'http', noHost],
  ['https://evil-gemini.com', 'http', noHost],
  ['https://gemini.com', 'http', noHost],
  ['wss://xn--gemni-q3a.com', 'ws', noHost],
] as const) {
  test(`refuses ${JSON.stringify(text)} for ${schemes}`, () => {
    const answer = readBaseUrl(text, schemes)
    assert.equal(typeof answer, 'string')
    assert.match(String(answer), problem)
    assert.doesNotMatch(String(answer), /secret/)
  })
}
