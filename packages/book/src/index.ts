export * from './depth.ts'
export * from './digest.ts'
export * from './order-book.ts'
