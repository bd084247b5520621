import type { Side } from '@booktape/market'

/** A symbol of the simulated exchange: its rules as the venue publishes them, and how busy its market is. */
export type SymbolSpec = Readonly<{
  symbol: string // lowercase
  baseCurrency: string
  quoteCurrency: string
  priceIncrement: string // plain decimals
  quantityIncrement: string
  minOrderSize: string
  quantityIncrementText?: string // how the symbol's details spell it, when not plainly
  status: 'open' | 'limit_only'
  productType: 'spot' | 'swap'
  priceDigits: number // digits after the point on the new WebSocket API, and the finest this market can hold
  quantityDigits: number
  startPrice: string
  usualQuantity: string // the median of an order
  bids: number // levels the book keeps to
  asks: number
  changesPerSecond: number
  tradesPerSecond: number // these are part of the changes
  farLevels: readonly (readonly [side: Side, price: string, quantity: string])[]
}>

/**
 * Symbols as the venue listed them in 2026 (docs/gemini.md, section 6), with every kind of increment it has.
 * Padding is the wire's where it was seen; elsewhere three and two digits past the increments, as btcusd has.
 */
export const SYMBOL_PRESETS: readonly SymbolSpec[] = [
  {
    ...spot('btcusd', 'BTC', 'USD', ['0.01', '0.00000001', '0.00001'], '83361.25', '0.03', [2_500, 2_100], 45, 0.5),
    quantityIncrementText: '1e-8',
    farLevels: [
      ['ask', '9000000000000', '0.00100001'],
      ['ask', '12345678912.34', '0.00010001'],
      ['ask', '999999999', '0.001'],
      ['ask', '1000000.5', '0.25'],
      ['bid', '0.01', '3466319.48159623'],
      ['bid', '0.02', '50000'],
      ['bid', '1', '5666.001'],
    ],
  },
  spot('ethusd', 'ETH', 'USD', ['0.01', '0.000001', '0.001'], '2670.65', '0.9', [1_400, 1_100], 40, 0.3),
  spot('solusd', 'SOL', 'USD', ['0.001', '0.000001', '0.001'], '153.417', '12', [700, 620], 30, 0.2),
  {
    ...spot(
      'shibusd',
      'SHIB',
      'USD',
      ['0.000000001', '0.000001', '1000'],
      '0.000008876',
      '9000000',
      [1_700, 1_500],
      8,
      0.05,
    ),
    quantityDigits: 6, // eight would not hold the largest order below
    farLevels: [
      ['bid', '0.000000001', '4105123935484.817624'],
      ['ask', '1', '1000000'],
      ['ask', '420.69', '69420.420069'],
    ],
  },
  spot('xrpusd', 'XRP', 'USD', ['0.00001', '0.000001', '0.1'], '2.41877', '900', [600, 700], 25, 0.2),
  spot('dogeusd', 'DOGE', 'USD', ['0.00001', '0.000001', '0.1'], '0.16342', '7000', [500, 480], 15, 0.1),
  spot('ltcusd', 'LTC', 'USD', ['0.01', '0.00001', '0.01'], '91.37', '3', [400, 380], 10, 0.05),
  spot('bchusd', 'BCH', 'USD', ['0.01', '0.000001', '0.001'], '471.2', '0.7', [300, 280], 8, 0.05),
  spot('linkusd', 'LINK', 'USD', ['0.00001', '0.000001', '0.1'], '17.88121', '40', [350, 330], 12, 0.1),
  spot('zecusd', 'ZEC', 'USD', ['0.01', '0.000001', '0.001'], '512.6', '0.8', [250, 240], 10, 0.1),
  spot('pepeusd', 'PEPE', 'USD', ['0.000000001', '0.000001', '1000'], '0.000007412', '12000000', [400, 420], 6, 0.03),
  spot('bonkusd', 'BONK', 'USD', ['0.000000001', '0.000001', '4000'], '0.000014903', '6000000', [300, 280], 4, 0.02),
  spot('ethbtc', 'ETH', 'BTC', ['0.00001', '0.000001', '0.001'], '0.03204', '1.2', [200, 180], 10, 0.05),
  spot('ltcbtc', 'LTC', 'BTC', ['0.0000001', '0.00001', '0.01'], '0.0010961', '2', [120, 110], 3, 0.02),
  spot('solbtc', 'SOL', 'BTC', ['0.0000001', '0.000001', '0.001'], '0.0018404', '9', [120, 110], 4, 0.02),
  spot(
    'linketh',
    'LINK',
    'ETH',
    ['0.0000001', '0.000001', '0.1'],
    '0.0066954',
    '15',
    [20, 18],
    0.2,
    0.005,
    'limit_only',
  ),
  spot('btceur', 'BTC', 'EUR', ['0.01', '0.00000001', '0.00001'], '71204.5', '0.02', [300, 280], 20, 0.05),
  spot('btcgbp', 'BTC', 'GBP', ['0.01', '0.00000001', '0.00001'], '61880.11', '0.02', [250, 240], 15, 0.03),
  spot('btcsgd', 'BTC', 'SGD', ['0.01', '0.00000001', '0.00001'], '107344.9', '0.02', [120, 110], 6, 0.02),
  spot('btcusdt', 'BTC', 'USDT', ['0.01', '0.00000001', '0.00001'], '83370.02', '0.03', [300, 300], 18, 0.05),
  spot('paxgusd', 'PAXG', 'USD', ['0.01', '0.00000001', '0.0001'], '4011.6', '0.4', [150, 140], 5, 0.02),
  spot('usdcusd', 'USDC', 'USD', ['0.00001', '0.000001', '0.1'], '0.99987', '2500', [60, 50], 2, 0.05),
  spot('rlusdusd', 'RLUSD', 'USD', ['0.0001', '0.000001', '0.1'], '0.9998', '4000', [30, 28], 0.5, 0.01),
  spot('batusd', 'BAT', 'USD', ['0.00001', '0.000001', '1'], '0.15331', '900', [90, 85], 1, 0.01),
  spot('filusd', 'FIL', 'USD', ['0.0001', '0.000001', '0.1'], '1.6022', '80', [120, 110], 3, 0.01),
  spot('aaveusd', 'AAVE', 'USD', ['0.0001', '0.000001', '0.001'], '226.4413', '1.1', [180, 170], 6, 0.03),
  spot('uniusd', 'UNI', 'USD', ['0.0001', '0.000001', '0.01'], '6.7714', '60', [160, 150], 5, 0.02),
  spot('wifusd', 'WIF', 'USD', ['0.0001', '0.000001', '0.07'], '0.5208', '700', [100, 95], 2, 0.01),
  spot('usdtgusd', 'USDT', 'GUSD', ['0.0001', '0.01', '0.1'], '1.0003', '500', [12, 10], 0.02, 0.002),
  perpetual('btcgusdperp', 'BTC', ['0.5', '0.0001', '0.0001'], [3, 4], '83409', '0.15', [15, 13], 30, 0.1),
  perpetual('ethgusdperp', 'ETH', ['0.05', '0.001', '0.001'], [4, 3], '2671.2', '1.1', [21, 13], 25, 0.1),
  perpetual('solgusdperp', 'SOL', ['0.005', '0.1', '0.1'], [5, 4], '153.4', '9', [18, 16], 10, 0.05),
  perpetual('xrpgusdperp', 'XRP', ['0.0001', '1', '1'], [6, 2], '2.4188', '600', [12, 11], 6, 0.03),
  perpetual('avaxgusdperp', 'AVAX', ['0.001', '0.1', '0.1'], [6, 5], '7.495', '150', [7, 5], 5, 0.03),
  perpetual('hypegusdperp', 'HYPE', ['0.001', '0.1', '0.1'], [7, 4], '38.127', '20', [9, 8], 4, 0.02),
  perpetual('trumpgusdperp', 'TRUMP', ['0.001', '0.001', '0.1'], [6, 4], '5.611', '30', [6, 5], 1, 0.01),
]

