import { writeFileSync } from 'node:fs'
import { DASHBOARDS } from './index.ts'

for (const [file, text] of Object.entries(DASHBOARDS)) {
  writeFileSync(new URL(`../dashboards/${file}`, import.meta.url), text)
}
