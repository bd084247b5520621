import { Dice } from '../simulation/dice.ts'

export class WorkDice extends Dice {
  /** Log-normal with the given median; `spread` is the deviation of the logarithm. */
  logNormal(median: number, spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.unit())) * Math.cos(2 * Math.PI * this.unit())
    return median * Math.exp(normal * spread)
  }
}
