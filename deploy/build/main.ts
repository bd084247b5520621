import { bundle } from './bundle.ts'

// What goes into the image:  node deploy/build/main.ts dist
const [directory = 'dist'] = process.argv.slice(2)
const { main, packages, bytes } = await bundle(directory)
const names = packages.map(({ name, version }) => `${name} ${version}`).join(', ')
process.stdout.write(`${main}: ${Math.round(bytes / 1024)} KiB, with ${names}\n`)
