import type { Lane } from '@kiln/domain';
import type { Random } from '@kiln/kit/testing';
import { logNormal } from './distributions.ts';

/** A build that is submitted at some time, and how long it takes on a builder. Times are milliseconds from the start. */
export interface Arrival {
  at: number;
  account: number;
  lane: Lane;
  takesMs: number;
}

export interface Traffic {
  accounts: number;
  builds: number;
  hours: number;
  /** Median of how long a build takes, in seconds; the mean is 1.65 times as long. */
  medianSeconds: number;
}

/** Share of all builds that come in bursts: an account submits some hundred at once, in the bulk lane. */
const burstShare = 0.2;
const burstSizes = [100, 1000] as const;

/** How busy an hour of the day is, 1 on average: from 0.4 at night to 1.6 in the afternoon. */
const busy = (at: number): number => 1 - 0.6 * Math.cos((2 * Math.PI * (at / 3_600_000 - 3)) / 24);

/** A day of a platform: few accounts build much and many build little (by 1/rank), more by day, some in bursts. */
export function makeArrivals(traffic: Traffic, random: Random): Arrival[] {
  const { accounts, builds, hours, medianSeconds } = traffic;
  const span = hours * 3_600_000;
  const ranks = Array.from({ length: accounts }, (_, rank) => 1 / (rank + 1));
  let sum = 0;
  const upTo = ranks.map((it) => (sum += it));
  const anyAccount = (): number => {
    const wanted = random.next() * sum;
    let [low, high] = [0, accounts - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const anyTime = (): number => {
    for (;;) {
      const at = random.next() * span;
      if (random.next() * 1.6 < busy(at)) return at;
    }
  };
  const takesMs = () => logNormal(random, medianSeconds, 1) * 1000;
  const arrivals: Arrival[] = [];
  const inBursts = builds * burstShare;
  while (arrivals.length < inBursts) {
    const [least, most] = burstSizes;
    const size = Math.min(inBursts - arrivals.length, least + random.int(0, most - least));
    const [account, at] = [anyAccount(), anyTime()];
    for (let n = 0; n < size; n += 1) arrivals.push({ at: at + n * 5, account, lane: 'bulk', takesMs: takesMs() });
  }
  while (arrivals.length < builds) {
    const lane = random.next() < 0.25 ? 'interactive' : 'normal';
    arrivals.push({ at: anyTime(), account: anyAccount(), lane, takesMs: takesMs() });
  }
  return arrivals.sort((a, b) => a.at - b.at);
}
