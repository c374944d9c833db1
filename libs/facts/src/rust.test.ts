import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gunzipSync } from 'node:zlib';
import { looksMax, RustCrates } from './rust.ts';

/** Made by rustc 1.85 and cargo-auditable 0.6, with one crate in it and one that only builds it. */
const program = gunzipSync(readFileSync(join(import.meta.dirname, 'testing/auditable-program.gz')));

function cratesOf(bytes: Buffer, chunkBytes: number, looks = { left: looksMax }) {
  const crates = new RustCrates(looks);
  for (let at = 0; at < bytes.length; at += chunkBytes) crates.push(bytes.subarray(at, at + chunkBytes));
  return crates.crates();
}

it('reads the crates that are in a program, however it comes', () => {
  const found = [
    ['kiln-demo', '0.1.0'],
    ['tiny-dep', '0.4.2'],
  ];
  for (const chunkBytes of [1, 2, 3, 100, 4097, program.length]) expect(cratesOf(program, chunkBytes)).toEqual(found);
  // Behind what begins alike, and packed at any level.
  const crates = Array.from({ length: 200 }, (_, at) => ({ name: `crate-${at}`, version: `1.${at}.0` }));
  for (const level of [0, 1, 5, 6, 9])
    for (const packages of [crates.slice(0, 1), crates]) {
      const list = deflateSync(JSON.stringify({ packages }), { level });
      const bytes = Buffer.concat([deflateSync('{"package":1}'), list, Buffer.alloc(200)]);
      expect(cratesOf(bytes, 1000)).toEqual(packages.map((it) => [it.name, it.version]));
    }
});

it('finds none where none are told, or the list is cut or none', () => {
  expect(cratesOf(Buffer.alloc(100_000, 'x'), 1000)).toBeUndefined();
  expect(cratesOf(program.subarray(0, program.indexOf('x\x9c', 0, 'latin1') + 100), 1000)).toBeUndefined();
  const odd = deflateSync(`{"packages":[{"name":1},${JSON.stringify({ name: 'a'.repeat(300), version: '1' })}]}`);
  expect(cratesOf(Buffer.concat([odd, Buffer.alloc(200)]), 64)).toEqual([['a'.repeat(200), '1']]);
  const broken = deflateSync(`{"packages":[${'x'.repeat(10 << 20)}`, { level: 9 });
  expect(cratesOf(broken, 1000)).toBeUndefined();
});

it('unpacks a bounded number of beginnings', () => {
  const looks = { left: looksMax };
  const alike = deflateSync('{"package":1}');
  const many = Buffer.concat(Array.from({ length: 2 * looksMax }, () => alike));
  expect(cratesOf(Buffer.concat([many, program]), 65_536, looks)).toBeUndefined();
  expect(looks.left).toBeLessThan(0);
  // A hundred megabytes of anything have hardly any.
  looks.left = looksMax;
  cratesOf(randomBytes(32 << 20), 65_536, looks);
  expect(looks.left).toBeGreaterThan(looksMax - 100);
});