/** The preset of a symbol in any case, or null. */
export function presetOf(symbol: string): SymbolSpec | null {
  return SYMBOL_PRESETS.find((spec) => spec.symbol === symbol.toLowerCase()) ?? null
}

function spot(
  symbol: string,
  baseCurrency: string,
  quoteCurrency: string,
  [priceIncrement, quantityIncrement, minOrderSize]: readonly [price: string, quantity: string, least: string],
  startPrice: string,
  usualQuantity: string,
  [bids, asks]: readonly [bids: number, asks: number],
  changesPerSecond: number,
  tradesPerSecond: number,
  status: SymbolSpec['status'] = 'open',
): SymbolSpec {
  return {
    symbol,
    baseCurrency,
    quoteCurrency,
    priceIncrement,
    quantityIncrement,
    minOrderSize,
    status,
    productType: 'spot',
    priceDigits: fractionDigits(priceIncrement) + 3,
    quantityDigits: fractionDigits(quantityIncrement) + 2,
    startPrice,
    usualQuantity,
    bids,
    asks,
    changesPerSecond,
    tradesPerSecond,
    farLevels: [],
  }
}

function perpetual(
  symbol: string,
  baseCurrency: string,
  increments: readonly [price: string, quantity: string, least: string],
  [priceDigits, quantityDigits]: readonly [price: number, quantity: number],
  startPrice: string,
  usualQuantity: string,
  levels: readonly [bids: number, asks: number],
  changesPerSecond: number,
  tradesPerSecond: number,
): SymbolSpec {
  const base = spot(
    symbol,
    baseCurrency,
    'GUSD',
    increments,
    startPrice,
    usualQuantity,
    levels,
    changesPerSecond,
    tradesPerSecond,
  )
  return { ...base, productType: 'swap', priceDigits, quantityDigits }
}

function fractionDigits(increment: string): number {
  const point = increment.indexOf('.')
  return point === -1 ? 0 : increment.length - point - 1
}
