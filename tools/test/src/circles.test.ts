import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '@kiln/stack';
import ts from 'typescript';

// Circles of types count as well: they are one subject in several files.
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'apps', 'libs', 'tools'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((it) => /\.tsx?$/.test(it));

const importsOf = (file: string): string[] =>
  ts
    .preProcessFile(readFileSync(join(root, file), 'utf8'))
    .importedFiles.map((it) => it.fileName)
    .filter((it) => it.startsWith('.'))
    .map((it) => join(dirname(file), it));

it('no file imports itself through others', () => {
  const graph = new Map(files.map((it) => [it, importsOf(it)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || done.has(file)) return;
    for (const it of graph.get(file) ?? []) visit(it, [...path, file]);
    done.add(file);
  };
  for (const it of graph.keys()) visit(it, []);
  expect(graph.size).toBeGreaterThan(300);
  expect(circles).toEqual([]);
});
