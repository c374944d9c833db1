import { isGitRef, parseGitAddress, resolveGitUrl, splitGitUrl } from './git-address.ts';
import { parseObjectAddress } from './object-address.ts';

it.each([
  ['https://example.com/team/app.git', { protocol: 'https', host: 'example.com', user: '', path: '/team/app.git' }],
  ['https://Example.com:8443/app', { protocol: 'https', host: 'example.com:8443', user: '', path: '/app' }],
  ['https://[::1]:3000/a', { protocol: 'https', host: '[::1]:3000', user: '', path: '/a' }],
  ['ssh://example.com/a/b', { protocol: 'ssh', host: 'example.com', user: 'git', path: '/a/b' }],
  ['ssh://me@example.com:22/~/b', { protocol: 'ssh', host: 'example.com:22', user: 'me', path: '/~/b' }],
  ['git@example.com:team/app.git', { protocol: 'ssh', host: 'example.com', user: 'git', path: 'team/app.git' }],
])('%s is a repository', (text, address) => expect(parseGitAddress(text)).toEqual(address));

it.each([
  'http://example.com/a', 'git://example.com/a', 'file:///a', 'ext::sh -c id', '/a/b', './a', 'a', '', 'https://example.com',
  'https://example.com/', 'https://me@example.com/a', 'https://me:secret@example.com/a', 'https://example.com/-a', '-u@example.com:a',
  'ssh://-oProxyCommand=id/a', 'ssh://example.com/a\nb', "ssh://example.com/a'b", 'git@example.com:$(id)', 'git@-x:a', 'git@example.com:-a',
  'https://example.com/a b', 'https://example.com/a#main', 'git@example.com://x', `https://example.com/${'a'.repeat(2000)}`,
])('%s is none', (text) => expect(parseGitAddress(text)).toBeUndefined()); // prettier-ignore

it.each([
  ['https://h/a.git', { url: 'https://h/a.git' }],
  ['https://h/a.git#main', { url: 'https://h/a.git', ref: 'main' }],
  ['https://h/a.git#main:x/y', { url: 'https://h/a.git', ref: 'main', subPath: 'x/y' }],
  ['https://h/a.git#:/x/', { url: 'https://h/a.git', subPath: 'x' }],
  ['https://h/a?ref=v1&subdir=x&submodules=1', { url: 'https://h/a', ref: 'v1', subPath: 'x', submodules: true }],
  ['https://h/a?branch=b&submodules=false', { url: 'https://h/a', ref: 'b', submodules: false }],
  ['git@h:a#v1', { url: 'git@h:a', ref: 'v1' }],
])('%s says what is meant behind the address', (text, target) => expect(splitGitUrl(text)).toEqual(target));

it('takes for a ref what git takes', () => {
  for (const it of ['main', 'v1.2', 'feature/x-1', 'refs/heads/main', 'a'.repeat(40)]) expect([it, isGitRef(it)]).toEqual([it, true]); // prettier-ignore
  for (const it of [
    '',
    '-x',
    'a..b',
    'a b',
    'a:b',
    'a^',
    'a~1',
    'a?',
    'a*',
    'a[',
    'a\\',
    'a.lock',
    'a/',
    'a//b',
    'a@{1}',
    'a\n',
    'a.',
  ])
    expect([it, isGitRef(it)]).toEqual([it, false]);
});

it.each([
  ['https://h/team/app.git', '../lib.git', 'https://h/team/lib.git'],
  ['https://h/team/app.git', './sub', 'https://h/team/app.git/sub'],
  ['git@h:team/app', '../../other/lib', 'ssh://git@h/other/lib'],
  ['https://h/a', 'https://else/b', 'https://else/b'],
])('from %s, %s is %s', (parent, written, url) => {
  const address = parseGitAddress(parent);
  expect(address && resolveGitUrl(address, written)).toBe(url);
});

it('knows archives by https and in buckets', () => {
  expect(parseObjectAddress('https://h/a.tar?x=1#y')).toEqual({ kind: 'https', url: 'https://h/a.tar?x=1', host: 'h' });
  expect(parseObjectAddress('s3://bucket/a/b.tgz')).toEqual({ kind: 's3', bucket: 'bucket', key: 'a/b.tgz' });
  for (const it of [
    'http://h/a',
    'https://u:p@h/a',
    'https://h/',
    's3://b',
    's3:///k',
    's3://-b/k',
    'gs://b/k',
    'file:///a',
    '',
  ])
    expect([it, parseObjectAddress(it)]).toEqual([it, undefined]);
});
