import { BlockList, isIP } from 'node:net'

/**
 * Whether a connection to `host` may go to `address`. A name that resolves into our own network would turn the
 * recorder into a way in, so only public addresses are believed, and a loopback host only stays on loopback.
 *
 *   api.gemini.com  104.18.3.4        yes
 *   api.gemini.com  127.0.0.1         no    loopback
 *   api.gemini.com  169.254.169.254   no    link-local, where clouds keep their secrets
 *   localhost       127.0.0.1         yes
 *   localhost       104.18.3.4        no    plain text is allowed to loopback hosts, so it must not leave
 */
export function isAddressAllowed(host: string, address: string): boolean {
  if (isLoopbackHost(host)) return isLoopbackAddress(address)
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  if (family === 6) return publicV6.check(address, 'ipv6') && !special.check(address, 'ipv6')
  return false
}

/** `host` as it stands in a URL, so an IPv6 address may be in brackets. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || isLoopbackAddress(withoutBrackets(host))
}

/**
 * Why `url` must not be dialed, as a sentence without a subject, or null. `secure` and `plain` are the two schemes
 * (`wss:` and `ws:`, `https:` and `http:`); plain text is for loopback only.
 */
export function urlProblem(url: string, secure: 'wss:' | 'https:', plain: 'ws:' | 'http:'): string | null {
  if (!URL.canParse(url)) return 'is not a URL'
  const { protocol, hostname, username, password, hash } = new URL(url)
  if (protocol !== secure && protocol !== plain) return `must start with ${secure}//`
  if (protocol === plain && !isLoopbackHost(hostname)) return `must start with ${secure}// outside loopback`
  if (username !== '' || password !== '') return 'must not hold a user name or password'
  if (hash !== '') return 'must not hold a fragment'
  const host = withoutBrackets(hostname)
  if (isIP(host) !== 0 && !isAddressAllowed(host, host)) return 'names a private or reserved address'
  return null
}

function isLoopbackAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host
}

// From the IANA special-purpose address registries; multicast and the reserved top of the space with them.
const SPECIAL_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const

// Inside the global unicast block, but not for hosts: protocol assignments with Teredo, documentation, 6to4.
const SPECIAL_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const

const NAT64_PREFIX = '64:ff9b::' // how a cluster with IPv6 alone reaches IPv4: the last 32 bits are the address

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const publicV6 = new BlockList()
publicV6.addSubnet('2000::', 3, 'ipv6')
publicV6.addSubnet(NAT64_PREFIX, 96, 'ipv6')

const special = new BlockList()
for (const [network, prefix] of SPECIAL_V4) {
  special.addSubnet(network, prefix, 'ipv4')
  special.addSubnet(NAT64_PREFIX + network, 96 + prefix, 'ipv6')
}
for (const [network, prefix] of SPECIAL_V6) special.addSubnet(network, prefix, 'ipv6')
